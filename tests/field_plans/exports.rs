//! What lives as plan files, and plan files of what lives.

use crate::field_plans::world::{Backend, NAMESPACE, SET, World, text_of};

crate::field_plans::on_both!(
    import_writes_the_plan_file_of_points_that_nothing_declares,
    a_set_is_not_written_without_a_proof_of_its_ids,
    a_promotion_made_by_hand_is_recognised_from_its_rows,
    what_was_applied_is_exported_and_plans_to_nothing,
    rows_are_imported_by_name_and_plan_to_nothing,
    one_row_of_a_large_table_is_exported_by_its_key,
    a_name_that_is_not_there_and_a_file_that_is_are_refused,
);

const IMPORTED: &str = "plans/imported.yaml";

fn file(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path().join(name)).expect("the file is there")
}

fn nothing_to_do(world: &World) {
    world.exits(&["plan", "--detailed-exitcode"], 0);
}

/// The lines of one section of a plan file.
fn section<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| *line != format!("{name}:")).skip(1);
    lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect()
}

fn import_writes_the_plan_file_of_points_that_nothing_declares(backend: Backend) {
    let world = World::start(backend);
    let before = (world.tables_but(&[]), world.points(SET));
    let set = format!("vector_set.{SET}");
    let shown = world.ok(&["import", &set, "--out", IMPORTED, "--namespace", NAMESPACE, "--auto-approve"]);
    assert!(shown.contains("61 kept") && shown.contains("Applied."), "{shown}");
    let written = file(&world, IMPORTED);
    let expected = "  iu_core_iu_chunks:\n    units:\n      lifecycle: enacted\n    chunk_policy: iu_core_iu_chunks-policy\n    vectors:\n      \
                    \"\":\n        embedder: default\n        distance: cosine\n";
    assert!(written.contains(expected), "{written}");
    assert!(written.contains("60 of 60 texts") && written.contains("max_chars: 1800"), "{written}");
    assert!(written.contains(NAMESPACE) && written.contains("rollout: in_place"), "{written}");
    assert_eq!((world.tables_but(&[]), world.points(SET)), before);
    assert_eq!(world.embeddings.texts(), 0);
    nothing_to_do(&world);
    world.ok(&["verify"]);
    // What was imported is a plan like any other: the promotion brings 86 units into the set.
    world.write("plans/8000x-promotion.yaml", &text_of("plans/8000x-promotion.yaml"));
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("86 to promote. Vectors: 88 to embed") && plan.contains("61 kept."), "{plan}");
}

fn a_set_is_not_written_without_a_proof_of_its_ids(backend: Backend) {
    let world = World::start(backend);
    let set = format!("vector_set.{SET}");
    for namespace in [&["--namespace", "0c000000-0000-4000-8000-00000000000f"][..], &[]] {
        let (written, said) = world.exits(&[&["export", &set], namespace].concat(), 0);
        assert!(said.contains("W065") && said.contains("add --namespace UUID"), "{said}");
        assert!(section(&written, "vector_sets").is_empty(), "{written}");
    }
    let (written, said) = world.exits(&["export", &set, "--namespace", NAMESPACE], 0);
    assert!(!said.contains("W065") && !section(&written, "vector_sets").is_empty(), "{said}\n{written}");
}

/// Nobody tells Enact of the promotion but its rows: everything that Enact wrote down is gone.
fn a_promotion_made_by_hand_is_recognised_from_its_rows(backend: Backend) {
    let world = World::start(backend);
    world.write("plans/8000x-promotion.yaml", &text_of("plans/8000x-promotion.yaml"));
    world.ok(&["apply", "--auto-approve"]);
    std::fs::remove_file(world.path().join("plans/8000x-promotion.yaml")).expect("the plan is removed");
    world.sql("DROP SCHEMA enact CASCADE");
    world.ok(&["init"]);
    let before = world.tables_but(&[]);
    let (_, said) = world.exits(&["import", "--out", IMPORTED, "--auto-approve"], 0);
    // The first set's decision has no change set, and its points are of a namespace that nobody gave.
    assert!(said.contains("\"promotion.ICX-CONST\" is not written: there is no change set of it"), "{said}");
    assert!(said.contains("A plan of these files has nothing to do."), "{said}");
    let written = file(&world, IMPORTED);
    let promotion = section(&written, "promotions").join("\n");
    for line in
        ["  iu-core-8000x:", "      reviewer: council", "      scheme: md5-colon", "      namespace: IU_CORE_8000X"]
    {
        assert!(promotion.contains(line), "{line}\n{written}");
    }
    assert_eq!(promotion.matches("- D38-").count(), 86, "{written}");
    assert_eq!(world.tables_but(&[]), before);
    assert_eq!(
        world.value("SELECT jsonb_array_length(attributes -> 'units') FROM enact.managed WHERE address = 'promotion.iu-core-8000x'"),
        "86"
    );
    nothing_to_do(&world);
    world.ok(&["verify"]);
}

