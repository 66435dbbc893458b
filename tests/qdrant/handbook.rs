//! The handbook of `examples/documents` with its points on another server, and how its apply treats that.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::other::{Other, Rule};
use crate::support::project::Project;

/// The handbook, whose points are on another server than the project's own.
pub fn handbook(other: &Other) -> Project {
    let local = concat!(include_str!("../../examples/documents/enact.yaml"), "    sweep_grace: 0s\n");
    let project = Project::start(local);
    let (postgres, _) = project.endpoints();
    let stores = format!(
        "postgres: {{ conninfo: \"{postgres}\" }}\n    qdrant: {{ url: \"{}\" }}\n    embedders: {{ default: {{ kind: static }} }}",
        other.url()
    );
    let config: Vec<String> = local
        .lines()
        .map(|line| if line.trim_start().starts_with("local: {") { format!("    {stores}") } else { line.to_owned() })
        .collect();
    let config = format!("{}\n", config.join("\n"));
    assert!(config.contains("qdrant: {"), "{config}");
    project.write("enact.yaml", &config);
    project.write("plans/handbook.yaml", include_str!("../../examples/documents/plans/handbook.yaml"));
    project.sql(enact::local::schema::documents_sql().1);
    project.sql(include_str!("../../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project
}

#[test]
fn readers_get_a_new_collection_when_its_indexes_are_built() {
    const ASKED: u32 = 12;
    let runtime = Runtime::new().expect("a runtime");
    let other = runtime.block_on(Other::start(Vec::new()));
    let project = handbook(&other);
    other.set(vec![Rule::Building(ASKED)]);
    let began = Instant::now();
    project.ok(&["apply", "--auto-approve"]);
    let log = other.log();
    let filled = log.iter().rposition(|method| method == "/qdrant.Points/Upsert").expect("it was filled");
    let switched =
        log.iter().position(|method| method == "/qdrant.Collections/UpdateAliases").expect("it was switched");
    let asked = log[filled..switched].iter().filter(|method| *method == "/qdrant.Collections/Get").count();
    assert!(asked > ASKED as usize, "{asked} times before the switch");
    assert!(began.elapsed() < Duration::from_secs(50), "it was not waited for until the limit");
    drop(project);
    runtime.block_on(other.stop());
}
