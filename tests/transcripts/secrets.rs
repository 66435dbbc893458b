//! No secret is in anything that is written: an environment with a secret in every place, and everything that comes of it.

use std::process::{Command, Output};

use crate::support::project::Project;
use crate::transcripts::handbook;

const IN_VARIABLE: &str = "hush-variable-7f31";
const IN_ENV_FILE: &str = "hush-env-file-8a42";
const IN_FILE: &str = "hush-file-9b53";
const IN_COMMAND: &str = "hush-command-0c64";

const CONFIG: &str = r#"enact: v1
default: ci
env_file: variables
environments:
  ci:
    postgres: { conninfo: "${PG}", password: { file: password } }
    qdrant: { url: "${QDRANT}", api_key: { command: [sh, -c, "printf hush-command-0c64"] } }
    embedders:
      default: { kind: static }
      paid: { kind: openai, base_url: "http://127.0.0.1:9/v1", model: m, dimensions: 4, api_key: "${FROM_FILE}" }
    binding: documents
    actor: ci
    sweep_grace: 0s
  nowhere:
    postgres: { conninfo: "postgresql://u:${HUSH}@127.0.0.1:9/x" }
    qdrant: { url: "http://127.0.0.1:9", api_key: { file: password } }
    embedders: { default: { kind: static } }
    binding: documents
"#;

fn run(project: &Project, arguments: &[&str]) -> Output {
    let (postgres, qdrant) = project.endpoints();
    Command::new(env!("CARGO_BIN_EXE_enact"))
        .args(arguments)
        .current_dir(project.path())
        .env_remove("ENACT_ENV")
        .envs([("PG", postgres.as_str()), ("QDRANT", qdrant.as_str()), ("HUSH", IN_VARIABLE)])
        .output()
        .unwrap()
}

#[test]
fn no_surface_journal_or_plan_holds_a_secret() {
    let project = handbook();
    project.write("enact.yaml", CONFIG);
    project.write("variables", &format!("FROM_FILE={IN_ENV_FILE}\n"));
    project.write("password", &format!("{IN_FILE}\n"));
    let mut written = String::new();
    let mut say = |arguments: &[&str], code: i32| {
        let Output { status, stdout, stderr } = run(&project, arguments);
        let text = format!("{arguments:?}\n{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{text}");
        written.push_str(&text);
    };
    for command in
        [&["init"][..], &["validate"], &["fmt", "--check"], &["plan", "--out", "plan.json"], &["plan", "--json"]]
    {
        say(command, 0);
    }
    for format in ["text", "json", "markdown"] {
        say(&["show", "plan.json", "--format", format, "--verbose"], 0);
    }
    say(&["graph"], 0);
    say(&["apply", "plan.json", "--auto-approve", "--verbose"], 0);
    say(&["apply", "plan.json", "--auto-approve", "--json"], 4);
    for command in
        [&["verify"][..], &["verify", "--json"], &["status"], &["status", "--format", "json"], &["resume", "--json"]]
    {
        say(command, 0);
    }
    for format in ["text", "json", "markdown"] {
        say(&["history", "--verbose", "--format", format], 0);
    }
    let id = project.value("SELECT run_id FROM enact.run");
    for format in ["text", "json", "markdown"] {
        say(&["show", &id, "--format", format, "--verbose"], 0);
    }
    say(&["plan", "--env", "nowhere"], 1);
    say(&["plan", "--env", "nowhere", "--json"], 1);
    say(&["plan", "--env", "none"], 3);
    written.push_str(&std::fs::read_to_string(project.path().join("plan.json")).unwrap());
    for table in ["meta", "run", "plan_line", "journal", "managed", "before_image", "staged_point", "approval"] {
        written.push_str(&project.value(&format!("SELECT string_agg(t::text, ' ') FROM enact.{table} t")));
    }
    assert!(written.len() > 30_000, "only {} bytes were written", written.len());
    for secret in [IN_VARIABLE, IN_ENV_FILE, IN_FILE, IN_COMMAND] {
        let at = written.find(secret);
        assert!(at.is_none(), "{secret} stands in: {}", &written[at.unwrap_or(0).saturating_sub(300)..][..400]);
    }
}
