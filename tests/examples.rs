//! Every example is read by the code that users run, and says what its README promises.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser;
use enact::cli::args::Args;
use enact::model::{BindingRef, Desired, Environment, RowState};
use enact::report::{Color, render_diagnostics};
use enact::spec::{load_binding, load_config, load_plans, parse_plan};

use crate::support::server::Server;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// An example's plans and its default environment, without an error or a warning.
fn load(example: &str) -> (Desired, Environment) {
    let dir = repository(example);
    let (desired, warnings, _) = load_plans(&[dir.join("plans")])
        .unwrap_or_else(|(errors, sources)| panic!("{}", render_diagnostics(&errors, &sources, Color::Off)));
    assert_eq!(warnings.0, []);
    let config = load_config(&dir)
        .unwrap_or_else(|(errors, sources)| panic!("{}", render_diagnostics(&errors, &sources, Color::Off)))
        .unwrap_or_else(|| panic!("{example} has no enact.yaml"));
    assert_eq!(config.warnings().0, []);
    let environment = config.environment(None).unwrap_or_else(|errors| panic!("{errors:?}"));
    (desired, environment)
}

fn names<'a, T: 'a>(map: impl IntoIterator<Item = (&'a String, &'a T)>) -> Vec<&'a str> {
    map.into_iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn the_charter_promotes_and_indexes() {
    let (desired, environment) = load("examples/charter");
    assert_eq!(names(&desired.promotions), ["charter-2026"]);
    assert_eq!(names(&desired.vector_sets), ["iu_core_iu_chunks"]);
    assert_eq!(names(&desired.vector_sets["iu_core_iu_chunks"].vectors), ["dense", "text"]);
    assert_eq!(environment.binding, BindingRef::Shipped("iu-core".to_owned()));
    let binding = load_binding(&environment.binding).unwrap_or_else(|(errors, _)| panic!("{errors:?}"));
    assert_eq!(binding.name, "iu-core");
}

#[test]
fn the_handbook_promotes_and_indexes() {
    let (desired, environment) = load("examples/documents");
    assert_eq!(names(&desired.promotions), ["spring-edition"]);
    assert_eq!(names(&desired.vector_sets), ["handbook"]);
    assert_eq!(environment.binding, BindingRef::Shipped("documents".to_owned()));
}

#[test]
fn the_settings_are_rows_to_keep_and_one_to_remove() {
    let (desired, _) = load("examples/rows");
    let count = |state: RowState| -> usize {
        desired.rows.iter().filter(|set| set.state == state).map(|set| set.rows.len()).sum()
    };
    assert_eq!((count(RowState::Present), count(RowState::Absent)), (4, 1));
}

#[test]
fn the_field_s_packages_are_two_plans() {
    let (desired, warnings, _) = load_plans(&[repository("plans")])
        .unwrap_or_else(|(errors, sources)| panic!("{}", render_diagnostics(&errors, &sources, Color::Off)));
    assert_eq!((warnings.0.len(), desired.files.len()), (0, 2));
    assert_eq!(names(&desired.promotions), ["iu-core-8000x"]);
    assert_eq!(names(&desired.vector_sets), ["iu_core_iu_chunks"]);
}

#[test]
fn the_first_line_leads_an_editor_to_the_schema() {
    for example in ["examples/charter", "examples/documents", "examples/rows"] {
        let plans = std::fs::read_dir(repository(example).join("plans")).unwrap().map(|entry| entry.unwrap().path());
        for file in plans.chain([repository(example).join("enact.yaml")]) {
            let text = std::fs::read_to_string(&file).unwrap();
            let schema = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
            let schema = schema.unwrap_or_else(|| panic!("{} names no schema", file.display()));
            assert!(file.with_file_name(schema).is_file(), "{}: there is no {schema}", file.display());
        }
    }
}

#[test]
fn the_readme_shows_files_that_can_be_read() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").map_or(rest, |(block, _)| block)).collect();
    let [plan, config] = blocks.as_slice() else { panic!("{} blocks of YAML", blocks.len()) };
    let (desired, warnings) = parse_plan("README.md", plan).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!((desired.promotions.len(), desired.rows.len(), warnings.0.len()), (1, 1, 0));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("enact.yaml"), config).unwrap();
    std::fs::write(dir.path().join(".env"), "OPENAI_API_KEY=not-a-key\n").unwrap();
    let config = load_config(dir.path()).unwrap_or_else(|(errors, _)| panic!("{errors:?}")).unwrap();
    assert_eq!(config.warnings().0, []);
    assert_eq!(config.environment(None).map(|environment| environment.name), Ok("staging".to_owned()));
}

fn yaml(path: &str) -> (String, serde_json::Value) {
    let text = std::fs::read_to_string(repository(path)).unwrap();
    let value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    (text, value)
}

/// Every text under these keys: what a build server runs.
fn scripts(value: &serde_json::Value, keys: &[&str], out: &mut Vec<String>) {
    let inner: Vec<(bool, &serde_json::Value)> = match value {
        serde_json::Value::Object(map) => {
            map.iter().map(|(key, value)| (keys.contains(&key.as_str()), value)).collect()
        }
        serde_json::Value::Array(items) => items.iter().map(|item| (false, item)).collect(),
        _ => Vec::new(),
    };
    for (is_script, value) in inner {
        match value {
            serde_json::Value::String(text) if is_script => out.push(text.clone()),
            serde_json::Value::Array(lines) if is_script => {
                out.extend(lines.iter().filter_map(|line| line.as_str().map(str::to_owned)));
            }
            _ => scripts(value, keys, out),
        }
    }
}

