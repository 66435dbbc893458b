//! The numbers of the field.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::{Command, Stdio};

use crate::field_plans::world::{Backend, NAMESPACE, SET, SHARED, World, text_of};

crate::field_plans::on_both!(
    import_takes_over_the_61_points_as_they_are,
    the_promotion_alone,
    the_onboarding_alone_then_nothing_to_do,
    both_in_one_apply,
    the_onboarding_waits_for_a_choice_about_empty_bodies,
    the_shared_collection_is_refused_when_named,
    nobody_else_ever_sees_the_gate_open,
    a_chunk_keeps_its_id_when_its_text_changes,
);

/// Units by state, log rows, blocks, envelopes, decisions, change sets, ledger rows, indexed ones.
const COUNTS: &str = "SELECT concat_ws(' ', (SELECT string_agg(n, ',') FROM (SELECT lifecycle_status || ':' || count(*) n \
    FROM information_unit GROUP BY lifecycle_status ORDER BY lifecycle_status) s), \
    (SELECT count(*) FROM iu_lifecycle_log), (SELECT count(*) FROM cutter_governance.manifest_unit_block), \
    (SELECT count(*) FROM cutter_governance.manifest_envelope), (SELECT count(*) FROM cutter_governance.review_decision), \
    (SELECT count(*) FROM cutter_governance.cut_change_set), (SELECT count(*) FROM iu_vector_sync_point), \
    (SELECT count(*) FROM iu_vector_sync_point WHERE sync_status = 'indexed'))";
const BEFORE: &str = "deprecated:12,draft:91,enacted:60 60 0 1 1 0 64 61";
pub const PROMOTED: &str = "deprecated:12,draft:5,enacted:146 146 86 2 2 1 64 61";
pub const ONBOARDED: &str = "deprecated:12,draft:5,enacted:146 146 86 2 2 1 152 149";
pub const PROMOTION: &[&str] = &["--file", "plans/8000x-promotion.yaml"];
pub const ONBOARDING: &[&str] = &["--file", "plans/9000x-onboarding.yaml"];

/// What a promotion may write.
const PROMOTION_TABLES: [&str; 9] = [
    "public.information_unit",
    "public.unit_version",
    "public.iu_lifecycle_log",
    "public.iu_three_axis_envelope",
    "public.iu_three_axis_envelope_refresh_log",
    "cutter_governance.manifest_envelope",
    "cutter_governance.manifest_unit_block",
    "cutter_governance.review_decision",
    "cutter_governance.cut_change_set",
];

/// The rows of the earlier units in every table that a plan writes.
pub const EARLIER: &str = "SELECT md5(concat((SELECT string_agg(t::text, '|' ORDER BY t::text) FROM information_unit t WHERE canonical_address LIKE 'ICX-CONST/%'), \
    (SELECT string_agg(v::text, '|' ORDER BY v::text) FROM unit_version v JOIN information_unit t ON t.id = v.unit_id WHERE canonical_address LIKE 'ICX-CONST/%'), \
    (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_lifecycle_log t WHERE canonical_address LIKE 'ICX-CONST/%'), \
    (SELECT string_agg(p::text, '|' ORDER BY p::text) FROM iu_vector_sync_point p WHERE point_key NOT LIKE 'iu.D38-%')))";

pub fn counts(world: &World) -> String {
    world.value(COUNTS)
}

/// Runs a command for one plan file, or for all.
pub fn run(world: &World, command: &[&str], file: &[&str]) -> String {
    world.ok(&[command, file].concat())
}

/// The plan is empty, and says so.
pub fn nothing_to_do(world: &World, file: &[&str]) {
    let (text, _) = world.exits(&[&["plan", "--detailed-exitcode"], file].concat(), 0);
    assert!(text.contains("No changes. PostgreSQL and Qdrant match the plan."), "{text}");
}