fn what_was_applied_is_exported_and_plans_to_nothing(backend: Backend) {
    let world = World::adopted(backend);
    let guarded = text_of("plans/9000x-onboarding.yaml")
        + "\nchecks:\n  shut: { query: \"SELECT value FROM public.dot_config WHERE key = 'iu_core.retention_enabled'\", expect: { value: \"false\" } }\n\
           protect:\n  first-set: { units: { address_prefix: ICX-CONST/ } }\n";
    world.write("plans/9000x-onboarding.yaml", &guarded);
    world.ok(&["apply", "--auto-approve"]);
    let (printed, said) = world.exits(&["export"], 0);
    assert!(said.contains("promotion.ICX-CONST"), "{said}");
    for plan in ["plans/8000x-promotion.yaml", "plans/9000x-onboarding.yaml"] {
        std::fs::remove_file(world.path().join(plan)).expect("the plan is removed");
    }
    world.ok(&["export", "--out", "plans/exported.yaml"]);
    let written = file(&world, "plans/exported.yaml");
    assert_eq!(printed.replace("plan: exported", ""), written.replace("plan: exported", ""));
    // As its author declared it: by documents, not unit by unit.
    assert!(section(&written, "promotions").join("\n").contains("doc_code:"), "{written}");
    for (name, entry) in [("gates", "iu_core.vector_sync_enabled:"), ("checks", "shut:"), ("protect", "first-set:")] {
        assert!(section(&written, name).iter().any(|line| line.trim_start().starts_with(entry)), "{name}\n{written}");
    }
    nothing_to_do(&world);
    world.exits(&["fmt", "--check"], 0);
    world.ok(&["verify"]);
    let one = world.ok(&["export", "gate.iu_core.vector_sync_enabled"]);
    assert!(section(&one, "promotions").is_empty() && !section(&one, "gates").is_empty(), "{one}");
}

fn rows_are_imported_by_name_and_plan_to_nothing(backend: Backend) {
    let world = World::start(backend);
    let hostile = "yes: # {no} 'a' \"b\"\n\t- \u{1F512}\\n";
    world.sql(&format!(
        "INSERT INTO dot_config (key, value) VALUES ('x.hostile', $v${hostile}$v$), ('x.number', '007'), ('x.null', 'null')"
    ));
    world.sql(
        "CREATE TABLE public.kinds (id integer PRIMARY KEY, flag boolean, big bigint, exact numeric, at timestamptz, \
           doc jsonb, list text[], made text GENERATED ALWAYS AS (id::text) STORED); \
         INSERT INTO public.kinds VALUES (1, true, 9007199254740993, 1.50, '2026-05-24 00:00:00+02', \
           '{\"b\": [1, null, \"x\"], \"a\": {}}', '{a,\"b c\"}'), (2, NULL, NULL, NULL, NULL, '[]', NULL); \
         GRANT SELECT, UPDATE ON public.kinds TO PUBLIC",
    );
    let before = world.tables_but(&[]);
    let rows = ["row.public.dot_config[x.hostile]", "row.public.dot_config[\"x.number\"]", "row.public.kinds"];
    let (_, said) = world.exits(&[&["import"], &rows[..], &["--out", IMPORTED]].concat(), 0);
    assert!(said.contains("A plan of these files has nothing to do."), "{said}");
    let written = file(&world, IMPORTED);
    assert_eq!(
        section(&written, "rows").iter().filter(|line| line.trim_start().starts_with("- key:")).count(),
        4,
        "{written}"
    );
    assert!(!written.contains("made:") && written.contains("big: 9007199254740993"), "{written}");
    nothing_to_do(&world);
    assert_eq!(world.tables_but(&[]), before);
    world.sql("UPDATE public.kinds SET exact = 2 WHERE id = 1");
    let plan = world.ok(&["plan"]);
    assert!(plan.starts_with("Plan: 0 to add, 1 to change, 0 to destroy."), "{plan}");
}

fn one_row_of_a_large_table_is_exported_by_its_key(backend: Backend) {
    let world = World::start(backend);
    world.sql(
        "CREATE TABLE public.many (part text, number integer, said text, PRIMARY KEY (part, number)); \
         INSERT INTO public.many SELECT 'p', i, 'row ' || i FROM generate_series(1, 10001) i",
    );
    let (_, refused) = world.exits(&["export", "row.public.many"], 3);
    assert!(refused.contains("has more than 10000 rows") && refused.contains("name single rows"), "{refused}");
    let one = world.ok(&["export", "row.public.many[part=p,number=77]"]);
    let rows = section(&one, "rows").join("\n");
    assert!(rows.contains("number: 77") && rows.contains("said: row 77"), "{one}");
    assert_eq!(rows.matches("- key:").count(), 1, "{one}");
}

fn a_name_that_is_not_there_and_a_file_that_is_are_refused(backend: Backend) {
    let world = World::start(backend);
    for (address, said) in [
        ("gate.iu_core.vector_synk_enabled", "nothing that lives is called"),
        ("promotion.nobody", "nothing that lives is called"),
        ("row.public.dot_config[nobody]", "has no row with the key"),
        ("row.public.dot_confg", "did you mean \"public.dot_config\"?"),
        ("lifecycle[\"D38-DIEU28-ROOT\"]", "name the promotion"),
        ("unit.x", "write promotion.NAME"),
    ] {
        let (_, refused) = world.exits(&["export", address], 3);
        assert!(refused.contains(said), "{address}\n{refused}");
    }
    // A database of another kind: what the binding names is said, before anything is read by it.
    world.write("enact.yaml", &world.config("").replace("binding: iu-core", "binding: documents"));
    let (_, refused) = world.exits(&["export"], 3);
    assert!(
        refused.contains("E045") && refused.contains("the binding \"documents\" names \"public.documents\""),
        "{refused}"
    );
    world.write("enact.yaml", &world.config(""));
    world.write("taken.yaml", "mine");
    let (_, refused) = world.exits(&["export", "--out", "taken.yaml"], 3);
    assert!(refused.contains("is there already"), "{refused}");
    assert_eq!(file(&world, "taken.yaml"), "mine");
    let (_, refused) = world.exits(&["import", "row.public.dot_config", "--file", "taken.yaml"], 3);
    assert!(!refused.is_empty());
    world.write("plans/rows.yaml", "enact: v1\nplan: rows\n");
    let (_, refused) = world.exits(&["import", "gate.iu_core.vector_sync_enabled"], 3);
    assert!(refused.contains("no plan file declares") && refused.contains("add --out FILE"), "{refused}");
}
