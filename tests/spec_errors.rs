//! What people see when a plan file or `enact.yaml` is wrong, and what never changes whatever the input.
//!
//! A case is a directory with plan files or an `enact.yaml` and the golden text. `UPDATE_GOLDEN=1` writes the golden text
//! anew.

use std::path::{Path, PathBuf};

use enact::model::{Desired, Diagnostics, SecretSource, Stores};
use enact::report::{Color, render_diagnostics};
use enact::spec::{self, Sources};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn every_mistake_is_shown_with_its_place_and_a_way_out() {
    let mut wrong = Vec::new();
    let cases = directories("tests/cases/spec");
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    for case in cases {
        let shown = show(&case);
        let golden = case.join("expected.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &shown).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if shown != expected {
            wrong.push(format!("--- {}\n{shown}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "golden texts differ; see UPDATE_GOLDEN=1\n{}", wrong.join("\n"));
}

#[test]
fn a_missing_plan_file_and_an_empty_directory_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().to_owned();
    let (diagnostics, _) = spec::load_plans(&["no/such.yaml".into(), empty]).unwrap_err();
    let codes: Vec<&str> = diagnostics.0.iter().map(|d| d.code.id).collect();
    assert_eq!(codes, ["E030", "E001"]);
    assert_eq!(diagnostics.0[1].detail, "\"no/such.yaml\" does not exist");
}

#[test]
fn a_directory_without_enact_yaml_has_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    assert!(spec::load_config(dir.path()).unwrap().is_none());
}

#[test]
fn the_shipped_bindings_load_and_another_name_does_not() {
    use enact::model::{BindingRef, IdScheme};
    for name in ["iu-core", "documents"] {
        let binding = spec::load_binding(&BindingRef::Shipped(name.into())).unwrap_or_else(|(diagnostics, sources)| {
            panic!("{}", render_diagnostics(&diagnostics, &sources, Color::Off))
        });
        assert_eq!(binding.name, name);
        if name == "iu-core" {
            assert!(matches!(&binding.id_schemes["md5-colon"], IdScheme::Md5 { prefix, .. } if prefix == "cf0000"));
            assert_eq!(binding.promotion.rows.len(), 4);
        }
    }
    let (unknown, _) = spec::load_binding(&BindingRef::Shipped("iucore".into())).unwrap_err();
    assert_eq!(unknown.0[0].code.id, "E028");
}

#[test]
fn a_binding_file_shows_every_contradiction_at_its_place() {
    let path = Path::new("tests/cases/binding.yaml");
    let place = enact::model::Place { file: "enact.yaml".into(), line: 1, column: 1, start: 0, end: 1 };
    let reference = enact::model::BindingRef::File { path: path.to_owned(), place };
    let (diagnostics, sources) = spec::load_binding(&reference).unwrap_err();
    let shown = render_diagnostics(&diagnostics, &sources, Color::Off);
    let golden = Path::new("tests/cases/binding.expected.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(golden).unwrap_or_default());
}

#[test]
fn plans_that_load_satisfy_the_schema_and_the_shown_mistakes_of_shape_do_not() {
    let schema = jsonschema::validator_for(&spec::schema::plan_schema()).unwrap();
    let mut checked = 0;
    for file in yaml_files(&["plans", "examples", "tests/cases/spec"]) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if !text.contains("enact: v1") || file.ends_with("enact.yaml") {
            continue;
        }
        let Ok(value) = serde_saphyr::from_str::<Value>(&text) else { continue };
        // By its path, from which its data files are found.
        match spec::parse_plan(&file.display().to_string(), &text) {
            Ok(_) => {
                let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
                assert!(errors.is_empty(), "{}: {errors:?}", file.display());
                checked += 1;
            }
            Err(diagnostics) if diagnostics.0.iter().any(|d| matches!(d.code.id, "E010" | "E011")) => {
                assert!(!schema.is_valid(&value), "the schema allows {}", file.display());
            }
            Err(_) => {}
        }
    }
    assert!(checked > 0, "no plan was checked");
}

#[test]
fn configurations_that_load_satisfy_the_schema() {
    let schema = jsonschema::validator_for(&spec::schema::config_schema()).unwrap();
    let mut checked = 0;
    for file in yaml_files(&["examples", "tests/cases/spec", "."]).into_iter().filter(|f| f.ends_with("enact.yaml")) {
        let Ok(Some(_)) = spec::load_config(file.parent().unwrap()) else { continue };
        let value: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        checked += 1;
    }
    assert!(checked > 0, "no configuration was checked");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("enact.yaml"), &bytes).unwrap();
        std::fs::write(dir.path().join("plan.yaml"), &bytes).unwrap();
        if let Err((diagnostics, sources)) = spec::load_config(dir.path()) {
            prop_assert!(!render_diagnostics(&diagnostics, &sources, Color::Off).is_empty());
        }
        let result = spec::load_plans(&[dir.path().to_owned()]);
        prop_assert!(result.is_err());
        if let Err((diagnostics, sources)) = result {
            prop_assert!(!render_diagnostics(&diagnostics, &sources, Color::Off).is_empty());
        }
    }

    #[test]
    fn soup_of_yaml_never_panics(words in proptest::collection::vec(proptest::sample::select(SOUP), 0..60)) {
        let text = words.concat();
        if let Err(diagnostics) = spec::parse_plan("plan.yaml", &text) {
            let mut sources = Sources::default();
            sources.insert("plan.yaml", text.as_str());
            prop_assert!(diagnostics.0.iter().all(|d| d.code.id.starts_with('E')));
            render_diagnostics(&diagnostics, &sources, Color::On);
        }
    }

    #[test]
    fn the_order_of_keys_means_nothing(seed in any::<u64>()) {
        let text = std::fs::read_to_string("tests/cases/spec/valid-plan/plan.yaml").unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let mut shuffled = String::new();
        write_shuffled(&value, &mut { seed }, &mut shuffled);
        // Both as JSON spells values, because rows keep the spelling of the file.
        let (straight, _) = spec::parse_plan("plan.yaml", &value.to_string()).unwrap();
        let (other, _) = spec::parse_plan("plan.yaml", &shuffled).unwrap();
        prop_assert_eq!(without_places(straight), without_places(other));
    }
}

