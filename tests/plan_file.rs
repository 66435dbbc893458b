//! Saved plans that somebody wrote into, with the right digest, as whoever may write files can; and runs of an older Enact.

use enact::local::schema;
use serde_json::{Value, json};

use crate::support::project::Project;

fn handbook() -> Project {
    let project = Project::start(include_str!("../examples/documents/enact.yaml"));
    project.write("plans/handbook.yaml", include_str!("../examples/documents/plans/handbook.yaml"));
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project.ok(&["plan", "--out", "plan.json"]);
    project
}

/// Writes `forged.json`: the saved plan with its lines edited, and digested anew.
fn forge(project: &Project, edit: impl Fn(&mut Vec<Value>)) {
    let text = std::fs::read_to_string(project.path().join("plan.json")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut end = lines.pop().unwrap();
    edit(&mut lines);
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    end["end"]["lines"] = json!(lines.len());
    end["end"]["digest"] = json!(blake3::hash(body.as_bytes()).to_hex().to_string());
    project.write("forged.json", &format!("{body}{end}\n"));
}

const STATES: &str = "SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) \
    FROM (SELECT status, count(*) AS n FROM documents GROUP BY status) AS counted";

#[test]
fn what_a_forged_plan_says_beside_its_changes_is_not_done() {
    let project = handbook();
    let before = project.value(STATES);
    let apply = ["apply", "forged.json", "--auto-approve"];
    forge(&project, |lines| {
        lines[0]["pins"]["types"]["public.documents"]["status"] = json!("text || (SELECT 'x')");
    });
    let (_, stderr) = project.exits(&apply, 4);
    assert!(stderr.contains("status of \"public.documents\" has the type text"), "{stderr}");
    forge(&project, |lines| lines[0]["pins"]["binding"]["units"]["title"] = json!("pg_read_file('/etc/passwd')"));
    let (_, stderr) = project.exits(&apply, 4);
    assert!(stderr.contains("another binding"), "{stderr}");
    forge(&project, |lines| lines[0]["steps"] = json!([]));
    let (_, stderr) = project.exits(&apply, 3);
    assert!(stderr.contains("unknown field `steps`"), "{stderr}");
    forge(&project, |lines| lines[0]["pins"]["sets"] = json!({}));
    let (_, stderr) = project.exits(&apply, 3);
    assert!(stderr.contains("a set whose making the first line says"), "{stderr}");
    assert_eq!(project.value(STATES), before);
}

#[test]
fn what_is_done_is_what_is_shown() {
    let project = handbook();
    forge(&project, |lines| {
        let moves = lines.iter_mut().find(|line| line.get("moves").is_some()).unwrap();
        moves["moves"]["to"] = json!("archived");
    });
    let (shown, _) = project.exits(&["show", "forged.json"], 0);
    assert!(shown.contains("archived") && !shown.contains("-> published"), "{shown}");
}

#[test]
fn a_run_of_an_older_format_is_listed_and_not_carried_on() {
    let project = handbook();
    project.ok(&["apply", "plan.json", "--auto-approve"]);
    let run = project.value("SELECT run_id FROM enact.run");
    project.sql(
        "DELETE FROM enact.plan_line; UPDATE enact.run SET plan = '{' || chr(10) || '  \"format_version\": \"1.0\",' \
         || chr(10) || '  \"summary\": ' || (plan::jsonb->'summary')::text || chr(10) || '}'",
    );
    let history = project.ok(&["history"]);
    assert!(history.contains("8 to promote") || history.contains("8 "), "{history}");
    let shown = project.ok(&["show", &run]);
    assert!(shown.contains("Lifecycle: 8 to promote") && shown.contains("format 1.0"), "{shown}");
    project.sql("UPDATE enact.run SET closed_at = NULL, outcome = NULL; DELETE FROM enact.journal WHERE seq > 2");
    let (_, stderr) = project.exits(&["resume"], 1);
    assert!(stderr.contains("its plan has format 1.0") && stderr.contains("the Enact that began it"), "{stderr}");
}
