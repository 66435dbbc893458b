//! A killed apply converges: after one `resume`, both stores are exactly before or exactly after.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::plans::{AFTER, BEFORE, CONFIG, COUNTS, PLAN};
use crate::support::project::Project;

fn spawn_apply(project: &Project) -> Child {
    Command::new(env!("CARGO_BIN_EXE_enact"))
        .args(["apply", "--auto-approve", "--no-input", "--no-color"])
        .current_dir(project.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

/// Runs an apply and kills it when it has written this.
fn apply_killed_at(project: &Project, boundary: &str) {
    let mut child = spawn_apply(project);
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let reached = lines.map_while(Result::ok).any(|line| line.contains(boundary));
    assert!(reached, "the apply never wrote {boundary:?}");
    child.kill().expect("SIGKILL");
    child.wait().expect("the child is gone");
}

/// One test for each kind of boundary, by a line that is written there: most of the time they wait for the deadline of requests.
macro_rules! a_kill_converges_with_one_resume_at {
    ($($name:ident: $line:literal),+ $(,)?) => {
        mod a_kill_converges_with_one_resume_at {
            $(#[test] fn $name() { super::a_kill_converges_with_one_resume($line); })+
        }
    };
}

a_kill_converges_with_one_resume_at! {
    the_opening_of_the_run: "Run ",
    the_beginning_of_staging: "Staging",
    an_embedded_chunk: "chunks embedded",
    the_beginning_of_the_transaction: "Transaction",
    a_step: "step 6:",
    the_decision: "Decided",
    the_beginning_of_settling: "Settling",
}

fn a_kill_converges_with_one_resume(boundary: &str) {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    assert_eq!(project.value(COUNTS), BEFORE);
    apply_killed_at(&project, boundary);
    let resumed = project.ok(&["resume"]);
    let (counts, points) = (project.value(COUNTS), project.points().len());
    if resumed.contains("No run is unfinished") && counts == BEFORE {
        assert_eq!(points, 0, "killed at {boundary:?}");
        return;
    }
    assert_eq!((counts.as_str(), points), (AFTER, 88), "killed at {boundary:?}: {resumed}");
    project.exits(&["plan", "--detailed-exitcode"], 0);
    project.exits(&["verify"], 0);
}

/// Runs an apply, interrupts it this often when it has begun to stage, and gives its exit code and what it wrote then.
fn apply_interrupted(project: &Project, times: u32) -> (Option<i32>, String) {
    let mut child = spawn_apply(project);
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Staging")), "the apply never staged");
    let mut said = String::new();
    for _ in 0..times {
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
        assert!(sent.success());
        // The next one is sent when this one was heard.
        said.extend(lines.by_ref().find(|line| line.contains("nterrupted") || line.contains("Stopped")));
    }
    said.extend(lines.map(|line| format!("\n{line}")));
    (child.wait().expect("the child is gone").code(), said)
}

#[test]
fn an_interrupt_goes_back_and_a_second_one_stops_at_once() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let (code, said) = apply_interrupted(&project, 1);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("Interrupted and undone: both stores are as they were before."), "{said}");
    assert_eq!((project.value(COUNTS).as_str(), project.points().len()), (BEFORE, 0));
    assert_eq!(project.value("SELECT outcome FROM enact.run"), "undone");
    let (code, said) = apply_interrupted(&project, 2);
    assert_eq!(code, Some(130), "{said}");
    let resumed = project.ok(&["resume"]);
    let counts = project.value(COUNTS);
    assert!(counts == AFTER || counts == BEFORE, "{counts}\n{said}\n{resumed}");
    assert_eq!(project.points().len(), if counts == AFTER { 88 } else { 0 });
    project.exits(&["verify"], 0);
}
