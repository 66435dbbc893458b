//! Golden plans: a plan file over the fixture, and the text that reviewers read. `ENACT_BLESS=1` rewrites them.

use crate::support::plans;

use std::path::Path;

use crate::support::project::Project;

/// Ids and digests are random in a new database: they are shown by their kind.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_hexdigit() || c == '-' {
            word.push(c);
            continue;
        }
        let uuid = word.len() == 36 && word.matches('-').count() == 4;
        let digest = word.len() == 64 && !word.contains('-');
        out.push_str(if uuid {
            "UUID"
        } else if digest {
            "DIGEST"
        } else {
            &word
        });
        word.clear();
        out.push(c);
    }
    out.trim_end().to_owned() + "\n"
}

#[test]
fn plans_read_as_they_did() {
    let project = Project::with_fixture(plans::CONFIG);
    assert_eq!(project.value(plans::COUNTS), plans::BEFORE);
    project.sql("UPDATE dot_config SET updated_at = '2026-01-01 00:00:00+00'");
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/plan");
    for case in ["promotion", "rows"] {
        let folder = cases.join(case);
        let text = std::fs::read_to_string(folder.join("plan.yaml")).expect("a plan file");
        project.write("plans/plan.yaml", &text);
        let found = masked(&project.ok(&["plan", "--verbose"]));
        let golden = folder.join("expected.txt");
        if std::env::var_os("ENACT_BLESS").is_some() {
            std::fs::write(&golden, &found).expect("the golden file");
        }
        assert_eq!(found, std::fs::read_to_string(&golden).unwrap_or_default(), "{case}");
    }
}
