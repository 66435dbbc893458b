//! The items carried forward.

use crate::field_plans::world::{Backend, SET, World, flat, has, text_of};

crate::field_plans::on_both!(
    o1_the_onboarding_chunks_embeds_writes_and_records,
    o2_a_secret_is_looked_for_and_never_shown,
    o3_an_unreachable_store_says_what_to_change,
    o4_empty_bodies_need_a_choice,
    o5_verify_compares_ledger_and_collection_point_by_point,
    o5_the_earlier_units_are_protected,
    o8_the_plan_fits_a_comment_and_has_an_exit_code,
    o9_what_was_probed_is_kept_with_the_run,
    o10_a_column_that_is_not_there_stops_the_plan,
    o11_one_function_derives_each_id,
    o12_the_fourth_row_is_part_of_the_promotion,
);

fn o1_the_onboarding_chunks_embeds_writes_and_records(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    assert_eq!((world.embeddings.texts(), world.points(SET).len()), (88, 149));
    let per_document = world.value(
        "SELECT string_agg(concat_ws(':', d, u, c), ' ' ORDER BY d) FROM (SELECT i.doc_code d, count(DISTINCT p.unit_id) u, count(*) c \
         FROM iu_vector_sync_point p JOIN information_unit i ON i.id = p.unit_id WHERE p.last_actor = 'iu-core-9000x' GROUP BY 1) s",
    );
    assert_eq!(per_document, "DIEU-28:22:22 DIEU-32:23:23 DIEU-35:36:43");
}

const KEY: &str = "sk-field-0123456789";

fn o2_a_secret_is_looked_for_and_never_shown(backend: Backend) {
    let world = World::adopted(backend);
    let with_key = |source: &str| {
        let config = world.config("");
        world.write("enact.yaml", &config.replace("kind: openai,", &format!("kind: openai, api_key: {source},")));
    };
    with_key("\"${FIELD_EMBEDDER_KEY}\"");
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(refused.contains("E024") && refused.contains("FIELD_EMBEDDER_KEY"), "{refused}");
    world.write("key.txt", &format!("{KEY}\n"));
    with_key("{ file: key.txt }");
    let (plan, said) = world.exits(&["plan", "--out", "plan.json", "--verbose"], 0);
    // Vectors are made by the model that was reviewed, or not at all.
    let config = std::fs::read_to_string(world.path().join("enact.yaml")).expect("enact.yaml");
    world.write("enact.yaml", &config.replace("text-embedding-3-small", "another-model"));
    let (_, refused) = world.exits(&["apply", "plan.json", "--auto-approve"], 4);
    has(&flat(&refused), &["embeds with \"default\" as openai text-embedding-3-small", "says openai another-model"]);
    assert_eq!(world.embeddings.texts(), 0);
    world.write("enact.yaml", &config);
    let (applied, told) = world.exits(&["apply", "plan.json", "--auto-approve"], 0);
    let saved = std::fs::read_to_string(world.path().join("plan.json")).expect("the saved plan");
    let kept = world.value("SELECT string_agg(t::text, '') FROM enact.run t")
        + &world.value("SELECT string_agg(t::text, '') FROM enact.plan_line t")
        + &world.value("SELECT string_agg(t::text, '') FROM enact.journal t");
    for text in [plan, said, applied, told, saved, kept] {
        assert!(!text.contains(KEY), "the key is shown");
    }
    assert_eq!(world.embeddings.texts(), 88);
}

fn o3_an_unreachable_store_says_what_to_change(backend: Backend) {
    let world = World::adopted(backend);
    let environment = |postgres: &str, qdrant: &str| {
        let text = format!(
            "enact: v1\ndefault: field\nenvironments:\n  field:\n    postgres: {{ conninfo: \"{postgres}\" }}\n    qdrant: {{ url: \"{qdrant}\" }}\n    \
             binding: iu-core\n    embedders: {{ default: {{ kind: openai, base_url: \"{}\", model: m, dimensions: 1536 }} }}\n",
            world.embeddings.url
        );
        world.write("enact.yaml", &text);
    };
    // A port that nobody listens on, and a name that nobody knows.
    for (url, said) in [("http://127.0.0.1:1", "refused"), ("http://qdrant.invalid:6334", "qdrant.invalid")] {
        environment(&world.conninfo(), url);
        let (_, refused) = world.exits(&["plan"], 1);
        assert!(refused.contains(said), "{url}\n{refused}");
    }
    environment("host=127.0.0.1 port=1 user=nobody dbname=kb", &world.qdrant_url());
    let (_, refused) = world.exits(&["plan"], 1);
    assert!(refused.contains("refused"), "{refused}");
}

