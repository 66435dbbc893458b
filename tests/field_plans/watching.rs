//! The items that are watched after an apply: drift for a timer, and retention on its day.

use crate::field_plans::world::{Backend, SET, World, flat, has, text_of};

crate::field_plans::on_both!(
    o6_drift_is_a_line_a_document_and_a_metric,
    o6_a_failed_check_is_drift_and_is_named,
    o6_what_cannot_be_asked_is_no_drift,
    o7_retention_is_enabled_in_a_pair_and_on_its_day,
);

/// What a timer runs: nothing but a line where all is well, and the same answer in three forms where it is not.
fn o6_drift_is_a_line_a_document_and_a_metric(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let clean = world.ok(&["drift"]);
    assert!(clean.starts_with("No drift: ") && clean.ends_with(" checks passed, and a plan finds none.\n"), "{clean}");
    assert_eq!(clean.lines().count(), 1, "{clean}");
    drifted(&world, &[], 0, &[]);
    let point = world.points(SET).into_keys().next().expect("a point");
    world.remove_point(SET, &point);
    drifted(&world, &["points_gone", "verify"], 9, &["every owned point is there", &point, "1 point of 1 unit"]);
    world.ok(&["apply", "--auto-approve"]);
    drifted(&world, &[], 0, &[]);
    let row = "point_key = 'iu.D38-DIEU32-S7#chunk-0000'";
    world.sql(&format!("UPDATE iu_vector_sync_point SET content_digest = 'x' WHERE {row}"));
    let ledger = "row \"iu.D38-DIEU32-S7#chunk-0000\" has another digest";
    drifted(&world, &["ledger_changed", "verify"], 9, &[ledger, "1 row of the ledger does not say what is there"]);
    world.sql(&format!("UPDATE iu_vector_sync_point SET content_digest = indexed_digest WHERE {row}"));
    drifted(&world, &[], 0, &[]);
}

/// Asks in all three forms, and holds them against each other: these kinds stand at 1, the others at 0.
fn drifted(world: &World, kinds: &[&str], code: i32, said: &[&str]) {
    let (text, _) = world.exits(&["drift"], code);
    let verdict = if code == 0 { "No drift: " } else { "Drift: 1 of " };
    assert!(text.starts_with(verdict), "{text}");
    has(&flat(&text), said);
    let (json, _) = world.exits(&["drift", "--format", "json"], code);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let verdict = if code == 0 { "no_drift" } else { "drift" };
    assert_eq!((&json["format_version"], &json["verdict"]), (&"1.0".into(), &verdict.into()));
    let (metrics, _) = world.exits(&["drift", "--format", "prometheus"], code);
    for (kind, count) in json["counts"].as_object().expect("counts") {
        assert_eq!(*count, u64::from(kinds.contains(&kind.as_str())), "{kind}\n{text}");
        let series = format!("enact_drift{{environment=\"field\",kind=\"{kind}\"}} {count}\n");
        assert!(metrics.contains(&series), "no {series} in\n{metrics}");
    }
}

