//! The demo as somebody meets it who has the binary and an empty folder, and what they do next.

use std::path::Path;
use std::process::{Command, Output};

fn enact(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    command.current_dir(dir).args(args).args(["--no-input", "--no-color"]).env_remove("ENACT_ENV");
    command.output().unwrap()
}

/// Runs a command that must end with a code, and gives its stdout.
#[track_caller]
fn run(dir: &Path, args: &[&str], code: i32) -> String {
    let output = enact(dir, args);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "enact {args:?}\n{out}\n{err}");
    out
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
}

const NO_CHANGES: &str = "No changes. PostgreSQL and Qdrant match the plan.";

#[test]
fn a_demo_in_an_empty_folder_leaves_a_project_that_works() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();

    let first = run(dir, &["demo"], 0);
    has(&first, &["$ enact local load corpus\n189 units: 189 created", "$ enact plan --out plan.json"]);
    has(&first, &["Lifecycle: 140 to promote. Vectors: ", "Applied. PostgreSQL and Qdrant match the plan."]);
    has(&first, &["$ enact search \"who may grant access to restricted data\"", "CHARTER/ART-12\n"]);
    has(&first, &["DIEU-LE/", NO_CHANGES, "Done in "]);
    for file in ["enact.yaml", "plans/charter.yaml", "schemas/plan.schema.json", "plan.json", ".enact/demo"] {
        assert!(dir.join(file).is_file(), "{file}");
    }

    has(&run(dir, &["plan", "--detailed-exitcode"], 0), &[NO_CHANGES]);

    let file = dir.join("corpus/charter/23-who-may-grant-access.md");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("is the proof.", "is the only proof that counts.")).unwrap();
    has(&run(dir, &["local", "load"], 0), &["189 units: 1 amended, 188 unchanged"]);
    let changed = run(dir, &["plan", "--detailed-exitcode"], 2);
    has(&changed, &["CHARTER/ART-12 ", "Vectors: 1 to embed"]);
    has(&run(dir, &["apply", "--auto-approve"], 0), &["Applied. PostgreSQL and Qdrant match the plan."]);

    let second = run(dir, &["demo"], 0);
    has(&second, &["Kept as you have it: corpus/charter/23-who-may-grant-access.md", "189 units: 189 unchanged"]);
    has(&second, &[NO_CHANGES, "CHARTER/ART-12\n"]);
    assert!(!second.contains("$ enact apply plan.json"), "{second}");
}

#[test]
fn a_corpus_with_mistakes_is_not_loaded_and_each_file_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let corpus = temp.path().join("corpus");
    std::fs::create_dir(&corpus).unwrap();
    std::fs::write(corpus.join("a.md"), "---\naddress: A\ntitle: T\nauthor: me\n---\n").unwrap();
    std::fs::write(corpus.join("b.md"), "text\n").unwrap();
    std::fs::write(corpus.join("c.md"), "---\naddress: C\ntitle: T\n---\nfine\n").unwrap();
    let output = enact(temp.path(), &["local", "load"]);
    assert_eq!(output.status.code(), Some(3));
    let err = String::from_utf8(output.stderr).unwrap();
    has(&err, &["corpus/a.md:4: ", "`author`", "corpus/b.md:1: no header"]);
    assert!(!temp.path().join(".enact").exists(), "nothing was started for a corpus that cannot be loaded");

    std::fs::remove_file(corpus.join("b.md")).unwrap();
    std::fs::write(corpus.join("a.md"), "---\naddress: A\ntitle: T\nparent: NOWHERE\n---\n").unwrap();
    let output = enact(temp.path(), &["local", "load"]);
    assert_eq!(output.status.code(), Some(3));
    has(&String::from_utf8(output.stderr).unwrap(), &["corpus/a.md: fn_iu_place refused \"A\"", "parent_not_found"]);
    std::fs::write(corpus.join("a.md"), "---\naddress: A\ntitle: T\n---\n").unwrap();
    has(&run(temp.path(), &["local", "load"], 0), &["2 units: 2 created"]);
}

#[test]
fn a_script_runs_whole_or_not_at_all() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write("good.sql", "CREATE TABLE t (n int); DO $$ BEGIN INSERT INTO t VALUES (1); END $$; -- a; comment\n");
    write("half.sql", "INSERT INTO t VALUES (2); INSERT INTO nowhere VALUES (1);");
    write("ends.sql", "COMMIT;");
    write("check.sql", "SELECT 1 / (count(*) = 1)::int FROM t;");
    has(&run(dir, &["local", "sql", "good.sql"], 0), &["good.sql: done."]);
    run(dir, &["local", "sql", "half.sql"], 1);
    run(dir, &["local", "sql", "ends.sql"], 1);
    run(dir, &["local", "sql", "check.sql"], 0);
    has(&run(dir, &["local", "status"], 0), &["Stopped."]);
    run(dir, &["local", "reset"], 1);
    has(&run(dir, &["local", "reset", "--auto-approve"], 0), &["Deleted ./.enact/postgres"]);
    run(dir, &["local", "sql", "check.sql"], 1);
}
