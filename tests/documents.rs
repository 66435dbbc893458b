//! The handbook of `examples/documents` on the embedded stores, as its README tells it, and what editors do next.
#![cfg(feature = "embedded")]

// Other tests use the rest of it.
#[allow(dead_code)]
#[path = "support/project.rs"]
mod project;

use enact::local::schema;
use project::Project;

/// The example's folder with its table filled, and the schema `enact`.
fn handbook() -> Project {
    let project = Project::start(include_str!("../examples/documents/enact.yaml"));
    project.write("plans/handbook.yaml", include_str!("../examples/documents/plans/handbook.yaml"));
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project
}

const STATES: &str = "SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) \
    FROM (SELECT status, count(*) AS n FROM documents GROUP BY status) AS counted";

#[test]
fn the_handbook_is_published_indexed_verified_and_found() {
    let project = handbook();
    let plan = project.ok(&["plan", "--out", "plan.json"]);
    assert!(plan.contains("Lifecycle: 8 to promote. Vectors: 10 to embed"), "{plan}");
    project.ok(&["apply", "plan.json", "--auto-approve"]);
    assert_eq!(project.value(STATES), "archived 1, draft 1, published 10");
    assert_eq!(project.points().len(), 10);
    let again = project.ok(&["plan", "--detailed-exitcode"]);
    assert!(again.contains("No changes. PostgreSQL and Qdrant match the plan."), "{again}");
    let verified = project.ok(&["verify"]);
    assert!(verified.starts_with("Verified: "), "{verified}");
    let found = project.ok(&["search", "a second factor for every password", "--limit", "1"]);
    assert!(found.contains("handbook/security"), "{found}");
    // What is archived, and what is not of the handbook, is not found.
    let all = project.ok(&["search", "salary round wages committee moving boxes plants", "--limit", "50"]);
    assert!(all.contains("handbook/expenses"), "{all}");
    assert!(!all.contains("notes/salary-round") && !all.contains("handbook/office-move"), "{all}");
}