fn import_takes_over_the_61_points_as_they_are(backend: Backend) {
    let world = World::start(backend);
    world.write("plans/9000x-onboarding.yaml", &text_of("plans/9000x-onboarding.yaml"));
    assert_eq!(counts(&world), BEFORE);
    let (tables, points) = (world.tables_but(&[]), world.points(SET));
    assert_eq!(points.len(), 61);
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(
        refused.contains("E052") && refused.contains("points of 60 units") && refused.contains("enact import"),
        "{refused}"
    );
    let imported = world.ok(&["import", "--auto-approve"]);
    assert!(imported.contains("61 kept") && imported.contains("Applied."), "{imported}");
    assert!(!imported.contains("W055") && !imported.contains("W056"), "{imported}");
    assert_eq!((world.tables_but(&[]), world.points(SET)), (tables, points));
    assert_eq!(world.value("SELECT count(*) FROM enact.managed_unit WHERE set_name = 'iu_core_iu_chunks'"), "60");
    assert_eq!(world.embeddings.texts(), 0);
    nothing_to_do(&world, &[]);
    world.ok(&["verify"]);
    let again = world.ok(&["import", "--auto-approve"]);
    assert!(again.contains("No changes"), "{again}");
}

fn the_promotion_alone(backend: Backend) {
    let world = World::adopted(backend);
    let (tables, points, shared) = (world.tables_but(&PROMOTION_TABLES), world.points(SET), world.points(SHARED));
    let earlier = world.value(EARLIER);
    let plan = run(&world, &["plan"], PROMOTION);
    assert!(plan.starts_with("Plan: 89 to add, 0 to change, 0 to destroy.\nLifecycle: 86 to promote."), "{plan}");
    run(&world, &["apply", "--auto-approve"], PROMOTION);
    assert_eq!(counts(&world), PROMOTED);
    ids_are_the_reference_formula(&world);
    assert_eq!(
        world.value("SELECT concat_ws(' ', (SELECT count(*) FROM iu_three_axis_envelope WHERE refreshed_by = 'iu-core-9000x'), current_in_sync, \
             current_drift ->> 'content_diff_count') FROM v_iu_three_axis_envelope_refresh_status"),
        "86 t 0"
    );
    assert_eq!(world.tables_but(&PROMOTION_TABLES), tables);
    assert_eq!((world.points(SET), world.points(SHARED), world.value(EARLIER)), (points, shared, earlier));
    nothing_to_do(&world, PROMOTION);
    let again = run(&world, &["apply", "--auto-approve"], PROMOTION);
    assert!(again.contains("No changes"), "{again}");
    assert_eq!(counts(&world), PROMOTED);
}

/// Computed by PostgreSQL from the formulas of the field, not by the code under test.
fn ids_are_the_reference_formula(world: &World) {
    let derived = world.value(
        "WITH s AS (SELECT encode(sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), 'UTF8')), 'hex') h FROM (SELECT canonical_address || '|' || coalesce(content_anchor_ref, '') AS line FROM information_unit \
           WHERE doc_code IN ('DIEU-28', 'DIEU-32', 'DIEU-35')) lines) \
         SELECT string_agg(concat('cf0000', substr(md5(concat('IU_CORE_8000X:', k, ':', h)), 1, 26))::uuid::text, ' ' ORDER BY o) \
         FROM s, (VALUES (1, 'envelope'), (2, 'rd'), (3, 'cs')) v(o, k)",
    );
    let live = world.value(
        "SELECT concat_ws(' ', e.envelope_id, d.review_decision_id, c.change_set_id) FROM cutter_governance.manifest_envelope e \
         JOIN cutter_governance.review_decision d ON d.manifest_id = e.envelope_id \
         JOIN cutter_governance.cut_change_set c ON c.review_decision_id = d.review_decision_id AND c.manifest_id = e.envelope_id \
         WHERE e.cut_change_set_ref = c.change_set_id",
    );
    assert_eq!(derived, live);
}

