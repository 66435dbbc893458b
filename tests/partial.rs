//! Plans of a part, and the watch on drift, on the embedded stores.

use crate::support::plans::{AFTER, BEFORE, CONFIG, COUNTS, PLAN};
use crate::support::project::Project;

const ROWS: &str = "enact: v1\nplan: rows\nrows:\n  public.dot_config:\n    \
    - { key: { key: partial.one }, values: { value: \"1\" } }\n    - { key: { key: partial.two }, values: { value: \"2\" } }\n";
const CONFIGURED: &str =
    "SELECT coalesce(string_agg(value, ',' ORDER BY key), '') FROM dot_config WHERE key LIKE 'partial.%'";

fn project() -> Project {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.write("plans/rows.yaml", ROWS);
    project
}

#[test]
fn a_target_brings_what_it_needs_and_nothing_else() {
    let project = project();
    let row = "row.public.dot_config[key=partial.one]";
    let plan = project.ok(&["plan", "--target", row, "--out", "one.json"]);
    assert!(plan.starts_with("Plan: 1 to add, 0 to change, 0 to destroy.\nLifecycle: 0 to promote."), "{plan}");
    assert!(plan.contains("W057") && plan.contains("the plan is partial: only row.public.dot_config"), "{plan}");
    for format in ["markdown", "json"] {
        assert!(
            project.ok(&["show", "one.json", "--format", format]).contains("the plan is partial: only"),
            "{format}"
        );
    }
    project.ok(&["apply", "one.json", "--auto-approve"]);
    assert_eq!(project.value(CONFIGURED), "1");
    assert_eq!(project.value(COUNTS), BEFORE);
    // The set indexes what the promotion moves.
    let set = project.ok(&["plan", "--target", "vector_set.iu_core_iu_chunks", "--out", "set.json"]);
    assert!(set.starts_with("Plan: 89 to add, 0 to change, 0 to destroy.\nLifecycle: 86 to promote."), "{set}");
    project.ok(&["apply", "set.json", "--auto-approve"]);
    assert_eq!((project.value(COUNTS).as_str(), project.value(CONFIGURED).as_str()), (AFTER, "1"));
    // What is left is found without them, and nothing was forgotten for being left out.
    let rest = project.ok(&["plan"]);
    assert!(rest.starts_with("Plan: 1 to add, 0 to change, 0 to destroy.\n"), "{rest}");
    let done = project.ok(&["plan", "--target", "promotion.d38"]);
    assert!(done.starts_with("No changes. PostgreSQL and Qdrant match what was asked for"), "{done}");
    assert!(done.contains("W057"), "{done}");
}

#[test]
fn a_part_of_a_promotion_stands_for_all_of_it_and_its_set_may_come_later() {
    let project = project();
    let address =
        project.value("SELECT canonical_address FROM information_unit WHERE canonical_address LIKE 'D38-%' LIMIT 1");
    let plan = project.ok(&["plan", "--target", &format!("lifecycle[\"{address}\"]"), "--out", "plan.json"]);
    assert!(plan.starts_with("Plan: 89 to add, 0 to change, 0 to destroy.\nLifecycle: 86 to promote."), "{plan}");
    assert!(plan.contains("Vectors: 0 to embed"), "{plan}");
    project.ok(&["apply", "plan.json", "--auto-approve"]);
    assert_eq!(project.value(COUNTS), "86/86/86/1/1/0/false");
    project.ok(&["apply", "--auto-approve", "--exclude", "row.public.dot_config"]);
    assert_eq!((project.value(COUNTS).as_str(), project.value(CONFIGURED).as_str()), (AFTER, ""));
}

#[test]
fn what_cannot_be_left_out_or_is_nowhere_is_refused_with_names() {
    let project = project();
    let refused = |arguments: &[&str]| {
        let all = [&["plan"], arguments].concat();
        project.exits(&all, 3).1
    };
    let needed = refused(&["--exclude", "promotion.d38"]);
    let words = "vector_set.iu_core_iu_chunks needs lifecycle[";
    assert!(needed.contains("E069") && needed.contains(words), "{needed}");
    assert!(needed.contains("leave vector_set.iu_core_iu_chunks out too, or keep promotion.d38"), "{needed}");
    let part = refused(&["--exclude", "lifecycle"]);
    assert!(part.contains("is a part of promotion.d38, which goes as a whole"), "{part}");
    let unknown = refused(&["--target", "promotion.d83"]);
    assert!(unknown.contains("E068") && unknown.contains("did you mean \"promotion.d38\"?"), "{unknown}");
    let nothing = refused(&["--target", "promotion.d38", "--exclude", "promotion.d38"]);
    assert!(nothing.contains("leaves nothing of what was asked for"), "{nothing}");
    project.ok(&["plan", "--out", "plan.json"]);
    project.exits(&["apply", "plan.json", "--auto-approve", "--target", "promotion.d38"], 64);
    let both = ["--exclude", "promotion.d38", "--exclude", "vector_set.iu_core_iu_chunks"];
    let left = project.ok(&[&["plan"], both.as_slice()].concat());
    assert!(left.starts_with("Plan: 2 to add, 0 to change, 0 to destroy.\n"), "{left}");
    assert!(left.contains("the plan is partial: without promotion.d38, vector_set.iu_core_iu_chunks"), "{left}");
}

#[test]
fn drift_is_silent_until_there_is_some() {
    let project = project();
    project.ok(&["apply", "--auto-approve"]);
    let none = project.ok(&["drift"]);
    assert!(none.starts_with("No drift: ") && none.lines().count() == 1, "{none}");
    // What the plan files ask for and was never applied is no drift.
    project.write("plans/rows.yaml", &ROWS.replace("\"2\"", "\"3\""));
    project.ok(&["drift"]);
    let prometheus = project.ok(&["drift", "--format", "prometheus"]);
    assert!(prometheus.contains("enact_drift{environment=\"local\",kind=\"points_gone\"} 0\n"), "{prometheus}");
    project.lose_point();
    let (found, _) = project.exits(&["drift"], 9);
    assert!(found.starts_with("Drift: ") && found.contains("1 point"), "{found}");
    let (prometheus, _) = project.exits(&["drift", "--format", "prometheus"], 9);
    assert!(
        prometheus.contains("kind=\"points_gone\"} 1\n") && prometheus.contains("kind=\"verify\"}"),
        "{prometheus}"
    );
    let (json, _) = project.exits(&["drift", "--format", "json"], 9);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["verdict"], &json["counts"]["points_gone"]), (&"drift".into(), &1.into()));
}

#[test]
fn the_timer_leaves_a_whole_file_also_when_something_drifted() {
    let project = project();
    project.ok(&["apply", "--auto-approve"]);
    project.lose_point();
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/systemd/enact-drift.service"));
    let unit = unit.expect("the unit");
    let script = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/bin/sh -c '")?.strip_suffix('\''));
    let script = script.expect("what it runs").replace("$$", "$");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_enact")).parent().expect("its folder");
    let path = format!("{}:/usr/bin:/bin", program.display());
    let ran = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(project.path())
        .env("PATH", path)
        .env("STATE_DIRECTORY", project.path())
        .output()
        .expect("a shell");
    assert_eq!(ran.status.code(), Some(9), "{}", String::from_utf8_lossy(&ran.stderr));
    let answer = std::fs::read_to_string(project.path().join("enact.prom")).expect("the answer");
    assert!(answer.contains("enact_drift_last_check_timestamp{environment=\"local\"} "), "{answer}");
    assert!(!project.path().join("enact.prom.new").exists());
}
