//! What plan, verify and drift say of one world is the same: units and promotions that moved, sets that leave and come back,
//! projects that share a database.

mod moved;

use enact::local::schema;

use crate::support::project::Project;

const PLAN: &str = include_str!("../examples/documents/plans/handbook.yaml");
const CONFIG: &str = concat!(include_str!("../examples/documents/enact.yaml"), "    sweep_grace: 0s\n");
const NO_CHANGES: &str = "No changes. PostgreSQL and Qdrant match the plan.";

/// The handbook, applied.
fn applied() -> Project {
    let project = Project::start(CONFIG);
    project.write("plans/handbook.yaml", PLAN);
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project.ok(&["apply", "--auto-approve"]);
    project
}

/// Plan and verify agree that nothing differs.
fn holds(project: &Project) {
    let plan = project.ok(&["plan", "--detailed-exitcode"]);
    assert!(plan.contains(NO_CHANGES), "{plan}");
    project.ok(&["verify"]);
    project.ok(&["drift"]);
}

/// Both commands find a difference, and say this of it.
fn differs(project: &Project, what: &str) {
    let (verified, _) = project.exits(&["verify"], 9);
    assert!(verified.contains(what), "{verified}");
    let (drift, _) = project.exits(&["drift"], 9);
    assert!(drift.contains(what), "{drift}");
}

#[test]
fn an_applied_promotion_that_is_edited_is_an_error_with_what_was_applied() {
    let project = applied();
    for (from, to, said) in [
        ("to: published", "to: archived", "was applied with to: \"published\", and the file says \"archived\""),
        ("decision: approve", "decision: reject", "review.decision: \"approve\", and the file says \"reject\""),
        ("by both editors.", "by nobody.", "was applied with review.rationale"),
        ("slug_prefix: handbook/, lifecycle: draft", "lifecycle: draft", "was applied with units"),
        (
            "    to: published",
            "    ids: { namespace: other }\n    to: published",
            "with ids.namespace: \"spring-edition\"",
        ),
    ] {
        project.write("plans/handbook.yaml", &PLAN.replace(from, to));
        let (_, stderr) = project.exits(&["plan"], 3);
        assert!(stderr.contains("E098") && stderr.contains("plans/handbook.yaml:"), "{stderr}");
        let words: Vec<&str> = stderr.split_whitespace().collect();
        assert!(words.join(" ").contains(said), "{stderr}");
    }
    project.write("plans/handbook.yaml", PLAN);
    holds(&project);
}

#[test]
fn units_that_come_into_a_selection_or_leave_it_are_a_difference() {
    let project = applied();
    holds(&project);
    project.sql(
        "INSERT INTO documents (slug, title, body, status) VALUES ('handbook/new', 'New', 'Written last night.', 'published')",
    );
    differs(&project, "unit \"handbook/new\" came into the selection");
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
    project.sql("UPDATE documents SET status = 'archived' WHERE slug = 'handbook/new'");
    differs(&project, "unit \"handbook/new\" left the selection");
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
    project.sql("UPDATE documents SET title = 'Another title' WHERE slug = 'handbook/leave'");
    differs(&project, "unit \"handbook/leave\" has other content, or other fields, than what is indexed");
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
}

#[test]
fn a_set_that_leaves_the_files_owns_its_points_when_it_comes_back() {
    let project = applied();
    let points = project.points();
    let promotion = PLAN.split("chunk_policies:").next().expect("the promotion");
    project.write("plans/handbook.yaml", promotion);
    let forgotten = project.ok(&["apply", "--auto-approve"]);
    assert!(forgotten.contains("vector_set.handbook (what it made stays)"), "{forgotten}");
    holds(&project);
    assert_eq!(project.points(), points, "what it made stays");
    // As it was: nothing is written.
    project.write("plans/handbook.yaml", PLAN);
    let back = project.ok(&["apply", "--auto-approve"]);
    assert!(back.contains("declared again; what it owned is its own again"), "{back}");
    assert!(back.contains("Vectors: 0 to embed, 0 to delete, 10 kept."), "{back}");
    holds(&project);
    assert_eq!(project.points(), points);
    // Under another recipe: no point of the old one stays.
    project.write("plans/handbook.yaml", promotion);
    project.ok(&["apply", "--auto-approve"]);
    project.write("plans/handbook.yaml", &PLAN.replace("max_chars: 800", "max_chars: 790"));
    project.ok(&["apply", "--auto-approve"]);
    holds(&project);
    let now = project.points();
    assert_eq!(now.len(), 10);
    assert!(now.iter().all(|point| !points.contains(point)), "{now:?}");
}

#[test]
fn projects_on_one_database_leave_each_other_alone() {
    let project = applied();
    std::fs::create_dir_all(project.path().join("other/plans")).expect("another project");
    let config =
        CONFIG.replace("directory: .enact", "directory: ../.enact").replace("enact: v1", "enact: v1\nproject: wiki");
    project.write("other/enact.yaml", &config);
    project.sql("CREATE TABLE settings (name text PRIMARY KEY, value text)");
    let rows = "enact: v1\nplan: wiki\nrows:\n  public.settings:\n    - { key: { name: a }, values: { value: one } }\n";
    project.write("other/plans/wiki.yaml", rows);
    let plan = project.ok(&["--dir", "other", "plan"]);
    assert!(plan.starts_with("Plan: 1 to add, 0 to change, 0 to destroy.\n"), "{plan}");
    project.ok(&["--dir", "other", "apply", "--auto-approve"]);
    holds(&project);
    project.sql("UPDATE settings SET value = 'changed'");
    holds(&project);
    let (verified, _) = project.exits(&["--dir", "other", "verify"], 9);
    assert!(verified.contains("row.public.settings[name=a]: value was \"one\" and is \"changed\""), "{verified}");
    // A set has one project.
    let sets = PLAN.split("chunk_policies:").nth(1).expect("the set");
    let sets = format!("enact: v1\nplan: wiki\nchunk_policies:{sets}");
    project.write("other/plans/wiki.yaml", &sets);
    let (_, stderr) = project.exits(&["--dir", "other", "plan"], 3);
    assert!(stderr.contains("E099") && stderr.contains("is managed by project \"default\""), "{stderr}");
}
