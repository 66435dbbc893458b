//! The handbook of `examples/documents` on the embedded stores, as its README tells it, and what editors do next.

use enact::local::schema;

use crate::support::project::Project;

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
fn a_point_that_is_lost_again_is_put_back_again() {
    let project = handbook();
    project.ok(&["apply", "--auto-approve"]);
    let before = project.points();
    for _ in 0..3 {
        project.lose_point();
        assert_eq!(project.points().len(), before.len() - 1);
        project.ok(&["apply", "--auto-approve"]);
        assert_eq!(project.points(), before);
    }
    project.ok(&["plan", "--detailed-exitcode"]);
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

/// The id of the newest run.
const LAST_RUN: &str = "SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1";

/// Plans the way back from the newest run, applies it, and gives the plan.
fn reverted(project: &Project) -> String {
    let plan = went_back(project);
    project.ok(&["verify"]);
    plan
}

fn went_back(project: &Project) -> String {
    let run = project.value(LAST_RUN);
    let plan = project.ok(&["revert", &run, "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    plan
}

#[test]
fn a_reverted_edition_is_a_draft_again_and_can_be_published_again() {
    let project = handbook();
    let planned = project.ok(&["plan"]);
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value(STATES), "archived 1, draft 1, published 10");
    let plan = reverted(&project);
    assert!(plan.contains("8 to move back") || plan.contains("published -> draft"), "{plan}");
    assert_eq!(project.value(STATES), "archived 1, draft 9, published 2");
    assert_eq!(project.points(), Vec::<String>::new());
    let again = project.ok(&["plan"]);
    assert!(again.contains("Lifecycle: 8 to promote. Vectors: 10 to embed"), "{planned}\n{again}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.points().len(), 10);
    project.ok(&["plan", "--detailed-exitcode"]);
}

/// The lock that keeps other runs away belongs to the session, and no rollback brings it again.
#[test]
fn a_check_that_gives_the_lock_of_the_run_back_ends_it() {
    let project = handbook();
    let plan = include_str!("../examples/documents/plans/handbook.yaml");
    let check = "checks:\n  a: { query: \"SELECT pg_advisory_unlock_all()::text\", expect: { rows: 1 } }\n";
    project.write("plans/handbook.yaml", &format!("{plan}{check}"));
    let (_, refused) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(refused.contains("gave back the lock that keeps other runs away"), "{refused}");
    assert_eq!(project.points(), Vec::<String>::new());
    project.ok(&["resume"]);
    project.write("plans/handbook.yaml", plan);
    project.ok(&["apply", "--auto-approve"]);
    project.ok(&["verify"]);
}

#[test]
fn a_reverted_edit_puts_the_old_points_back() {
    let project = handbook();
    project.ok(&["apply", "--auto-approve"]);
    let before = project.points();
    project.sql("UPDATE documents SET body = body || ' Photograph the receipt.' WHERE slug = 'handbook/expenses'");
    project.ok(&["apply", "--auto-approve"]);
    assert_ne!(project.points(), before);
    let plan = went_back(&project);
    assert!(plan.contains("in_place") && plan.contains("is reverted"), "{plan}");
    assert_eq!(project.points(), before);
    // The body is the author's, not the run's: it is not what is indexed now, and the next plan sees it again.
    let (verified, _) = project.exits(&["verify"], 9);
    assert!(verified.contains("unit \"handbook/expenses\" has other content"), "{verified}");
    let again = project.ok(&["plan"]);
    assert!(again.contains("Vectors: 1 to embed"), "{again}");
}

#[test]
fn units_that_one_promotion_took_from_two_states_go_back_to_both() {
    let project = handbook();
    let before = project.value(STATES);
    project.write(
        "plans/handbook.yaml",
        "enact: v1\nplan: close\npromotions:\n  close:\n    units: { lifecycle: [draft, published] }\n    to: archived\n    \
         review: { decision: approve, reviewer: editors, rationale: the book is closed }\n",
    );
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value(STATES), "archived 12");
    reverted(&project);
    assert_eq!(project.value(STATES), before);
}

#[test]
fn a_replaced_collection_comes_back_while_it_is_there() {
    let project = handbook();
    project.ok(&["apply", "--auto-approve"]);
    let before = project.points();
    let grace = concat!(include_str!("../examples/documents/enact.yaml"), "    sweep_grace: 1h\n");
    project.write("enact.yaml", grace);
    let plan = include_str!("../examples/documents/plans/handbook.yaml");
    project.write("plans/handbook.yaml", &plan.replace("max_chars: 800", "max_chars: 400"));
    project.ok(&["apply", "--auto-approve"]);
    let run = project.value(LAST_RUN);
    let back = project.ok(&["revert", &run, "--out", "back.json"]);
    assert!(back.contains("the alias goes back from"), "{back}");
    project.write("enact.yaml", &grace.replace("sweep_grace: 1h", "sweep_grace: 0s"));
    project.ok(&["apply", "back.json", "--auto-approve"]);
    // The collection that the reverted run made waits for its grace, which the plan of the revert says.
    let aliases = project.aliased_points();
    assert_eq!(aliases, before);
    project.ok(&["verify"]);
    let (plan, told) = project.exits(&["revert", &run], 0);
    assert!(plan.contains("No changes") && plan.contains("changed the set since"), "{plan}");
    assert!(told.contains("Nothing of this run is left to go back"), "{told}");
}
