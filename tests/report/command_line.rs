//! The program as it is typed: exit codes, help, formats.

use std::process::{Command, Output, Stdio};

use enact::diff::Reason;
use enact::plan::{Phase, SavedPlan};
use enact::report::plan_json;

use crate::report::builder::{PlanBuilder, create, some_work};
use crate::report::golden::check;

fn enact(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    command.args(args).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("ENACT_ENV").env("COLUMNS", "90");
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = enact(args).stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A saved plan in a folder of its own.
fn saved(edit: impl Fn(String) -> String) -> (tempfile::TempDir, String) {
    let plan = PlanBuilder::new()
        .row("public.entry", "k", Reason::NotThere, create(&[("status", "open")]))
        .step(Phase::Transaction, "insert 1 row", None, some_work())
        .done();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    std::fs::write(&path, edit(plan.to_text())).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn help_and_version_are_no_mistakes() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    check("help.txt", &stdout);
    assert_eq!(run(&["--version"]).0, Some(0));
}

#[test]
fn a_mistake_on_the_command_line_is_64_and_never_the_2_that_means_changes() {
    for args in [&["frobnicate"][..], &[], &["show"], &["show", "a", "--format", "pdf"], &["version", "--color", "x"]] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{args:?}");
        assert!(stderr.contains("Usage:") || stderr.contains("possible values"), "{stderr}");
    }
}

#[test]
fn a_saved_plan_is_shown_in_each_format() {
    let (_folder, path) = saved(|text| text);
    let (code, text, stderr) = run(&["show", &path]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(text.starts_with("Plan: 1 to add, 0 to change, 0 to destroy.\n"), "{text}");
    let (_, json, _) = run(&["show", &path, "--format", "json"]);
    let plan = SavedPlan::from_text(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(json, plan_json(&plan));
    let (_, markdown, _) = run(&["show", &path, "--format", "markdown"]);
    assert!(markdown.contains("```diff\n"), "{markdown}");
}

#[test]
fn a_plan_that_was_edited_or_is_none_is_invalid_input() {
    let (_folder, edited) = saved(|text| text.replace("open", "shut"));
    let (code, stdout, stderr) = run(&["show", &edited]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains("changed after it was saved"), "{stderr}");
    assert!(stderr.ends_with("Invalid input. Nothing was changed.\n"), "{stderr}");
    let (_folder, newer) = saved(|text| text.replace("\"format_version\":\"2.", "\"format_version\":\"9."));
    assert!(run(&["show", &newer]).2.contains("reads 2."));
    let (_folder, older) = saved(|_| "{\n  \"baseline\": {},\n  \"format_version\": \"1.0\"\n}\n".to_owned());
    let (code, _, stderr) = run(&["show", &older]);
    assert!(code == Some(3) && stderr.contains("format 1.0") && stderr.contains("plan again"), "{stderr}");
    let (_folder, cut) = saved(|text| text.lines().take(2).map(|line| format!("{line}\n")).collect());
    assert!(run(&["show", &cut]).2.contains("ends after line 2"));
    let (_folder, broken) = saved(|text| text.replacen("{\"rows\":", "{\"rows\":[[1,", 1));
    assert!(run(&["show", &broken]).2.contains("line 2, character"));
    let (_folder, none) = saved(|_| "{}".to_owned());
    assert_eq!(run(&["show", &none]).0, Some(3));
    assert_eq!(run(&["show", "no-such-file.json"]).0, Some(3));
}

#[test]
fn colours_come_when_asked_for_and_go_when_refused() {
    let (_folder, path) = saved(|text| text);
    assert!(!run(&["show", &path]).1.contains('\u{1b}'));
    assert!(run(&["show", &path, "--color", "always"]).1.contains('\u{1b}'));
    assert!(!run(&["show", &path, "--color", "always", "--no-color"]).1.contains('\u{1b}'));
    let forced = enact(&["show", &path]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(forced.stdout.contains(&0x1b));
    let refused = enact(&["show", &path]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!refused.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_folder, path) = saved(|text| text);
    let mut child = enact(&["show", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn output_that_is_lost_is_no_success() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let (_folder, path) = saved(|text| text);
    let all = [
        &["show", &path][..],
        &["show", &path, "--format", "html"],
        &["version"],
        &["--version"],
        &["--help"],
        &["man"],
        &["completions", "bash"],
        &["init", "--print-sql"],
    ];
    for args in all {
        let stdout = full.try_clone().unwrap();
        let output = enact(args).stdout(stdout).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}\n{told}");
        assert!(told.contains("stdout did not take the output: No space left on device"), "{args:?}\n{told}");
    }
}

#[test]
fn the_version_says_which_plans_it_reads() {
    let (code, stdout, _) = run(&["version", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(answer["format_version"], "1.0");
    assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(answer["saved_plan_format"], enact::plan::FORMAT_VERSION);
    assert_eq!(answer["features"].as_array().unwrap().is_empty(), !cfg!(feature = "embedded"));
}

#[test]
fn completions_are_written_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, _) = run(&["completions", shell]);
        assert!(code == Some(0) && stdout.contains("enact"), "{shell}");
    }
}

#[test]
fn plan_files_are_checked_without_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    std::fs::create_dir(folder.path().join("plans")).unwrap();
    let file = folder.path().join("plans/a.yaml");
    let plan = "enact: v1\nplan: a\nrows:\n  public.entry:\n    - key: { id: 1 }\n      values: { status: open }\n";
    std::fs::write(&file, plan).unwrap();
    let (code, stdout, stderr) = run(&["validate", "--dir", &dir]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "Valid: 1 plan file with 1 row.\n", ""));
    std::fs::write(&file, plan.replace("values", "valuse")).unwrap();
    let (code, stdout, stderr) = run(&["validate", "--dir", &dir]);
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains("plans/a.yaml:6:7") && stderr.contains("values"), "{stderr}");
    assert_eq!(run(&["validate", "--file", "no-such-folder"]).0, Some(3));
}
