//! Rules of the house that no compiler holds. Each test lists every place that breaks its rule.
//!
//! Regenerate `docs/errors.md` with `UPDATE_DOCS=1`.

mod cargo;
mod codes;
mod scan;

use std::path::Path;

use scan::{Source, files, has_word};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Modules, or files of one, that hold no clock, environment, randomness, file, async or unordered map.
const PURE: &[&str] = &[
    "src/model/",
    "src/graph/",
    "src/chunk/",
    "src/points/",
    "src/diff/",
    "src/recognise/",
    "src/plan/",
    "src/report/",
    "src/apply/machine",
];
const IMPURE_WORDS: &[&str] = &[
    "HashMap",
    "HashSet",
    "async",
    ".await",
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "SystemTime",
    "Instant",
    "rand::",
    "Timestamp::now",
    "Zoned::now",
    "new_v4",
    "now_v7",
];

/// Crates whose types stay where the reader expects them, and the parts of `src/` that own them.
const OWNED: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["src/store/", "src/local/"]),
    ("qdrant_client", &["src/store/", "src/local/"]),
    ("tonic", &["src/store/", "src/local/"]),
    ("prost", &["src/store/", "src/local/"]),
    ("prost_types", &["src/store/", "src/local/"]),
    ("qdrant_edge", &["src/local/", "src/embed/bm25"]),
    ("pglite_oxide", &["src/local/"]),
    ("reqwest", &["src/embed/"]),
    ("clap", &["src/cli/"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn sources() -> Vec<Source> {
    let paths = files(root(), &["src", "tests", "benches"], "rs");
    paths.iter().map(|path| Source::new(path, &text(path))).collect()
}

#[track_caller]
fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}\n", broken.join("\n  "));
}

/// Places in product code of `src/` where one of some words stands, apart from the paths that may hold it.
fn places(sources: &[Source], words: &[&str], is_bound: impl Fn(&str) -> bool) -> Vec<String> {
    let bound = sources.iter().filter(|source| source.path.starts_with("src/") && is_bound(&source.path));
    bound
        .flat_map(|source| {
            source.product_code().flat_map(move |(line, code)| {
                let found = words.iter().filter(move |word| has_word(code, word));
                found.map(move |word| format!("{}:{line}: {word}", source.path))
            })
        })
        .collect()
}

/// The modules, in the order of `lib.rs`.
fn modules() -> Vec<String> {
    let lib = text("src/lib.rs");
    lib.lines().filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned())).collect()
}

/// The first names after `crate::` in a file, with their lines; `crate::{a, b}` gives both.
fn crate_names(source: &Source) -> Vec<(usize, String)> {
    let code = source.code.join("\n");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let (line, rest) = (code[..at].matches('\n').count() + 1, &code[at + found.len()..]);
        let Some(group) = rest.strip_prefix('{') else {
            out.push((line, rest.chars().take_while(|c| is_word(*c)).collect()));
            continue;
        };
        let mut depth = 1;
        let inside = group.chars().map_while(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (depth > 0).then_some(if depth == 1 { c } else { ' ' })
        });
        let names: String = inside.collect();
        let heads = names.split(',').map(|name| name.trim().chars().take_while(|c| is_word(*c)).collect::<String>());
        out.extend(heads.filter(|name| !name.is_empty()).map(|name| (line, name)));
    }
    out
}

/// Unit tests may use what they test against, such as the embedded servers.
#[test]
fn a_module_uses_only_modules_above_it() {
    let order = modules();
    let rank = |name: &str| order.iter().position(|module| module == name);
    assert!(order.len() > 10, "lib.rs lists {} modules", order.len());
    let broken: Vec<String> = sources()
        .iter()
        .filter_map(|source| Some((source, rank(source.module()?)?)))
        .flat_map(|(source, own)| {
            let names = crate_names(source).into_iter().filter(|(line, _)| !source.test[line - 1]);
            let below = names.filter(move |(_, name)| rank(name).is_some_and(|other| other > own));
            below.map(move |(line, name)| format!("{}:{line}: crate::{name}", source.path))
        })
        .collect();
    none("a module uses only modules above it in src/lib.rs", &broken);
}

#[test]
fn files_and_functions_stay_short() {
    let mut broken = Vec::new();
    for source in sources() {
        if source.raw.len() > FILE_LINES {
            broken.push(format!("{}: {} lines", source.path, source.raw.len()));
        }
        let long = source.functions().into_iter().filter(|(_, lines, _)| *lines > FUNCTION_LINES);
        broken.extend(long.map(|(at, lines, name)| format!("{}:{at}: {name} has {lines} lines", source.path)));
    }
    none(&format!("files have at most {FILE_LINES} lines, functions {FUNCTION_LINES}"), &broken);
}

