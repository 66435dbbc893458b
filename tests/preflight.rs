//! Preflight: what is missing is found at plan, named exactly, and mended by what the hint says.

mod references;
mod sockets;
pub mod world;

use crate::support::plans::{CONFIG, PLAN};
use crate::support::project::Project;
use world::World;

/// One grant that goes, the code that stops the plan, and what is named.
const GRANTS: &[(&str, &str, &str)] = &[
    (
        "REVOKE INSERT ON cutter_governance.manifest_envelope FROM workflow_admin",
        "E103",
        "\"workflow_admin\": table cutter_governance.manifest_envelope: no INSERT",
    ),
    (
        "REVOKE INSERT ON cutter_governance.review_decision FROM workflow_admin; \
         GRANT INSERT (review_decision_id) ON cutter_governance.review_decision TO workflow_admin",
        "E103",
        "GRANT INSERT (created_at, cross_signed_by_dot_verifier,",
    ),
    (
        "REVOKE USAGE ON SCHEMA cutter_governance FROM workflow_admin",
        "E102",
        "GRANT USAGE ON SCHEMA cutter_governance TO workflow_admin;",
    ),
    (
        "REVOKE EXECUTE ON FUNCTION public.fn_iu_enact(text,text,uuid,text,uuid,text,text,boolean) FROM cutter_exec",
        "E104",
        "GRANT EXECUTE ON FUNCTION public.fn_iu_enact(text,text,uuid,text,uuid,text,text,boolean) TO cutter_exec;",
    ),
    (
        "REVOKE SELECT ON public.unit_version FROM cutter_exec",
        "E103",
        "\"cutter_exec\": table public.unit_version: no SELECT",
    ),
    (
        "REVOKE EXECUTE ON FUNCTION public.fn_iu_three_axis_envelope_refresh(text,boolean) FROM directus",
        "E104",
        "\"directus\": function public.fn_iu_three_axis_envelope_refresh: no EXECUTE",
    ),
    (
        "REVOKE SELECT ON public.v_iu_three_axis_envelope_refresh_status FROM directus",
        "E103",
        "GRANT SELECT ON public.v_iu_three_axis_envelope_refresh_status TO directus;",
    ),
    ("REVOKE UPDATE ON public.dot_config FROM directus", "E103", "GRANT UPDATE ON public.dot_config TO directus;"),
    ("REVOKE cutter_exec FROM planner", "E101", "GRANT cutter_exec TO planner"),
    ("REVOKE SELECT ON public.unit_version FROM planner", "E103", "GRANT SELECT ON public.unit_version TO planner;"),
    (
        "REVOKE SELECT ON public.iu_vector_sync_point FROM planner",
        "E103",
        "table public.iu_vector_sync_point: no SELECT",
    ),
    ("REVOKE INSERT ON enact.managed FROM planner", "E105", "\"planner\": table enact.managed: no INSERT"),
];

#[test(postgres)]
fn a_missing_grant_is_found_at_plan_and_its_hint_mends_it() {
    let world = World::start();
    world.write("plans/cycle.yaml", PLAN);
    let (passed, _) = world.exits(&["preflight"], 0);
    assert!(passed.starts_with("Preflight passed: ") && passed.contains("over the local socket"), "{passed}");
    assert!(passed.contains("as cutter_exec") && passed.contains("rows may not be locked"), "{passed}");
    world.exits(&["plan"], 0);
    for (revoke, code, named) in GRANTS {
        world.sql(revoke);
        let (_, stderr) = world.exits(&["plan"], 3);
        assert!(stderr.contains(&format!("error[{code}]")) && stderr.contains(named), "{revoke}\n{stderr}");
        assert_eq!(stderr.matches("error[").count(), 1, "{revoke} is all that is missing\n{stderr}");
        let (table, _) = world.exits(&["preflight"], 1);
        assert!(table.contains("FAILED") && table.contains("Preflight failed: "), "{revoke}\n{table}");
        world.sql(&grants(&stderr));
        world.exits(&["plan"], 0);
    }
}