fn o4_empty_bodies_need_a_choice(backend: Backend) {
    let world = World::adopted(backend);
    let plan = text_of("plans/9000x-onboarding.yaml");
    let choose =
        |choice: &str| world.write("plans/9000x-onboarding.yaml", &plan.replace("    empty_body: skip\n", choice));
    for choice in ["", "    empty_body: error\n"] {
        choose(choice);
        let (_, refused) = world.exits(&["plan"], 3);
        assert!(refused.contains("E054") && refused.contains("5 of the set have no body"), "{refused}");
        assert!((23..=27).all(|n| refused.contains(&format!("D38-DIEU28-S{n}"))), "{refused}");
    }
    choose("    empty_body: title\n");
    assert!(world.ok(&["plan"]).contains("Vectors: 93 to embed"));
    choose("    empty_body: skip\n");
    assert!(world.ok(&["plan"]).contains("Vectors: 88 to embed"));
}

fn o5_verify_compares_ledger_and_collection_point_by_point(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    world.ok(&["verify"]);
    let row = "point_key = 'iu.D38-DIEU32-S7#chunk-0000'";
    world.sql(&format!("UPDATE iu_vector_sync_point SET content_digest = 'x' WHERE {row}"));
    let (report, _) = world.exits(&["verify"], 9);
    assert!(report.contains("row \"iu.D38-DIEU32-S7#chunk-0000\" has another digest"), "{report}");
    world.sql(&format!("UPDATE iu_vector_sync_point SET content_digest = indexed_digest WHERE {row}"));
    world.ok(&["verify"]);
    // A point of the earlier set that somebody rewrote is noticed too: it was pinned as it was.
    let (id, _) = world
        .points(SET)
        .into_iter()
        .find(|(id, _)| !world.payload(SET, id).contains_key("_enact"))
        .expect("an adopted point");
    world.change_payload(SET, &id, "content_digest", "x");
    let (report, _) = world.exits(&["verify"], 9);
    assert!(report.contains("is no longer"), "{report}");
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("1 point is no longer what was written") && plan.contains("Vectors: 1 to embed"), "{plan}");
    world.ok(&["apply", "--auto-approve"]);
    world.ok(&["verify"]);
    world.remove_point(SET, &id);
    let (report, _) = world.exits(&["verify"], 9);
    assert!(report.contains(&id), "{report}");
}

/// The earlier units, their ledger rows and their points are under protection; a write behind the plan rolls all back.
fn o5_the_earlier_units_are_protected(backend: Backend) {
    let world = World::adopted(backend);
    let plan =
        text_of("plans/9000x-onboarding.yaml") + "\nprotect:\n  first-set: { units: { address_prefix: ICX-CONST/ } }\n";
    world.write("plans/9000x-onboarding.yaml", &plan);
    let points = world.points(SET);
    // A trigger of somebody else changes an earlier unit's row while the ledger is written.
    world.sql(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.iu_vector_sync_point SET last_actor = 'meddler' \
           WHERE point_key = 'iu.ICX-CONST/KT-B#chunk-0001' AND last_actor <> 'meddler'; RETURN NEW; END $$; \
         CREATE TRIGGER meddle AFTER INSERT ON public.iu_vector_sync_point FOR EACH ROW \
           WHEN (NEW.point_key = 'iu.D38-DIEU28-ROOT#chunk-0000') EXECUTE FUNCTION meddle()",
    );
    let (_, refused) = world.exits(&["apply", "--auto-approve"], 5);
    assert!(refused.contains("first-set") && refused.contains("ICX-CONST/KT-B"), "{refused}");
    assert_eq!(world.points(SET), points);
    world.sql("DROP TRIGGER meddle ON public.iu_vector_sync_point");
    world.ok(&["apply", "--auto-approve"]);
    assert_eq!(world.points(SET).len(), 149);
}

