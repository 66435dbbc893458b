//! `retention`: the gate is opened with its pair, on its day, and never alone.

use super::{first_error, flat, plan, world};
use crate::support::plans::CONFIG;
use crate::support::project::Project;

const GATE: &str = "SELECT value FROM dot_config WHERE key = 'iu_core.retention_enabled'";

/// A job table beside the reference schema, 412 old rows of a named actor, one old row of another and one new row.
fn project() -> Project {
    let project = Project::with_fixture(CONFIG);
    project.sql(
        "CREATE TABLE public.job (name text PRIMARY KEY, schedule text NOT NULL); \
         INSERT INTO dot_iu_command_run (command_name, run_mode, run_status, actor, created_at) \
           SELECT 'c', 'plan', 'planned', 'iu_5000x_pilot', now() - interval '91 days' FROM generate_series(1, 412); \
         INSERT INTO dot_iu_command_run (command_name, run_mode, run_status, actor, created_at) VALUES \
           ('c', 'plan', 'planned', 'somebody else', now() - interval '91 days'), ('c', 'plan', 'planned', 'iu_5000x_pilot', now())",
    );
    project
}

fn with(not_before: &str, more: &str) -> String {
    plan(&format!(
        "checks:\n  retention-job: {{ query: \"SELECT 1 FROM public.job WHERE name = 'retention'\", expect: {{ empty: false }} }}\n\
         retention:\n  command-log:\n    table: public.dot_iu_command_run\n    keep: 90d\n    gate: iu_core.retention_enabled\n    \
         paired: {{ check: retention-job }}\n    not_before: {not_before}\n{more}"
    ))
}

/// Without the check of every apply: the pair alone decides.
fn lenient(not_before: &str, more: &str) -> String {
    with(not_before, more).replace("{ empty: false } }", "{ empty: false }, severity: warning }")
}

const JOB: &str = "rows:\n  public.job:\n    - { key: { name: retention }, values: { schedule: 45 3 * * * } }\n";

#[test]
fn the_gate_stays_shut_without_its_pair_and_before_its_day() {
    let project = project();
    project.write("plans/a.yaml", &lenient("2020-01-01", ""));
    let unpaired = project.ok(&["plan"]);
    let waits = "W062 retention.command-log: 412 rows older than 90 days would be deleted; gate \"iu_core.retention_enabled\" \
                 stays shut: its pair is not there (check \"retention-job\": a row expected, none found)";
    assert!(flat(&unpaired).contains(waits), "{unpaired}");
    project.sql("INSERT INTO job VALUES ('retention', '45 3 * * *')");
    project.write("plans/a.yaml", &lenient("2999-01-01", ""));
    let early = project.ok(&["plan"]);
    assert!(flat(&early).contains("stays shut: it is not yet 2999-01-01"), "{early}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value(GATE), "false");
    // Somebody opens it alone.
    project.sql("UPDATE dot_config SET value = 'true' WHERE key = 'iu_core.retention_enabled'");
    let open = project.ok(&["plan"]);
    assert!(
        flat(&open).contains(
            "W063 retention.command-log: gate \"iu_core.retention_enabled\" is open although it is not yet 2999-01-01"
        ),
        "{open}"
    );
}

#[test]
fn the_pair_is_enabled_together_and_no_row_is_deleted_by_enact() {
    let project = project();
    project.write("plans/a.yaml", &with("2020-01-01", JOB));
    let shown = flat(&project.ok(&["plan", "--out", "plan.json"]));
    assert!(shown.contains("retention.command-log: iu_core.retention_enabled \"false\" -> \"true\""), "{shown}");
    assert!(
        shown.contains("412 rows older than 90 days would be deleted by the job that asks this gate: public.dot_iu_command_run, by created_at"),
        "{shown}"
    );
    assert!(shown.contains("opened only if check retention-job holds, not before 2020-01-01"), "{shown}");
    project.ok(&["apply", "plan.json", "--auto-approve"]);
    assert_eq!(project.value(GATE), "true");
    assert_eq!(project.value("SELECT count(*) FROM dot_iu_command_run"), "414");
    project.exits(&["plan", "--detailed-exitcode"], 0);
    // What the plan counted is what the field's own function counts.
    let dry =
        "SELECT rows_eligible FROM fn_iu_core_retention_cleanup('x', true) WHERE target_table = 'dot_iu_command_run'";
    assert_eq!(project.value(dry), "412");
    // They go back as a pair too.
    let run = project.value("SELECT run_id FROM enact.run");
    project.ok(&["revert", &run, "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!((project.value(GATE), project.value("SELECT count(*) FROM job")), ("false".into(), "0".into()));
}

#[test]
fn the_apply_asks_for_the_pair_again_and_goes_back_without_it() {
    let project = project();
    project.sql("INSERT INTO job VALUES ('retention', '45 3 * * *')");
    project.write("plans/a.yaml", &lenient("2020-01-01", ""));
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("DELETE FROM job");
    let before = world(&project);
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 5);
    assert!(stderr.contains("check \"retention-job\" does not hold: a row expected, none found"), "{stderr}");
    assert_eq!(world(&project), before);
    assert_eq!(project.value(GATE), "false");
}

#[test]
fn what_does_not_fit_the_table_or_the_policy_is_refused_at_its_place() {
    let project = project();
    let cases = [
        ("keep: 90d", "keep: 30d", "E085", "\"public.dot_iu_command_run\" is kept for 90 days by its policy, not 30d"),
        ("keep: 90d", "keep: 90d\n    column: actor", "E085", "is in \"created_at\" by its policy, not in \"actor\""),
        ("public.dot_iu_command_run", "public.job", "E085", "nothing says which column of \"public.job\""),
        ("public.dot_iu_command_run", "public.jobs", "E045", "there is no table \"public.jobs\""),
        ("2020-01-01", "2020-02-31", "E049", "not_before"),
        ("gate: iu_core.retention_enabled", "gate: iu_core.retention_enable", "E081", "has no row"),
    ];
    for (from, to, code, message) in cases {
        project.write("plans/a.yaml", &with("2020-01-01", "").replace(from, to));
        let (_, stderr) = project.exits(&["plan"], 3);
        assert!(first_error(&stderr).contains(code) && stderr.contains(message), "{to}: {stderr}");
        assert!(stderr.contains("plans/a.yaml:"), "{to}: {stderr}");
    }
    let column = with("2020-01-01", "").replace("public.dot_iu_command_run", "public.job\n    column: schedule");
    project.write("plans/a.yaml", &column);
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("column \"schedule\" of \"public.job\" is text, which is no time"), "{stderr}");
}