#[test]
fn client_types_stay_in_the_modules_that_own_them() {
    let sources = sources();
    let broken: Vec<String> = OWNED
        .iter()
        .flat_map(|(name, owners)| {
            let word = format!("{name}::");
            places(&sources, &[word.as_str()], |path| !owners.iter().any(|owner| path.starts_with(owner)))
        })
        .collect();
    none("types of a client are named only where it is used", &broken);
}

/// Payload fields, metadata and names of collections are text in a store for good: one place spells each.
#[test]
fn points_alone_spell_what_a_point_is() {
    const SPELLED: &[&str] = &[
        "\"_enact",
        "\"enact_generation",
        "\"enact_set",
        "\"unit_id\"",
        "\"chunk_index\"",
        "\"chunk_count\"",
        "\"content_digest\"",
        "\"point_key\"",
        "\"{set}@",
        "\"{}@{run}",
    ];
    let broken: Vec<String> = sources()
        .iter()
        .filter(|source| source.path.starts_with("src/") && source.module() != Some("points"))
        .flat_map(|source| {
            let lines = source.raw.iter().zip(&source.test).enumerate().filter(|(_, (_, test))| !**test);
            let found = lines.filter(|(_, (line, _))| SPELLED.iter().any(|word| line.contains(word)));
            found.map(|(at, (line, _))| format!("{}:{}: {}", source.path, at + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect();
    none("only src/points/ spells payload fields, metadata and names of staged collections", &broken);
}

#[test]
fn only_the_command_line_prints() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "io::stdout", "io::stderr"];
    none("only src/cli/ prints", &places(&sources(), &words, |path| !path.starts_with("src/cli/")));
}

#[test]
fn the_pure_core_is_pure() {
    let broken = places(&sources(), IMPURE_WORDS, |path| PURE.iter().any(|pure| path.starts_with(pure)));
    none("same input bytes, same plan bytes: no clock, files, randomness, async or unordered maps here", &broken);
}

#[test]
fn product_code_does_not_panic_on_input() {
    none("errors are values", &places(&sources(), &[".unwrap()", ".expect(\""], |_| true));
}

#[test]
fn nothing_is_left_half_done() {
    let words = ["todo!", "unimplemented!", "dbg!", "#[ignore", "anyhow"];
    let sources = sources();
    let lines =
        sources.iter().flat_map(|source| source.code.iter().enumerate().map(move |(at, line)| (source, at, line)));
    let broken: Vec<String> = lines
        .flat_map(|(source, at, line)| {
            let found = words.iter().filter(move |word| has_word(line, word));
            found.map(move |word| format!("{}:{}: {word}", source.path, at + 1))
        })
        .collect();
    none("no placeholder, no ignored test, no untyped error", &broken);
}

#[test]
fn a_diagnostic_code_has_one_meaning() {
    let codes = codes::declared(&sources());
    assert!(codes.len() > 30, "only {} codes were found", codes.len());
    let twice = codes.windows(2).filter(|pair| pair[0].id == pair[1].id);
    let broken: Vec<String> =
        twice.map(|pair| format!("{}: {} and {}", pair[0].id, pair[0].place, pair[1].place)).collect();
    none("a code is declared once", &broken);
    let unclear = codes.iter().filter(|code| code.meaning.is_empty());
    none("a code has a doc comment", &unclear.map(|code| format!("{} {}", code.place, code.id)).collect::<Vec<_>>());
}

#[test]
fn the_page_of_codes_is_fresh() {
    let page = codes::page(&codes::declared(&sources()));
    let path = root().join("docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(root().join("docs")).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/errors.md is stale; run: UPDATE_DOCS=1 cargo test --release --test suite tidy");
}

#[test]
fn every_example_is_tested_or_compiled_in() {
    let code: Vec<String> =
        sources().into_iter().filter(|s| s.path != "tests/tidy.rs").map(|s| s.raw.join("\n")).collect();
    let named = |path: &str| {
        let quote = format!("\"{path}\"");
        code.iter().any(|text| text.contains(&quote))
    };
    let is_named =
        |path: &str| Path::new(path).ancestors().any(|part| part.parent().is_some() && named(&part.to_string_lossy()));
    let broken: Vec<String> = files(root(), &["examples"], "").into_iter().filter(|path| !is_named(path)).collect();
    none("a test or src/ names every example, or a folder that holds it", &broken);
}

#[test]
fn every_dependency_is_used_and_says_why() {
    let (manifest, sources) = (text("Cargo.toml"), sources());
    let dependencies = cargo::dependencies(&manifest);
    assert!(dependencies.len() > 20, "only {} dependencies were found", dependencies.len());
    let silent = dependencies.iter().filter(|(_, commented)| !commented).map(|(name, _)| name.clone());
    none("a comment beside a dependency says why it is here", &silent.collect::<Vec<_>>());
    let unused = dependencies.iter().filter(|(name, _)| !cargo::is_used(name, &sources)).map(|(name, _)| name.clone());
    none("a dependency is used", &unused.collect::<Vec<_>>());
}

#[cfg(target_os = "linux")]
#[test]
fn licences_are_permissive_or_named_in_the_notice() {
    let notice = text("NOTICE");
    let odd = cargo::odd_licences(root());
    let broken =
        odd.iter().filter(|(name, _)| !has_word(&notice, name)).map(|(name, licence)| format!("{name}: {licence}"));
    none("NOTICE names every dependency with another licence", &broken.collect::<Vec<_>>());
}

#[test]
fn the_page_of_the_architecture_names_the_modules_in_their_order() {
    let page = text("ARCHITECTURE.md");
    let row = |line: &str| Some(line.strip_prefix("| [`")?.split('`').next()?.to_owned());
    let named: Vec<String> = page.lines().filter_map(row).collect();
    assert_eq!(named, modules(), "ARCHITECTURE.md has a row for each module of src/lib.rs, in its order");
    let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let broken: Vec<String> = links.filter(|link| !root().join(link).exists()).map(str::to_owned).collect();
    none("ARCHITECTURE.md links to what is there", &broken);
}

#[test]
fn the_page_for_contributors_names_each_command() {
    use clap::CommandFactory;
    let page = text("CONTRIBUTING.md");
    let commands = enact::cli::args::Args::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    assert!(names.len() > 15, "{names:?}");
    let broken: Vec<String> =
        names.iter().filter(|name| !page.contains(&format!("`{name}`"))).map(|name| (*name).to_owned()).collect();
    none("CONTRIBUTING.md names every command", &broken);
}

/// The harness of the suite runs what its own `#[test]` enters; the attributes of others would drop a test without a word.
#[test]
fn every_test_file_is_a_module_of_the_suite_and_holds_only_its_tests() {
    let suite = text("tests/main.rs");
    let mut broken = Vec::new();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let is_module = path.extension().is_some_and(|end| end == "rs") || path.join("mod.rs").exists();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if is_module && name != "main" && !suite.contains(&format!("mod {name};")) {
            broken.push(format!("{}: tests/main.rs has no \"mod {name};\"", path.display()));
        }
    }
    for source in sources().iter().filter(|source| source.path.starts_with("tests/")) {
        let foreign = source.code.iter().enumerate().filter(|(_, line)| {
            line.contains("::test]") || line.trim_start().starts_with("#[") && line.contains("::test(")
        });
        broken.extend(foreign.map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim())));
    }
    none("a test is a function with #[test] in a module of the suite", &broken);
}