fn o8_the_plan_fits_a_comment_and_has_an_exit_code(backend: Backend) {
    let world = World::adopted(backend);
    let (markdown, _) = world.exits(&["plan", "--format", "markdown", "--detailed-exitcode"], 2);
    assert!(markdown.chars().count() <= 65_536, "{} characters", markdown.chars().count());
    assert!(markdown.contains("86 to promote") && markdown.contains("88 to embed"), "{markdown}");
    world.ok(&["apply", "--auto-approve"]);
    world.exits(&["plan", "--format", "markdown", "--detailed-exitcode"], 0);
}

fn o9_what_was_probed_is_kept_with_the_run(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let kept = world.value("SELECT count(*) FROM enact.run WHERE jsonb_typeof(preflight) = 'object'");
    assert_eq!(kept, world.value("SELECT count(*) FROM enact.run"));
}

fn o10_a_column_that_is_not_there_stops_the_plan(backend: Backend) {
    let world = World::start(backend);
    world.write("plans/8000x-promotion.yaml", &text_of("plans/8000x-promotion.yaml"));
    let binding =
        text_of("schemas/bindings/iu-core.yaml").replace("expect: { current_in_sync: ", "expect: { table_count: ");
    world.write("binding.yaml", &binding);
    let config = world.config("").replace("binding: iu-core", "binding: ./binding.yaml");
    world.write("enact.yaml", &config);
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(refused.contains("E046") && refused.contains("names column \"table_count\""), "{refused}");
    let argument = text_of("schemas/bindings/iu-core.yaml").replace("p_change_set_id:", "p_changeset_id:");
    world.write("binding.yaml", &argument);
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(refused.contains("E048") && refused.contains("did you mean \"p_change_set_id\"?"), "{refused}");
}

/// The check whether a promotion was authored before and the writer of its rows derive the same ids: what was written is
/// found again when everything that Enact remembered is gone.
fn o11_one_function_derives_each_id(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let remembered = "SELECT attributes::text FROM enact.managed WHERE address = 'promotion.iu-core-8000x'";
    let before = world.tables_but(&[]);
    assert!(!world.value(remembered).is_empty());
    world.sql("DELETE FROM enact.managed WHERE address = 'promotion.iu-core-8000x'");
    let imported = world.ok(&["import", "promotion.iu-core-8000x", "--auto-approve"]);
    assert!(!imported.contains("W055"), "{imported}");
    assert!(!world.value(remembered).is_empty());
    assert_eq!(world.tables_but(&[]), before);
    world.exits(&["plan", "--detailed-exitcode"], 0);
    // Under another namespace the ids are others, and no row is taken for what it is not.
    world.sql("DELETE FROM enact.managed WHERE address = 'promotion.iu-core-8000x'");
    let other = text_of("plans/8000x-promotion.yaml").replace("IU_CORE_8000X", "IU_CORE_8000Y");
    world.write("plans/8000x-promotion.yaml", &other);
    let refused = world.ok(&["import", "promotion.iu-core-8000x", "--auto-approve"]);
    assert!(
        refused.contains("W055") && refused.contains("89 rows that it would have authored are not there"),
        "{refused}"
    );
    assert_eq!(world.value(remembered), "");
}

fn o12_the_fourth_row_is_part_of_the_promotion(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve", "--file", "plans/8000x-promotion.yaml"]);
    let joined = world.value(
        "SELECT count(*) FROM iu_lifecycle_log l JOIN cutter_governance.cut_change_set c ON c.change_set_id = l.change_set_id \
         JOIN cutter_governance.review_decision d ON d.review_decision_id = l.review_decision_id AND d.review_decision_id = c.review_decision_id \
         JOIN cutter_governance.manifest_envelope e ON e.envelope_id = d.manifest_id AND e.cut_change_set_ref = c.change_set_id \
         JOIN cutter_governance.manifest_unit_block b ON b.envelope_id = e.envelope_id AND b.unit_local_id = l.canonical_address",
    );
    assert_eq!(joined, "86");
    assert_eq!(world.value("SELECT affected_unit_count FROM cutter_governance.cut_change_set"), "86");
}
