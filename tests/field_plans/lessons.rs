//! The seven lessons.

use std::collections::BTreeMap;

use crate::field_plans::world::{Backend, SET, SHARED, World, text_of};

crate::field_plans::on_both!(
    l1_values_stay_data_and_are_never_part_of_a_statement,
    l2_every_reference_names_a_row_or_stops_the_plan,
    l3_channels_are_probed_and_not_believed,
    l4_the_plan_says_what_runs_as_whom,
    l5_one_refusal_of_86_leaves_nothing,
    l6_the_cache_is_refreshed_where_its_gate_is_off,
    l7_what_is_not_there_stops_the_plan_with_its_place,
);

type Stores = (BTreeMap<String, String>, BTreeMap<String, String>, BTreeMap<String, String>);

fn stores(world: &World) -> Stores {
    (world.tables_but(&[]), world.points(SET), world.points(SHARED))
}

fn l1_values_stay_data_and_are_never_part_of_a_statement(backend: Backend) {
    let world = World::start(backend);
    let hostile = ["'; DROP TABLE dot_config; --", ":set_hash", "$$ || 1", "{unit.id}", "${HOME}", "\\\\ \u{1F512}"];
    let rows: String = hostile
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let value = serde_json::Value::from(*value);
            format!("    - {{ key: {{ key: {value} }}, values: {{ value: {value}, description: \"{at}\" }} }}\n")
        })
        .collect();
    // The settings belong to the owner of the public tables.
    world.write("enact.yaml", &world.config("").replace("rows: workflow_admin", "rows: directus"));
    world.write("plans/rows.yaml", &format!("enact: v1\nplan: rows\nrows:\n  public.dot_config:\n{rows}"));
    world.ok(&["apply", "--auto-approve"]);
    let found = world
        .rows("SELECT key, value FROM dot_config WHERE description IN ('0','1','2','3','4','5') ORDER BY description");
    let expected: Vec<Vec<String>> =
        hostile.iter().map(|value| vec![(*value).to_owned(), (*value).to_owned()]).collect();
    assert_eq!(found, expected);
    world.exits(&["plan", "--detailed-exitcode"], 0);
    // A name that is no column stays a name, whatever is in it.
    world.write(
        "plans/rows.yaml",
        "enact: v1\nplan: rows\nrows:\n  public.dot_config:\n    - { key: { key: a }, values: { \"value\\\" = '', \\\"key\": b } }\n",
    );
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(refused.contains("E046") && refused.contains("has no column"), "{refused}");
}

