//! `gates`: declared values, and windows around them.

use super::{first_error, plan, world};
use crate::support::plans::{CONFIG, COUNTS, PLAN};
use crate::support::project::Project;

const GATE: &str = "SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'";

#[test]
fn a_gate_is_compared_planned_and_set() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &plan("gates: { iu_core.composer_enabled: \"true\" }\n"));
    let shown = project.ok(&["plan"]);
    assert!(shown.starts_with("Plan: 0 to add, 1 to change, 0 to destroy."), "{shown}");
    assert!(
        shown.contains("~ update gate.iu_core.composer_enabled: \"false\" -> \"true\"  at plans/a.yaml:3:10"),
        "{shown}"
    );
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value("SELECT value FROM dot_config WHERE key = 'iu_core.composer_enabled'"), "true");
    project.exits(&["plan", "--detailed-exitcode"], 0);
}

#[test]
fn an_unknown_gate_is_an_error_with_the_nearest_name() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &plan("gates: { iu_core.composr_enabled: \"true\" }\n"));
    let (_, stderr) = project.exits(&["plan"], 3);
    assert_eq!(
        first_error(&stderr),
        "error[E081]: unknown gate: gate \"iu_core.composr_enabled\" has no row in \"public.dot_config\""
    );
    assert!(stderr.contains("did you mean \"iu_core.composer_enabled\"?"), "{stderr}");
    assert!(stderr.contains("plans/a.yaml:3:10"), "{stderr}");
}

#[test]
fn a_value_that_is_neither_open_nor_shut_is_a_finding() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &plan("gates: { iu_core.delivery_live_routes: mail }\n"));
    let shown = project.ok(&["plan"]);
    assert!(
        shown.contains(
            "W064 gate.iu_core.delivery_live_routes: \"mail\" is neither \"true\" (open) nor \"false\" (shut)"
        ),
        "{shown}"
    );
}

/// The window opens and shuts what it found; the declared value stands at the end, either way.
#[test]
fn a_window_and_a_declared_value_compose() {
    for (live, declared) in [("false", "false"), ("false", "true"), ("true", "false")] {
        let project = Project::with_fixture(CONFIG);
        project.sql(&format!("UPDATE dot_config SET value = '{live}' WHERE key = 'iu_core.vector_sync_enabled'"));
        project.write("plans/a.yaml", &format!("{PLAN}gates: {{ iu_core.vector_sync_enabled: \"{declared}\" }}\n"));
        project.ok(&["apply", "--auto-approve"]);
        assert_eq!(project.value(GATE), declared, "live {live}");
        assert_eq!(project.value(COUNTS), format!("86/86/86/1/1/88/{declared}"));
        project.exits(&["plan", "--detailed-exitcode"], 0);
    }
}

#[test]
fn a_gate_moved_after_the_plan_makes_it_stale() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &plan("gates: { iu_core.composer_enabled: \"true\" }\n"));
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("UPDATE dot_config SET value = 'TRUE' WHERE key = 'iu_core.composer_enabled'");
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stderr.contains("gate \"iu_core.composer_enabled\" was changed"), "{stderr}");
}

#[test]
fn a_reverted_gate_has_the_value_that_it_had() {
    let project = Project::with_fixture(CONFIG);
    project.write(
        "plans/a.yaml",
        &plan("gates: { iu_core.delivery_live_routes: mail, iu_core.composer_enabled: \"true\" }\n"),
    );
    let before = world(&project);
    project.ok(&["apply", "--auto-approve"]);
    assert_ne!(world(&project), before);
    let run = project.value("SELECT run_id FROM enact.run");
    let back = project.ok(&["revert", &run, "--out", "back.json"]);
    let said = format!("gate.iu_core.composer_enabled: \"true\" -> \"false\"\n      why: run {run} is reverted");
    assert!(back.contains(&said), "{back}");
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!(world(&project), before);
}

#[test]
fn a_binding_without_gates_says_so() {
    let project = Project::start(&CONFIG.replace("iu-core", "documents"));
    project.sql(enact::local::schema::documents_sql().1);
    project.ok(&["init"]);
    project.write("plans/a.yaml", &plan("gates: { a: \"true\" }\n"));
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("E062") && stderr.contains("does not say where gates live"), "{stderr}");
}