const SOUP: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "'",
    "\"",
    "|\n",
    ">\n",
    "#",
    "? ",
    "<<: ",
    "---\n",
    "...\n",
    "\t",
    "é",
    "enact: v1",
    "plan: p",
    "units",
    "where",
    "promotions",
    "rows",
    "a.b",
    "key",
    "values",
    "chunk_policies",
    "vector_sets",
    "vectors",
    "null",
    "1",
    "0x1",
    ".nan",
    "~",
    "%YAML 1.2\n",
];

/// JSON is YAML; keys come in an order that the seed gives.
fn write_shuffled(value: &Value, seed: &mut u64, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            for i in (1..entries.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                entries.swap(i, usize::try_from((*seed >> 33) % (i as u64 + 1)).unwrap());
            }
            out.push('{');
            for (key, value) in entries {
                out.push_str(&format!("{}: ", Value::from(key.as_str())));
                write_shuffled(value, seed, out);
                out.push_str(", ");
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_shuffled(item, seed, out);
                out.push_str(", ");
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn without_places(mut desired: Desired) -> String {
    desired.files.clear();
    let of_a_place =
        |line: &str| ["file:", "line:", "column:", "start:", "end:"].iter().any(|key| line.starts_with(key));
    format!("{desired:#?}").lines().filter(|line| !of_a_place(line.trim())).collect::<Vec<_>>().join("\n")
}

fn show(case: &Path) -> String {
    if case.join("enact.yaml").exists() { show_config(case) } else { show_plans(case) }
}

fn show_plans(case: &Path) -> String {
    match spec::load_plans(&[case.to_owned()]) {
        Ok((_, warnings, sources)) => format!("{}ok\n", render_diagnostics(&warnings, &sources, Color::Off)),
        Err((diagnostics, sources)) => render_diagnostics(&diagnostics, &sources, Color::Off),
    }
}

fn show_config(case: &Path) -> String {
    let config = match spec::load_config(case) {
        Ok(Some(config)) => config,
        Ok(None) => panic!("{} has no enact.yaml", case.display()),
        Err((diagnostics, sources)) => return render_diagnostics(&diagnostics, &sources, Color::Off),
    };
    let warnings = render_diagnostics(config.warnings(), config.sources(), Color::Off);
    let chosen = std::fs::read_to_string(case.join("environment")).ok();
    let shown = match config.environment(chosen.as_deref().map(str::trim)) {
        Ok(environment) => {
            let mut diagnostics = Diagnostics::default();
            for source in secrets(&environment.stores) {
                diagnostics.0.extend(spec::secret::resolve(source, config.env_file()).err());
            }
            diagnostics
        }
        Err(diagnostics) => diagnostics,
    };
    let ok = if shown.has_errors() { "" } else { "ok\n" };
    format!("{warnings}{}{ok}", render_diagnostics(&shown, config.sources(), Color::Off))
}

fn secrets(stores: &Stores) -> Vec<&SecretSource> {
    match stores {
        Stores::Local { .. } => Vec::new(),
        Stores::Remote { postgres, qdrant } => {
            [Some(&postgres.conninfo), postgres.password.as_ref(), Some(&qdrant.url), qdrant.api_key.as_ref()]
                .into_iter()
                .flatten()
                .collect()
        }
    }
}

fn directories(path: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn yaml_files(roots: &[&str]) -> Vec<PathBuf> {
    let depth = |root: &str| if root == "." { 1 } else { 8 };
    let walk = roots.iter().flat_map(|root| walkdir::WalkDir::new(root).max_depth(depth(root)).sort_by_file_name());
    let files = walk.filter_map(Result::ok).map(walkdir::DirEntry::into_path);
    files.filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml")).collect()
}