/// The command lines of a script that begin with `enact`, each up to a redirection or the next command.
fn command_lines(script: &str) -> Vec<Vec<String>> {
    let plain = script.replace("\\\n", " ");
    let ends = |word: &str| word.starts_with(['>', '|', '&', ';', ')']) || word.starts_with("2>");
    let of = |line: &str| {
        let line = line.trim();
        line.starts_with("enact ")
            .then(|| line.split_whitespace().take_while(|word| !ends(word)).map(str::to_owned).collect())
    };
    plain.lines().filter_map(of).collect()
}

#[test]
fn workflows_parse_and_every_command_in_them_is_one_of_ours() {
    for folder in ["examples/github", "examples/gitlab"] {
        assert!(repository(folder).join("README.md").is_file(), "{folder}");
    }
    let (github, gitlab) = ("examples/github/enact.yml", "examples/gitlab/.gitlab-ci.yml");
    for (path, keys) in [(github, &["run"][..]), (gitlab, &["script", "before_script"][..])] {
        let (text, value) = yaml(path);
        let mut found = Vec::new();
        scripts(&value, keys, &mut found);
        let lines: Vec<Vec<String>> = found.iter().flat_map(|script| command_lines(script)).collect();
        let mut commands: BTreeSet<&str> = lines.iter().map(|line| line[1].as_str()).collect();
        commands.remove("version");
        assert_eq!(commands.into_iter().collect::<Vec<_>>(), ["apply", "plan", "resume", "verify"], "{path}");
        for line in &lines {
            Args::try_parse_from(line).unwrap_or_else(|error| panic!("{path}: {}\n{error}", line.join(" ")));
        }
        // An expression in a script would be run by the shell, whatever a branch or a title holds.
        assert!(found.iter().all(|script| !script.contains("${{")), "{path}: an expression stands in a script");
        assert!(!text.contains("pull_request_target:"), "{path}");
        for script in &found {
            let status = std::process::Command::new("bash").args(["-n", "-c", script]).status().unwrap();
            assert!(status.success(), "{path}: bash does not parse\n{script}");
        }
    }
}

#[test]
fn the_workflow_pins_its_actions_and_asks_for_little() {
    let (text, value) = yaml("examples/github/enact.yml");
    let actions: Vec<&str> =
        text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")).collect();
    assert!(actions.len() >= 4);
    for action in actions {
        let (_, rest) = action.split_once('@').unwrap();
        let (sha, version) = rest.split_once(" # v").unwrap_or_else(|| panic!("{action} names no version"));
        assert!(sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit()) && !version.is_empty(), "{action}");
    }
    assert_eq!(value["permissions"], serde_json::json!({}));
    let rights = |job: &str| value["jobs"][job]["permissions"].clone();
    assert_eq!(rights("plan"), serde_json::json!({ "contents": "read", "pull-requests": "write" }));
    assert_eq!(rights("apply"), serde_json::json!({ "contents": "read", "pull-requests": "read" }));
}

/// The header of a unit's file as keys and values, and whether a body follows.
fn unit(path: &Path) -> (Vec<(String, String)>, bool) {
    let text = std::fs::read_to_string(path).unwrap();
    let (header, body) = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---"))
        .unwrap_or_else(|| panic!("{} has no header", path.display()));
    let pairs = header.lines().map(|line| {
        let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", path.display()));
        (key.to_owned(), value.to_owned())
    });
    (pairs.collect(), !body.trim().is_empty())
}

#[test]
fn the_corpus_is_what_its_readme_says() {
    const KEYS: [&str; 7] = ["address", "title", "unit_kind", "section_type", "doc_code", "sort_order", "parent"];
    let walk = walkdir::WalkDir::new(repository("examples/charter/corpus")).into_iter().map(Result::unwrap);
    let files: Vec<PathBuf> =
        walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect();
    let units: Vec<_> = files.iter().map(|path| unit(path)).collect();
    let values = |key: &str| -> Vec<&str> {
        units.iter().flat_map(|(pairs, _)| pairs).filter(|(k, _)| k == key).map(|(_, value)| value.as_str()).collect()
    };
    for (pairs, _) in &units {
        let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        assert!(keys == KEYS || keys == KEYS[..6], "{keys:?}");
    }
    let addresses: BTreeSet<&str> = values("address").into_iter().collect();
    assert_eq!((units.len(), addresses.len()), (189, 189));
    assert_eq!(values("parent").into_iter().find(|parent| !addresses.contains(parent)), None);
    let count = |section_type: &str| values("section_type").into_iter().filter(|found| *found == section_type).count();
    assert_eq!((count("article"), count("principle"), count("section")), (120, 20, 49));
    assert_eq!(units.iter().filter(|(_, has_body)| !has_body).count(), 6);
}

#[test]
async fn the_seed_fits_the_table_and_the_plan() {
    let server = Server::start().await;
    let (client, connection) = tokio_postgres::connect(&server.conninfo(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for file in ["schemas/sql/documents.sql", "examples/documents/seed.sql"] {
        client.batch_execute(&std::fs::read_to_string(repository(file)).unwrap()).await.unwrap();
    }
    let (desired, _) = load("examples/documents");
    let expected = desired.units["new-chapters"].expect.as_ref().and_then(|expect| expect.value.count);
    let sql =
        "SELECT count(*) FILTER (WHERE status = 'draft' AND slug LIKE 'handbook/%'), count(*) FROM public.documents";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((expected, row.get::<_, i64>(1)), (Some(row.get::<_, i64>(0).unsigned_abs()), 12));
}
