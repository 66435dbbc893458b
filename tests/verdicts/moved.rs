//! What moved since a plan was made, or since the last apply, is seen by every command that speaks of it.

use super::{CONFIG, NO_CHANGES, PLAN, applied, differs, holds};
use crate::support::project::Project;

const SETTINGS: &str = "CREATE TABLE settings (name text PRIMARY KEY, value text)";

fn declared(values: &str) -> String {
    format!("enact: v1\nplan: settings\nrows:\n  public.settings:\n{values}")
}

fn two(second: &str) -> String {
    let row = |name: &str, value: &str| format!("    - {{ key: {{ name: {name} }}, values: {{ value: {value} }} }}\n");
    declared(&format!("{}{}", row("a", "one"), row("b", second)))
}

/// Two settings, applied.
fn settings() -> Project {
    let project = Project::start(CONFIG);
    project.sql(enact::local::schema::documents_sql().1);
    project.sql(SETTINGS);
    project.write("plans/settings.yaml", &two("one"));
    project.ok(&["init"]);
    project.ok(&["apply", "--auto-approve"]);
    project
}

#[test]
fn a_declared_row_that_moves_after_the_plan_stops_the_apply() {
    let project = settings();
    project.write("plans/settings.yaml", &two("two"));
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("UPDATE settings SET value = 'elsewhere' WHERE name = 'a'");
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stderr.contains("row.public.settings[name=a] changed"), "{stderr}");
    project.sql("UPDATE settings SET value = 'one' WHERE name = 'a'");
    project.ok(&["apply", "plan.json", "--auto-approve"]);
    holds(&project);
}

#[test]
fn an_empty_plan_is_not_said_to_hold_when_it_no_longer_does() {
    let project = settings();
    project.ok(&["plan", "--out", "plan.json"]);
    assert!(project.ok(&["apply", "plan.json"]).contains(NO_CHANGES));
    project.sql("DELETE FROM settings WHERE name = 'b'");
    let (stdout, stderr) = project.exits(&["apply", "plan.json"], 4);
    assert!(!stdout.contains(NO_CHANGES) && stderr.contains("row.public.settings[name=b] changed"), "{stdout}{stderr}");
}

#[test]
fn a_synced_table_keeps_the_rows_of_another_project() {
    let project = settings();
    std::fs::create_dir_all(project.path().join("other/plans")).expect("another project");
    let config =
        CONFIG.replace("directory: .enact", "directory: ../.enact").replace("enact: v1", "enact: v1\nproject: wiki");
    project.write("other/enact.yaml", &config);
    project.write("other/plans/wiki.yaml", &declared("    - { key: { name: w }, values: { value: wiki } }\n"));
    project.ok(&["--dir", "other", "apply", "--auto-approve"]);
    let rows = |name: &str| format!("      - {{ key: {{ name: {name} }}, values: {{ value: one }} }}\n");
    let synced = format!("    mode: sync\n    rows:\n{}{}", rows("a"), rows("b"));
    project.write("plans/settings.yaml", &declared(&synced));
    let (_, stderr) = project.exits(&["plan"], 3);
    let words: Vec<&str> = stderr.split_whitespace().collect();
    let said = "row.public.settings[name=w] would be deleted, and project \"wiki\" declares it";
    assert!(stderr.contains("E097") && words.join(" ").contains(said), "{stderr}");
    project.sql("UPDATE enact.managed_row SET project = 'default' WHERE project = 'wiki'");
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("1 to destroy"), "{plan}");
}

#[test]
fn a_row_with_a_composite_key_that_somebody_changed_is_told_so() {
    let project = Project::start(CONFIG);
    project.sql(enact::local::schema::documents_sql().1);
    project.sql("CREATE TABLE rates (region text, code int, note text, PRIMARY KEY (region, code))");
    let rate = "    - { key: { region: eu, code: 0 }, values: { note: n1 } }\n";
    project.write("plans/rates.yaml", &declared(rate).replace("settings", "rates"));
    project.ok(&["init"]);
    project.ok(&["apply", "--auto-approve"]);
    project.sql("UPDATE rates SET note = NULL");
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("changed outside") && !plan.contains("the plan file changed"), "{plan}");
}

#[test]
fn a_selection_that_chooses_the_same_units_is_written_down() {
    let project = applied();
    let narrower = PLAN.replace("units: { slug_prefix: handbook/, lifecycle", "units: { slug_prefix: handb, lifecycle");
    assert_ne!(narrower, PLAN);
    project.write("plans/handbook.yaml", &narrower);
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("the plan file changed since the last apply, and its points are the same"), "{plan}");
    let points = project.points();
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
    assert_eq!(project.points(), points);
    project.sql("INSERT INTO documents (slug, title, body, status) VALUES ('news/1', 'News', 'Today.', 'published')");
    holds(&project);
    project.sql("INSERT INTO documents (slug, title, body, status) VALUES ('handbook/1', 'More', 'Now.', 'published')");
    differs(&project, "unit \"handbook/1\" came into the selection");
}

#[test]
fn what_becomes_of_a_text_without_a_body_counts() {
    let project = applied();
    project.sql(
        "INSERT INTO documents (slug, title, body, status) VALUES ('handbook/empty', 'Still to come', '', 'published')",
    );
    let with = |empty: &str| PLAN.replace("empty_body: title", &format!("empty_body: {empty}"));
    assert_ne!(with("skip"), PLAN);
    for (empty, points) in [("skip", 10), ("title", 11), ("skip", 10)] {
        project.write("plans/handbook.yaml", &with(empty));
        project.ok(&["apply", "--auto-approve"]);
        holds(&project);
        assert_eq!(project.points().len(), points, "{empty}");
    }
    project.write("plans/handbook.yaml", &with("title"));
    project.ok(&["apply", "--auto-approve"]);
    project.sql("UPDATE documents SET title = 'Here it is' WHERE slug = 'handbook/empty'");
    differs(&project, "unit \"handbook/empty\" has other content");
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
}

#[test]
fn a_promoted_unit_that_went_back_is_a_difference() {
    let project = applied();
    project.sql("UPDATE documents SET status = 'draft' WHERE slug = 'handbook/leave'");
    differs(&project, "unit \"handbook/leave\" is draft again, as it was before");
}