#[test]
fn the_build_server_runs_the_command_of_the_readme() {
    let command = "cargo test --release";
    assert!(text("README.md").lines().any(|line| line.trim() == command), "README.md names another test command");
    assert!(text(".ci/run").lines().any(|line| line.trim() == command), ".ci/run does not run \"{command}\"");
}

#[test]
fn the_repository_stands_alone() {
    // Put together here so that this file does not hold them.
    let names = [concat!("DESIGN", ".md"), concat!("DOMAIN", ".md"), concat!("../", "shared"), concat!("/", "work")];
    let mut broken = Vec::new();
    for path in files(root(), &[""], "") {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for (at, line) in text.lines().enumerate() {
            let found = names.iter().filter(|name| has_word(line, name));
            broken.extend(found.map(|name| format!("{path}:{}: {name}", at + 1)));
        }
    }
    none("nothing refers to files that are not in the repository", &broken);
}

#[test]
fn the_scanner_sees_code_and_not_its_comments_strings_and_tests() {
    let text = "// HashMap\nfn f(a: char) -> &'static str {\n    let _ = ('\"', '\\'', b\"x\\\"HashMap\", r#\"\"HashMap\"#);\n    \
                let b = a; /* HashMap */ \"HashMap\"\n}\n\n#[cfg(test)]\nmod tests {\n    use HashMap;\n}\n\nuse crate::{store, \
                model::{plan, Name}};\nuse crate::local::x;\nstruct HashMap;\n";
    let source = Source::new("src/embed/x.rs", text);
    let found: Vec<usize> =
        source.product_code().filter(|(_, code)| has_word(code, "HashMap")).map(|(line, _)| line).collect();
    assert_eq!(found, [14]);
    assert_eq!(source.functions(), [(2, 4, "f".to_owned())]);
    let names: Vec<(usize, String)> = crate_names(&source);
    let names: Vec<(usize, &str)> = names.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(names, [(12, "store"), (12, "model"), (13, "local")]);
    assert_eq!(source.module(), Some("embed"));
    assert!(
        has_word("a.unwrap()", ".unwrap()") && has_word("tonic::x", "tonic::") && !has_word("mytonic::x", "tonic::")
    );
}
