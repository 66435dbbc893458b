//! The handbook of `examples/documents` on the embedded stores, as its README tells it, and what editors do next.
#![cfg(feature = "embedded")]

#[path = "support/project.rs"]
mod project;

use enact::local::schema;
use project::Project;

/// The example's folder with its table filled, and the schema `enact`. Replaced collections are deleted at once, so
/// that what is left of a set is what is counted.
fn handbook() -> Project {
    let config = concat!(include_str!("../examples/documents/enact.yaml"), "    sweep_grace: 0s\n");
    let project = Project::start(config);
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

#[test]
fn an_edit_embeds_the_changed_chunk_alone() {
    let project = handbook();
    // Two paragraphs that the policy keeps apart: together they are longer than a chunk.
    project.sql(
        "UPDATE documents SET body = repeat('Ask before you book. ', 30) || E'\\n\\n' || repeat('Keep the receipt. ', 30) \
         WHERE slug = 'handbook/expenses'",
    );
    let first = project.ok(&["apply", "--auto-approve"]);
    assert!(first.contains("Vectors: 11 to embed"), "{first}");
    project.sql(
        "UPDATE documents SET body = replace(body, 'Keep the receipt.', 'Photograph the receipt.') \
         WHERE slug = 'handbook/expenses'",
    );
    let edited = project.ok(&["plan"]);
    assert!(edited.contains("Vectors: 1 to embed") && edited.contains("1 to delete, 10 kept."), "{edited}");
    let changed: Vec<&str> = edited.lines().filter(|line| line.contains("handbook/")).collect();
    assert!(changed.iter().all(|line| line.contains("handbook/expenses") || line.contains("plans/")), "{edited}");
    let before = project.points();
    project.ok(&["apply", "--auto-approve"]);
    let after = project.points();
    assert_eq!(after.len(), 11);
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 10, "the ids of chunks that stayed");
    project.ok(&["plan", "--detailed-exitcode"]);
    project.ok(&["verify"]);
}

#[test]
fn an_archived_document_takes_its_points_away() {
    let project = handbook();
    project.ok(&["apply", "--auto-approve"]);
    project.sql("UPDATE documents SET status = 'archived' WHERE slug = 'handbook/leave'");
    let (plan, _) = project.exits(&["plan", "--detailed-exitcode"], 2);
    assert!(plan.contains("Vectors: 0 to embed, 1 to delete, 9 kept."), "{plan}");
    assert!(plan.contains("handbook/leave"), "{plan}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.points().len(), 9);
    let found = project.ok(&["search", "thirty days of holiday a year", "--limit", "50"]);
    assert!(!found.contains("handbook/leave"), "{found}");
    project.ok(&["plan", "--detailed-exitcode"]);
    project.ok(&["verify"]);
}