fn l2_every_reference_names_a_row_or_stops_the_plan(backend: Backend) {
    let world = World::adopted(backend);
    let before = stores(&world);
    // An envelope that names a change set which nobody authored: a derived id is not yet a row.
    world.write(
        "plans/envelope.yaml",
        "enact: v1\nplan: envelope\nrows:\n  cutter_governance.manifest_envelope:\n    - key: { envelope_id: cf000017-b369-f74e-815d-c9ea9d8a20c6 }\n      \
         values:\n        operation_kind: cut\n        status: applied\n        source_doc_ref: x\n        created_by: x\n        \
         created_at: 2026-05-24T00:00:00Z\n        cut_change_set_ref: cf00007e-be60-3730-ac3a-74b64723230e\n",
    );
    let (_, refused) = world.exits(&["plan"], 3);
    let missing = "refers by column cut_change_set_ref to \"cutter_governance.cut_change_set\" with change_set_id = cf00007e-be60-3730-ac3a-74b64723230e";
    assert!(refused.contains("E050") && refused.contains(missing), "{refused}");
    assert!(refused.contains("plans/envelope.yaml:12:29"), "{refused}");
    std::fs::remove_file(world.path().join("plans/envelope.yaml")).expect("the plan is removed");
    assert_eq!(stores(&world), before);
    // A promotion itself expands to all four kinds of row.
    world.ok(&["plan", "--out", "plan.json", "--file", "plans/8000x-promotion.yaml"]);
    let text = world.ok(&["show", "plan.json", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut rows: BTreeMap<&str, u32> = BTreeMap::new();
    for change in plan["changes"].as_array().expect("changes") {
        if let Some(table) = change["detail"]["row"]["table"].as_str() {
            *rows.entry(table).or_default() += 1;
        }
    }
    let expected =
        [("cut_change_set", 1), ("manifest_envelope", 1), ("manifest_unit_block", 86), ("review_decision", 1)];
    let found: Vec<(&str, u32)> =
        rows.iter().map(|(table, count)| (table.trim_start_matches("cutter_governance."), *count)).collect();
    assert_eq!(found, expected);
}

fn l3_channels_are_probed_and_not_believed(backend: Backend) {
    let world = World::adopted(backend);
    let found = world.ok(&["preflight"]);
    assert!(found.contains("PostgreSQL") && found.contains("Qdrant") && found.contains(SET), "{found}");
    let before = stores(&world);
    if backend == Backend::Postgres15 {
        // A grant that was there yesterday: the plan says so, and nothing is begun.
        let function = "public.fn_iu_enact(text,text,uuid,text,uuid,text,text,boolean)";
        world.sql(&format!("REVOKE EXECUTE ON FUNCTION {function} FROM cutter_exec"));
        let (_, refused) = world.exits(&["plan"], 3);
        assert!(refused.contains("fn_iu_enact") && refused.contains("cutter_exec"), "{refused}");
        world.sql(&format!("GRANT EXECUTE ON FUNCTION {function} TO cutter_exec"));
        world.ok(&["plan"]);
    }
    assert_eq!(stores(&world), before);
}

fn l4_the_plan_says_what_runs_as_whom(backend: Backend) {
    let world = World::adopted(backend);
    let plan = world.ok(&["plan"]);
    match backend {
        // The embedded stores have one role.
        Backend::Embedded => assert!(!plan.contains("cutter_exec:"), "{plan}"),
        Backend::Postgres15 => {
            let (_, runs) = plan.split_once("Runs as:").expect("who runs what");
            for line in [
                "workflow_admin: insert",
                "cutter_exec: move 86 units: draft -> enacted",
                "directus: refresh three_axis_envelope",
            ] {
                assert!(runs.contains(line), "{line}\n{runs}");
            }
            // Over the local socket, without a password anywhere.
            let config = std::fs::read_to_string(world.path().join("enact.yaml")).expect("enact.yaml");
            assert!(config.contains("host=/") && !config.contains("password"), "{config}");
        }
    }
    world.ok(&["apply", "--auto-approve"]);
    assert_eq!(world.value("SELECT count(*) FROM iu_lifecycle_log WHERE performed_by = 'iu-core-9000x'"), "86");
}

fn l5_one_refusal_of_86_leaves_nothing(backend: Backend) {
    let world = World::adopted(backend);
    let before = stores(&world);
    let rehearsed = world.ok(&["rehearse", "--refuse-at", "40"]);
    assert!(rehearsed.contains("40"), "{rehearsed}");
    assert_eq!(stores(&world), before);
    // The function answers a refusal for one unit and raises nothing, as the field's does.
    world.sql(
        "CREATE OR REPLACE FUNCTION public.fn_iu_enact(p_canonical_address text, p_actor text, p_review_decision_id uuid, \
           p_target_lifecycle text DEFAULT 'enacted', p_change_set_id uuid DEFAULT NULL, p_reason text DEFAULT NULL, \
           p_tool_revision text DEFAULT NULL, p_dry_run boolean DEFAULT false) RETURNS jsonb LANGUAGE sql SECURITY DEFINER \
         SET search_path = pg_catalog, public AS $$ SELECT CASE WHEN $1 = 'D38-DIEU35-S9' THEN '{\"status\":\"change_set_not_found\"}'::jsonb \
           ELSE public.fn_ref_iu_transition('fn_iu_enact',$1,$2,$3,$4,$5,$6,$7,NULL,$8) END $$",
    );
    let (_, refused) = world.exits(&["apply", "--auto-approve"], 5);
    assert!(refused.contains("\"D38-DIEU35-S9\"") && refused.contains("answered change_set_not_found"), "{refused}");
    assert_eq!(stores(&world), before);
}

fn l6_the_cache_is_refreshed_where_its_gate_is_off(backend: Backend) {
    let world = World::adopted(backend);
    let in_sync = "SELECT concat_ws(' ', current_in_sync, current_drift ->> 'content_diff_count', current_view_count, current_table_count) \
         FROM v_iu_three_axis_envelope_refresh_status";
    let promotion = ["--file", "plans/8000x-promotion.yaml"];
    assert!(world.ok(&["plan", promotion[0], promotion[1]]).contains("refresh.three_axis_envelope"));
    world.ok(&["apply", "--auto-approve", promotion[0], promotion[1]]);
    assert_eq!(world.value(in_sync), "t 0 163 163");
    // With the gate open the triggers do it, and the plan has no such step.
    let world = World::adopted(backend);
    world.sql("UPDATE dot_config SET value = 'true' WHERE key = 'iu_core.three_axis_auto_refresh_enabled'");
    let plan = world.ok(&["plan", promotion[0], promotion[1]]);
    assert!(!plan.contains("refresh.three_axis_envelope"), "{plan}");
    world.ok(&["apply", "--auto-approve", promotion[0], promotion[1]]);
    assert_eq!(world.value(in_sync), "t 0 163 163");
}

fn l7_what_is_not_there_stops_the_plan_with_its_place(backend: Backend) {
    let world = World::start(backend);
    let before = stores(&world);
    let onboarding = text_of("plans/9000x-onboarding.yaml");
    let line = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).map_or(0, |at| at + 1);
    let wrong = [
        ("embedder: default", "embedder: run_onboarding", "E063", "has no embedder \"run_onboarding\""),
        ("chunk_policy: iu-core-v1", "chunk_policy: iu-core-v2", "", "iu-core-v2"),
        ("source_path, ", "source_paths, ", "E055", "has no field \"source_paths\""),
        ("{unit.address}", "{unit.adress}", "E055", "has no field \"adress\""),
        ("{ lifecycle: enacted }", "{ lifecycel: enacted }", "E055", "has no field \"lifecycel\""),
    ];
    for (right, typed, code, said) in wrong {
        let text = onboarding.replace(right, typed);
        world.write("plans/9000x-onboarding.yaml", &text);
        let (_, refused) = world.exits(&["plan"], 3);
        assert!(refused.contains(code) && refused.contains(said), "{refused}");
        let at = line(&text, if typed.contains("adress") { "  iu_core_iu_chunks:" } else { typed });
        assert!(refused.contains(&format!("9000x-onboarding.yaml:{at}:")), "{at}\n{refused}");
    }
    let (_, refused) = world.exits(&["plan", "--file", "plans/run_onboarding.yaml"], 3);
    assert!(refused.contains("run_onboarding.yaml"), "{refused}");
    assert_eq!(stores(&world), before);
}