/// The checks of the field, as an author writes them: all gates shut, and the first set where it was.
const CHECKS: &str = "
checks:
  gates-shut:
    query: SELECT public.fn_iu_gate_verify_closed() ->> 'all_safe'
    expect: { value: \"true\" }
  first-set:
    query: SELECT count(*) FROM public.information_unit WHERE canonical_address LIKE 'ICX-CONST/%' AND lifecycle_status = 'enacted'
    expect: { value: 60 }
    when: before
";

fn o6_a_failed_check_is_drift_and_is_named(backend: Backend) {
    let world = World::adopted(backend);
    let promotion = text_of("plans/8000x-promotion.yaml");
    let write = |more: &str| world.write("plans/8000x-promotion.yaml", &format!("{promotion}{more}"));
    world.ok(&["apply", "--auto-approve"]);
    let retire = "SELECT fn_iu_retire('ICX-CONST/KT-B', 'somebody', (SELECT review_decision_id FROM iu_lifecycle_log \
        WHERE canonical_address = 'ICX-CONST/KT-B')) ->> 'status'";
    // Declared and not yet applied: what should hold before a plan is asked, what should hold after it is not.
    let first = CHECKS.replace("value: 60", "value: 61");
    write(&first);
    let named = ["check \"first-set\": holds", "\"61\" expected, \"60\" found"];
    drifted(&world, &["verify"], 9, &named);
    world.exits(&["plan"], 3);
    write(CHECKS);
    world.ok(&["apply", "--auto-approve"]);
    drifted(&world, &[], 0, &[]);
    world.sql("UPDATE dot_config SET value = 'true' WHERE key = 'iu_core.composer_enabled'");
    drifted(&world, &["verify"], 9, &["check \"gates-shut\": holds", "\"true\" expected, \"false\" found"]);
    world.sql("UPDATE dot_config SET value = 'false' WHERE key = 'iu_core.composer_enabled'");
    // The applied check and the declared one are the same, and told once.
    write(&first);
    drifted(&world, &["verify"], 9, &named);
    write(CHECKS);
    assert_eq!(world.value(retire), "retired");
    let (text, _) = world.exits(&["drift"], 9);
    assert_eq!(text.matches("check \"first-set\": holds").count(), 1, "{text}");
    assert!(text.contains("\"60\" expected, \"59\" found"), "{text}");
}

/// A watch that cannot look says so with another code, so that nobody takes its silence for health.
fn o6_what_cannot_be_asked_is_no_drift(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let promotion = text_of("plans/8000x-promotion.yaml");
    let write = |more: &str| world.write("plans/8000x-promotion.yaml", &format!("{promotion}{more}"));
    for (typed, code) in
        [(CHECKS.replace("lifecycle_status", "lifecycel_status"), "E082"), ("\nchekcs: {}\n".into(), "E010")]
    {
        write(&typed);
        let (nothing, refused) = world.exits(&["drift", "--format", "prometheus"], 3);
        assert!(nothing.is_empty() && refused.contains(code), "{nothing}{refused}");
    }
    // What was applied and moved is drift, even where the plan files cannot be planned on top of it.
    write("\nprotect:\n  first-set: { units: { address_prefix: ICX-CONST/ } }\n");
    world.ok(&["apply", "--auto-approve"]);
    world.sql("SELECT fn_iu_amend('ICX-CONST/DIEU-5', 'ICX-CONST/DIEU-5', 'another body', 'somebody')");
    world.sql("SELECT fn_iu_three_axis_envelope_refresh('somebody')");
    let (text, refused) = world.exits(&["drift"], 9);
    has(&text, &["Drift: 2 of ", "unit \"ICX-CONST/DIEU-5\": its rows changed"]);
    has(&text, &["unit \"ICX-CONST/DIEU-5\" has other content, or other fields, than what is indexed"]);
    assert!(refused.contains("E080") && refused.contains("first-set"), "{refused}");
}

const RETENTION: &str = "enact: v1
plan: retention
checks:
  retention-job:
    query: SELECT 1 FROM public.scheduled_job WHERE name = 'iu-core-retention'
    expect: { empty: false }
    severity: warning
retention:
  command-log:
    table: public.dot_iu_command_run
    keep: 90d
    gate: iu_core.retention_enabled
    paired: { check: retention-job }
    not_before: 2020-01-01
";
const JOB: &str =
    "rows:\n  public.scheduled_job:\n    - { key: { name: iu-core-retention }, values: { schedule: 45 3 * * * } }\n";

/// Gate and job are enabled together, on their day and not before; Enact itself deletes nothing.
fn o7_retention_is_enabled_in_a_pair_and_on_its_day(backend: Backend) {
    let world = World::start(backend);
    world.sql(
        "CREATE TABLE public.scheduled_job (name text PRIMARY KEY, schedule text NOT NULL); ALTER TABLE public.scheduled_job OWNER TO workflow_admin; \
         INSERT INTO dot_iu_command_run (command_name, run_mode, run_status, actor, created_at) \
           SELECT 'dot_iu_supersede_piece', 'plan', 'planned', a, now() - make_interval(days => d) \
           FROM generate_series(1, 206) n, (VALUES ('iu_5000x_pilot', 91), ('runtime_500x_op_proof', 400), ('iu_5000x_pilot', 89), ('somebody', 400)) v(a, d)",
    );
    let rows = world.value("SELECT md5(string_agg(t::text, '' ORDER BY run_id)) FROM dot_iu_command_run t");
    let gate = || world.value("SELECT value FROM dot_config WHERE key = 'iu_core.retention_enabled'");
    let plan = |text: &str| world.write("plans/retention.yaml", text);
    // Neither the day without the job nor the job before the day: the count is shown, the gate stays shut. A promotion in the
    // same plan neither brings the pair nor waits for it.
    world.write("plans/8000x-promotion.yaml", &text_of("plans/8000x-promotion.yaml"));
    let early = RETENTION.replace("2020-01-01", "2999-01-01") + JOB;
    for (text, why) in [
        (RETENTION, "its pair is not there (check \"retention-job\": a row expected, none found)"),
        (early.as_str(), "it is not yet 2999-01-01"),
    ] {
        plan(text);
        let shown = flat(&world.ok(&["plan"]));
        let waits = format!(
            "W062 retention.command-log: 412 rows older than 90 days would be deleted; gate \"iu_core.retention_enabled\" stays shut: {why}"
        );
        assert!(shown.contains(&waits) && !shown.contains("-> \"true\""), "{shown}");
        world.ok(&["apply", "--auto-approve"]);
        assert_eq!((gate(), world.value("SELECT count(*) FROM iu_lifecycle_log")), ("false".into(), "146".into()));
        world.exits(&["plan", "--detailed-exitcode"], 0);
        world.sql("DELETE FROM scheduled_job");
    }
    plan(&format!("{RETENTION}{JOB}"));
    let shown = flat(&world.ok(&["plan"]));
    let said = [
        "retention.command-log: iu_core.retention_enabled \"false\" -> \"true\"",
        "412 rows older than 90 days would be deleted by the job that asks this gate: public.dot_iu_command_run, by created_at",
        "opened only if check retention-job holds, not before 2020-01-01",
    ];
    has(&shown, &said);
    world.ok(&["apply", "--auto-approve"]);
    assert_eq!((gate(), world.value("SELECT count(*) FROM scheduled_job")), ("true".into(), "1".into()));
    assert_eq!(world.value("SELECT md5(string_agg(t::text, '' ORDER BY run_id)) FROM dot_iu_command_run t"), rows);
    // The field's own function, asked for a dry run, counts the same rows.
    let dry =
        "SELECT rows_eligible FROM fn_iu_core_retention_cleanup('x', true) WHERE target_table = 'dot_iu_command_run'";
    assert_eq!(world.value(dry), "412");
    world.exits(&["plan", "--detailed-exitcode"], 0);
}