fn the_onboarding_alone_then_nothing_to_do(backend: Backend) {
    let world = World::adopted(backend);
    run(&world, &["apply", "--auto-approve"], PROMOTION);
    let tables = world.tables_but(&["public.iu_vector_sync_point"]);
    let (before, earlier) = (world.points(SET), world.value(EARLIER));
    let plan = run(&world, &["plan"], ONBOARDING);
    assert!(plan.contains("Vectors: 88 to embed") && plan.contains("0 to delete, 61 kept."), "{plan}");
    run(&world, &["apply", "--auto-approve"], ONBOARDING);
    onboarded(&world);
    assert_eq!(world.embeddings.texts(), 88);
    assert_eq!(world.tables_but(&["public.iu_vector_sync_point"]), tables);
    let after = world.points(SET);
    unchanged(&before, &after);
    assert_eq!(world.value(EARLIER), earlier);
    nothing_to_do(&world, ONBOARDING);
    nothing_to_do(&world, &[]);
    world.ok(&["verify"]);
    assert_eq!(world.embeddings.texts(), 88);
}

fn unchanged(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    for (id, point) in before {
        assert_eq!(after.get(id), Some(point), "the earlier point {id} changed");
    }
}

/// 81 units and 88 points more, in both stores, each under the id of its key.
fn onboarded(world: &World) {
    assert_eq!(counts(world), ONBOARDED);
    assert_eq!(
        world.value("SELECT count(DISTINCT unit_id) FROM iu_vector_sync_point WHERE sync_status = 'indexed'"),
        "141"
    );
    assert_eq!(world.value("SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'"), "false");
    assert_eq!(world.value("SELECT count(*) FROM iu_vector_sync_point WHERE last_actor = 'iu-core-9000x'"), "88");
    let points = world.points(SET);
    assert_eq!(points.len(), 149);
    let keys = world.rows("SELECT point_key FROM iu_vector_sync_point WHERE sync_status = 'indexed'");
    let namespace = uuid::Uuid::parse_str(NAMESPACE).expect("a uuid");
    let ids: BTreeSet<String> =
        keys.iter().map(|key| uuid::Uuid::new_v5(&namespace, key[0].as_bytes()).to_string()).collect();
    assert_eq!(ids, points.keys().cloned().collect());
    let row = world.rows("SELECT point_key, unit_id::text, content_digest FROM iu_vector_sync_point WHERE point_key = 'iu.D38-DIEU35-S3#chunk-0001'");
    let [key, unit, digest] = row[0].as_slice() else { panic!("three columns") };
    let id = uuid::Uuid::new_v5(&namespace, key.as_bytes()).to_string();
    let mut payload = world.payload(SET, &id);
    assert!(payload.remove("_enact").is_some());
    let expected = serde_json::json!({
        "point_key": key, "unit_id": unit, "chunk_index": 1, "chunk_count": 2, "source_kind": "iu",
        "source_path": format!("information_unit/{unit}"), "content_digest": digest,
        "axis_refs": { "source_axis_ref": "DIEU-35/2/", "semantic_axis_ref": "law_unit/article", "hierarchy_axis_ref": "D38-DIEU35-ROOT" },
    });
    assert_eq!(serde_json::Value::Object(payload), expected);
    assert_eq!(world.collections(), [SET, SHARED]);
}

fn both_in_one_apply(backend: Backend) {
    let world = World::adopted(backend);
    let (before, earlier) = (world.points(SET), world.value(EARLIER));
    let plan = world.ok(&["plan"]);
    assert!(
        plan.starts_with("Plan: 89 to add, 0 to change, 0 to destroy.\nLifecycle: 86 to promote. Vectors: 88 to embed"),
        "{plan}"
    );
    world.drift_shared(21);
    let shared = world.points(SHARED);
    world.ok(&["apply", "--auto-approve"]);
    onboarded(&world);
    ids_are_the_reference_formula(&world);
    let after = world.points(SET);
    unchanged(&before, &after);
    assert_eq!((world.value(EARLIER), world.points(SHARED)), (earlier, shared));
    nothing_to_do(&world, &[]);
    world.ok(&["verify"]);
}

