//! `checks`: read-only queries before and after, and in a verification.

use super::{ROW, first_error, plan, world};
use crate::support::plans::CONFIG;
use crate::support::project::Project;

fn with_check(check: &str) -> String {
    plan(&format!("{ROW}checks:\n  c: {check}\n"))
}

#[test]
fn a_check_that_fails_before_stops_the_plan_at_its_query() {
    let project = Project::with_fixture(CONFIG);
    let check = "{ query: SELECT count(*) FROM public.information_unit, expect: { value: 164 }, when: before }";
    project.write("plans/a.yaml", &with_check(check));
    let (_, stderr) = project.exits(&["plan"], 3);
    assert_eq!(
        first_error(&stderr),
        "error[E083]: a check does not hold: check \"c\": \"164\" expected, \"163\" found"
    );
    assert!(stderr.contains("plans/a.yaml:7:15"), "{stderr}");
}

#[test]
fn a_check_that_only_warns_is_a_finding_and_the_plan_is_applied() {
    let project = Project::with_fixture(CONFIG);
    let check = "{ query: \"SELECT key FROM public.dot_config WHERE key = 'a'\", expect: { rows: 3 }, severity: warning, when: [before, after] }";
    project.write("plans/a.yaml", &with_check(check));
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("W060 check.c: 3 rows expected, 0 found"), "{plan}");
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 0);
    assert!(stderr.contains("warning: check \"c\" does not hold: 3 rows expected, 1 found: (a)"), "{stderr}");
    let verified = project.ok(&["verify"]);
    assert!(verified.contains("check \"c\": holds: it only warns, and does not hold: 3 rows expected"), "{verified}");
}

#[test]
fn a_check_that_fails_after_rolls_everything_back() {
    let project = Project::with_fixture(CONFIG);
    let check = "{ query: \"SELECT value FROM public.dot_config WHERE key = 'a'\", expect: { value: two } }";
    project.write("plans/a.yaml", &with_check(check));
    project.ok(&["plan"]);
    let before = world(&project);
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(stderr.contains("check \"c\" does not hold: \"two\" expected, \"one\" found"), "{stderr}");
    assert_eq!(world(&project), before);
}

#[test]
fn a_check_that_holds_is_written_down_and_verified_until_it_leaves_the_plan_files() {
    let project = Project::with_fixture(CONFIG);
    let check =
        "{ query: \"SELECT count(*) FROM public.dot_config WHERE key = 'a';\", expect: { at_least: 1, at_most: 1 } }";
    project.write("plans/a.yaml", &with_check(check));
    let first = project.ok(&["apply", "--auto-approve"]);
    assert!(first.contains("+ create check.c: judged after"), "{first}");
    project.exits(&["plan", "--detailed-exitcode"], 0);
    let verified = project.ok(&["verify"]);
    assert!(verified.contains("ok      check \"c\": holds"), "{verified}");
    project.sql("DELETE FROM dot_config WHERE key = 'a'");
    let (different, _) = project.exits(&["verify"], 9);
    assert!(different.contains("at least") || different.contains("1 to 1 expected, 0 found"), "{different}");
    project.write("plans/a.yaml", &plan(ROW));
    let forgotten = project.ok(&["apply", "--auto-approve"]);
    assert!(forgotten.contains("forget check.c"), "{forgotten}");
    project.ok(&["verify"]);
}

/// The database refuses, whatever the text: nothing here is looked at by Enact.
#[test]
fn a_query_cannot_write_and_its_mistakes_have_their_place() {
    let project = Project::with_fixture(CONFIG);
    let before = world(&project);
    let cases = [
        ("SELECT nothere FROM public.dot_config", "column \"nothere\" does not exist"),
        ("SELECT 1 FROM dot_config", "name the schema too, such as public.documents"),
        ("INSERT INTO public.dot_config (key) VALUES ('x') RETURNING 1", ""),
        ("SELECT public.fn_iu_amend('ICX-CONST/KT-A', 'x', 'y', 'z')", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', true), nextval('public.s')", ""),
        ("SELECT 1; DELETE FROM public.dot_config", ""),
        ("SELECT 1) AS q; DELETE FROM public.dot_config; SELECT (1", ""),
        ("SELECT 1 WHERE $1 = 'a'", ""),
    ];
    for (query, message) in cases {
        for when in ["before", "after"] {
            let check = format!("{{ query: {query:?}, expect: {{ value: 1 }}, when: {when} }}");
            project.write("plans/a.yaml", &plan(&format!("checks:\n  c: {check}\n")));
            // What only running shows is found by the run, and by nothing before it.
            let ran_only = when == "after" && query.contains("fn_iu_amend");
            let (_, stderr) =
                if ran_only { project.exits(&["apply", "--auto-approve"], 5) } else { project.exits(&["plan"], 3) };
            assert!(stderr.contains(message), "{query}: {stderr}");
            assert!(ran_only || stderr.contains("E082") && stderr.contains("plans/a.yaml:4:15"), "{query}: {stderr}");
            assert_eq!(world(&project), before, "{query}");
        }
    }
}

/// A role or a setting that a query changes does not outlive it.
#[test]
fn a_query_changes_nothing_of_the_session() {
    let project = Project::with_fixture(CONFIG);
    let check = "{ query: \"SELECT set_config('role', 'cutter_ro', false)\", expect: { value: cutter_ro }, when: [before, after] }";
    project.write("plans/a.yaml", &with_check(check));
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value("SELECT value FROM dot_config WHERE key = 'a'"), "one");
}
