//! What machines read: real plans and a real run, held against the schemas.

use std::process::Output;

use serde_json::Value;

use crate::support::plans::{CONFIG, PLAN};
use crate::support::project::Project;

fn schema(name: &str) -> jsonschema::Validator {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn holds(schema: &jsonschema::Validator, value: &Value) {
    let broken: Vec<String> =
        schema.iter_errors(value).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The lines of a stream, each held against the schema; the first and the last are what they have to be.
#[track_caller]
fn stream(output: &Output, code: i32) -> Vec<Value> {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "nothing is said beside the stream");
    let schema = schema("events");
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter().for_each(|line| holds(&schema, line));
    let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!((&first["type"], &first["format_version"]), (&Value::from("version"), &Value::from("1.0")), "{stdout}");
    assert_eq!((&last["type"], &last["exit_code"]), (&Value::from("outcome"), &Value::from(code)), "{stdout}");
    assert_eq!(output.status.code(), Some(code));
    let ends = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((ends("version"), ends("outcome")), (1, 1), "{stdout}");
    lines
}

fn of<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[test]
fn a_real_plan_and_a_real_run_are_what_the_schemas_say() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let plan = project.ok(&["plan", "--format", "json", "--out", "plan.json"]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    holds(&schema("shown-plan"), &plan);
    for line in std::fs::read_to_string(project.path().join("plan.json")).unwrap().lines() {
        holds(&schema("saved-plan"), &serde_json::from_str(line).unwrap());
    }
    assert_eq!(project.ok(&["show", "plan.json", "--format", "json"]), project.ok(&["plan", "--format", "json"]));

    let planned = stream(&project.enact(&["plan", "--json", "--detailed-exitcode"]), 2);
    assert_eq!(of(&planned, "plan_summary")[0]["summary"], plan["summary"]);
    let changes: Vec<&Value> = of(&planned, "planned_change").iter().map(|line| &line["address"]).collect();
    let expected: Vec<&Value> = plan["changes"].as_array().unwrap().iter().map(|change| &change["address"]).collect();
    assert_eq!(changes, expected);

    let asked = stream(&project.enact(&["apply", "plan.json", "--json"]), 1);
    assert!(of(&asked, "run_opened").is_empty(), "{asked:?}");

    let applied = stream(&project.enact(&["apply", "plan.json", "--json", "--auto-approve"]), 0);
    let run = of(&applied, "run_opened")[0]["run"].clone();
    let after = applied.iter().skip_while(|line| line["type"] != "run_opened");
    assert!(after.clone().all(|line| line["run"] == run), "every line of a run names it");
    let phases: Vec<&Value> = of(&applied, "phase_began").iter().map(|line| &line["phase"]).collect();
    assert_eq!(phases, ["stage", "transaction", "settle"]);
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(of(&applied, "step_done").len(), steps.len());
    assert_eq!(of(&applied, "decided").len(), 1);
    let embedded = of(&applied, "progress").into_iter().rfind(|line| line["activity"] == "embed").unwrap();
    assert_eq!(embedded["done"], embedded["total"]);

    let verified = stream(&project.enact(&["verify", "--json"]), 0);
    assert!(of(&verified, "check").iter().all(|check| check["status"] != "failed"));
    let resumed = stream(&project.enact(&["resume", "--json"]), 0);
    assert_eq!(of(&resumed, "outcome")[0]["verdict"], "No run is unfinished. Nothing to do.");
    let twice = stream(&project.enact(&["apply", "plan.json", "--json", "--auto-approve"]), 4);
    assert_eq!(of(&twice, "outcome")[0]["name"], "stale");

    project.write("plans/cycle.yaml", &PLAN.replace("promotions:", "promotion:"));
    let refused = stream(&project.enact(&["plan", "--json"]), 3);
    let mistake = of(&refused, "diagnostic")[0];
    assert_eq!((&mistake["code"], &mistake["place"]["line"]), (&Value::from("E010"), &Value::from(5)), "{mistake}");

    let document: Value =
        serde_json::from_str(&project.ok(&["show", run.as_str().unwrap(), "--format", "json"])).unwrap();
    assert_eq!(document["plan"], plan);
    assert_eq!(document["run"]["outcome"], "applied");
}