/// Whoever does what is printed gets there: one round of grants, and the plan that was refused is applied.
#[test(postgres)]
fn a_role_that_may_do_nothing_is_told_all_that_it_needs() {
    let world = World::start();
    let guards = "protect:\n  registry: { table: public.iu_qdrant_collection_registry }\n\
        checks:\n  job: { query: SELECT 1 WHERE false, expect: { empty: false }, severity: warning }\n\
        retention:\n  log: { table: public.dot_iu_command_run, keep: 90d, gate: iu_core.retention_enabled, paired: { check: job } }\n";
    world.write("plans/cycle.yaml", &format!("{PLAN}{guards}"));
    world.sql("CREATE ROLE newcomer LOGIN NOINHERIT");
    world.write("enact.yaml", &world.config.replace("user=planner", "user=newcomer"));
    let (table, _) = world.exits(&["preflight"], 1);
    for named in ["schema enact", "public.iu_qdrant_collection_registry", "public.iu_core_retention_policy"] {
        assert!(table.contains(named), "no {named} in\n{table}");
    }
    let (_, stderr) = world.exits(&["plan"], 3);
    let changes = table.lines().filter_map(|line| line.split_once("change: ")).map(|(_, change)| change);
    let printed: Vec<&str> = changes.filter(|change| change.starts_with("GRANT ")).collect();
    assert!(printed.contains(&"GRANT USAGE ON SCHEMA enact TO newcomer;"), "{table}");
    // What stops the plan is said there too; only the roles, which no reading needs, are left to the preflight.
    for grant in grants(&stderr).lines() {
        assert!(printed.contains(&grant), "{grant}\n{table}");
    }
    world.sql(&printed.join("\n"));
    // A function that a view calls runs as whoever asks the view. No catalog says so, and the database names it when asked.
    for (missing, grant) in [
        (
            "function fn_iu_three_axis_envelope_drift_check",
            "EXECUTE ON FUNCTION public.fn_iu_three_axis_envelope_drift_check()",
        ),
        ("view v_iu_three_axis_envelope_drift", "SELECT ON public.v_iu_three_axis_envelope_drift"),
        ("view v_ui_iu_three_axis_envelope", "SELECT ON public.v_ui_iu_three_axis_envelope"),
        ("table iu_three_axis_envelope", "SELECT ON public.iu_three_axis_envelope"),
    ] {
        let (table, _) = world.exits(&["preflight"], 1);
        assert_eq!(table.matches("FAILED").count(), 1, "{table}");
        assert!(table.contains(&format!("permission denied for {missing}")), "no {missing} in\n{table}");
        world.sql(&format!("GRANT {grant} TO newcomer"));
    }
    let (passed, _) = world.exits(&["preflight"], 0);
    assert!(passed.starts_with("Preflight passed: "), "{passed}");
    world.exits(&["apply", "--auto-approve"], 0);
    world.exits(&["verify"], 0);
}

/// A query that the role may not run has its place, and no other role of the environment would help.
#[test(postgres)]
fn a_query_of_a_guard_that_may_not_be_run_names_the_guard() {
    let world = World::start();
    let guards = "protect:\n  words: { query: SELECT * FROM public.iu_lifecycle_vocab }\n";
    world.write("plans/cycle.yaml", &format!("{PLAN}{guards}"));
    let (_, stderr) = world.exits(&["plan"], 3);
    let named =
        "error[E082]: a query cannot be run: protection \"words\": permission denied for table iu_lifecycle_vocab";
    assert!(stderr.contains(named) && stderr.contains("the connection's own role"), "{stderr}");
    assert!(stderr.contains("plans/cycle.yaml:22:"), "{stderr}");
}

/// The statements of the hints.
fn grants(stderr: &str) -> String {
    let hints = stderr.lines().filter_map(|line| line.split_once("help: ")).map(|(_, hint)| hint);
    hints.filter(|hint| hint.starts_with("GRANT ")).collect::<Vec<_>>().join("\n")
}

