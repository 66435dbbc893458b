//! A killed apply converges: after one `resume`, both stores are exactly before or exactly after.
#![cfg(feature = "embedded")]

#[path = "support/plans.rs"]
mod plans;
#[path = "support/project.rs"]
mod project;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use plans::{AFTER, BEFORE, CONFIG, COUNTS, PLAN};
use project::Project;

/// Lines after which the process is killed: one for each kind of boundary.
const BOUNDARIES: [&str; 7] = ["Run ", "Staging", "chunks embedded", "Transaction", "step 6:", "Decided", "Settling"];

/// Runs an apply and kills it when it has written this.
fn apply_killed_at(project: &Project, boundary: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_enact"))
        .args(["apply", "--auto-approve", "--no-input", "--no-color"])
        .current_dir(project.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let reached = lines.map_while(Result::ok).any(|line| line.contains(boundary));
    assert!(reached, "the apply never wrote {boundary:?}");
    child.kill().expect("SIGKILL");
    child.wait().expect("the child is gone");
}

#[test]
fn a_kill_at_any_boundary_converges_with_one_resume() {
    for boundary in BOUNDARIES {
        let project = Project::with_fixture(CONFIG);
        project.write("plans/cycle.yaml", PLAN);
        assert_eq!(project.value(COUNTS), BEFORE);
        apply_killed_at(&project, boundary);
        let resumed = project.ok(&["resume"]);
        let (counts, points) = (project.value(COUNTS), project.points().len());
        if resumed.contains("No run is unfinished") && counts == BEFORE {
            assert_eq!(points, 0, "killed at {boundary:?}");
            continue;
        }
        assert_eq!((counts.as_str(), points), (AFTER, 88), "killed at {boundary:?}: {resumed}");
        project.exits(&["plan", "--detailed-exitcode"], 0);
        project.exits(&["verify"], 0);
    }
}