fn the_onboarding_waits_for_a_choice_about_empty_bodies(backend: Backend) {
    let world = World::adopted(backend);
    let open = text_of("plans/9000x-onboarding.yaml").replace("    empty_body: skip\n", "");
    world.write("plans/9000x-onboarding.yaml", &open);
    let (_, refused) = world.exits(&["plan"], 3);
    let units: Vec<String> = (23..=27).map(|n| format!("D38-DIEU28-S{n}")).collect();
    assert!(refused.contains("E054") && refused.contains("5 of the set have no body"), "{refused}");
    assert!(units.iter().all(|unit| refused.contains(unit.as_str())), "{refused}");
    assert_eq!(counts(&world), BEFORE);
}

fn the_shared_collection_is_refused_when_named(backend: Backend) {
    let world = World::start(backend);
    let shared = world.points(SHARED);
    let named = text_of("plans/9000x-onboarding.yaml").replace("  iu_core_iu_chunks:\n", "  production_documents:\n");
    world.write("plans/9000x-onboarding.yaml", &named);
    for command in [&["plan"][..], &["import", "--auto-approve"], &["apply", "--auto-approve"]] {
        let (_, refused) = world.exits(command, 3);
        assert!(
            refused.contains("E057") && refused.contains("does not allow writing \"production_documents\""),
            "{refused}"
        );
    }
    assert_eq!(world.points(SHARED), shared);
}

/// On a server with many sessions, another one looks at the gate all the time while both plans are applied.
fn nobody_else_ever_sees_the_gate_open(backend: Backend) {
    let world = World::adopted(backend);
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    command.args(["apply", "--auto-approve", "--no-input", "--no-color"]).current_dir(world.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut stderr = child.stderr.take().expect("its stderr");
    let drain = std::thread::spawn(move || {
        let mut text = String::new();
        let _ended = stderr.read_to_string(&mut text);
        text
    });
    let mut looks = 0;
    let status = loop {
        let ended = child.try_wait().expect("its state");
        // The embedded PostgreSQL has one session, so nobody can look while the transaction is open.
        if backend == Backend::Postgres15 {
            assert_eq!(world.value("SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'"), "false");
            looks += 1;
        }
        if let Some(status) = ended {
            break status;
        }
        std::thread::yield_now();
    };
    let text = drain.join().expect("its last words");
    assert!(status.success() && text.contains("open gate iu_core.vector_sync_enabled"), "{text}");
    assert!(backend == Backend::Embedded || looks > 10, "{looks} looks");
    assert_eq!(world.value("SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'"), "false");
}

fn a_chunk_keeps_its_id_when_its_text_changes(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let before = world.points(SET);
    // One unit that Enact indexed loses its second chunk; one that was adopted gets another text.
    world.sql(
        "SELECT fn_iu_amend('D38-DIEU35-S2', 'D38-DIEU35-S2', repeat('z', 1700), 'somebody'); \
         SELECT fn_iu_amend('ICX-CONST/DIEU-5', 'ICX-CONST/DIEU-5', 'another body', 'somebody'); \
         SELECT fn_iu_three_axis_envelope_refresh('somebody')",
    );
    let plan = world.ok(&["plan"]);
    assert!(plan.contains("1 to embed") && plan.contains("1 to copy, 1 to delete, 146 kept."), "{plan}");
    world.ok(&["apply", "--auto-approve"]);
    let after = world.points(SET);
    assert_eq!(after.len(), 148);
    let changed: Vec<&String> = before.keys().filter(|id| after.get(*id) != before.get(*id)).collect();
    assert_eq!(changed.len(), 3);
    assert!(after.keys().all(|id| before.contains_key(id)), "a point got another id");
    nothing_to_do(&world, &[]);
    world.ok(&["verify"]);
}
