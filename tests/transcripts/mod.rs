//! The whole command line as somebody types it, and what machines read of it.

mod machine;
pub mod mask;
mod play;
mod secrets;

use enact::local::schema;

use crate::support::project::Project;

/// The staff handbook of `examples/documents`, before `enact init`.
pub fn handbook() -> Project {
    let config = concat!(include_str!("../../examples/documents/enact.yaml"), "    sweep_grace: 0s\n");
    let project = Project::start(config);
    project.write("plans/handbook.yaml", include_str!("../../examples/documents/plans/handbook.yaml"));
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../../examples/documents/seed.sql"));
    project
}

#[test]
fn what_needs_no_stores() {
    let folder = tempfile::tempdir().unwrap();
    play::play("files", folder.path(), None);
}

#[test]
fn from_a_plan_to_its_history() {
    let project = handbook();
    play::play("flow", project.path(), Some(&project));
}

#[test]
fn what_stops_an_apply() {
    let project = handbook();
    play::play("refusals", project.path(), Some(&project));
}