#[test(postgres)]
fn everything_missing_is_said_in_one_go_with_its_place() {
    let world = World::start();
    world.write("plans/cycle.yaml", PLAN);
    let config = world.config.replace("lifecycle: cutter_exec", "lifecycle: cutter_exce");
    world.write("enact.yaml", &config);
    world.sql("REVOKE INSERT ON cutter_governance.cut_change_set FROM workflow_admin; REVOKE UPDATE ON public.dot_config FROM directus");
    let (_, stderr) = world.exits(&["plan"], 3);
    assert_eq!(stderr.matches("error[").count(), 3, "{stderr}");
    assert!(
        stderr.contains("error[E100]: unknown role") && stderr.contains("did you mean \"cutter_exec\"?"),
        "{stderr}"
    );
    assert!(stderr.contains("enact.yaml:") && stderr.contains("cutter_exce, "), "the place in enact.yaml\n{stderr}");
    assert!(stderr.contains("plans/cycle.yaml:6:3"), "the promotion that writes the row\n{stderr}");
}

#[test(postgres)]
fn a_saved_plan_is_probed_again_and_its_run_keeps_what_was_found() {
    let world = World::start();
    world.write("plans/cycle.yaml", PLAN);
    world.exits(&["plan", "--out", "plan.json"], 0);
    world.sql("REVOKE UPDATE ON public.dot_config FROM directus");
    let (_, stderr) = world.exits(&["apply", "plan.json", "--auto-approve"], 1);
    assert!(stderr.contains("GRANT UPDATE ON public.dot_config TO directus;"), "{stderr}");
    assert!(stderr.contains("Nothing was changed."), "{stderr}");
    assert_eq!(world.value("SELECT count(*)::text FROM enact.run"), "0");
    world.sql(&grants(&stderr));
    world.exits(&["apply", "plan.json", "--auto-approve"], 0);
    let kept = "SELECT preflight->>'format_version' || ' ' || jsonb_array_length(preflight->'probes') FROM enact.run";
    let kept = world.value(kept);
    assert!(kept.starts_with("1.0 ") && kept != "1.0 0", "{kept}");
    let (status, _) = world.exits(&["status"], 0);
    let probed = world.value("SELECT preflight->>'probed_at' FROM enact.run");
    assert!(status.contains(&format!("Probed       {}", &probed[..19])), "{status}");
    let (history, _) = world.exits(&["history", "--format", "json"], 0);
    assert!(history.contains(&probed), "{history}");
}

#[test]
fn the_embedded_stores_pass_and_an_older_schema_upgrades_itself() {
    let project = Project::with_fixture(CONFIG);
    let bare = project.ok(&["preflight"]);
    assert!(bare.contains("plan files") && bare.contains("there is none yet"), "{bare}");
    project.write("plans/cycle.yaml", PLAN);
    let json = project.ok(&["preflight", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&answer["format_version"], &answer["environment"]), (&"1.0".into(), &"local".into()));
    let probes = answer["probes"].as_array().expect("probes");
    assert!(probes.iter().all(|probe| probe["verdict"] == "ok"), "{json}");
    let found = |what: &str| probes.iter().any(|probe| probe["what"] == what);
    for what in ["embedder default", "bm25 none", "function public.fn_iu_enact", "gate iu_core.vector_sync_enabled"] {
        assert!(found(what), "{what}\n{json}");
    }
    project.sql("ALTER TABLE enact.run DROP COLUMN preflight; UPDATE enact.meta SET version = 1");
    let old = project.ok(&["status"]);
    assert!(old.contains("version 1; this Enact writes version 10"), "{old}");
    project.ok(&["history"]);
    // Whoever plans brings it up to this version, where the role may.
    let probed = project.ok(&["preflight"]);
    assert!(probed.contains("as postgres   version 10"), "{probed}");
    assert_eq!(project.value("SELECT version FROM enact.meta"), "10");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value("SELECT preflight->>'environment' FROM enact.run"), "local");
}
