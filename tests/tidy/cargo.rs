//! What is said of dependencies: why each is here, that something uses it, and under which licence it comes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::scan::{Source, has_word};

/// Held at a version for another crate's sake, or reached through a feature; code never names them.
const NEVER_NAMED: &[&str] = &["hashbrown", "num-traits", "virtual-net"];

/// Licences that ask for nothing but a notice.
const ACCEPTED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "Unicode-3.0",
    "PostgreSQL",
];

/// A dependency of `Cargo.toml` and whether a comment beside or above it says why.
pub fn dependencies(manifest: &str) -> Vec<(String, bool)> {
    let (mut out, mut inside, mut commented) = (Vec::new(), false, false);
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.contains("dependencies]");
        } else if inside && !line.starts_with('#') && !line.starts_with(' ') {
            let name = line.split(" = ").next().unwrap_or_default().trim();
            if !name.is_empty() && line.contains(" = ") {
                out.push((name.to_owned(), commented || line.contains(" # ")));
            }
        }
        commented = line.starts_with("# ");
    }
    out
}

/// Whether code names a dependency.
pub fn is_used(name: &str, sources: &[Source]) -> bool {
    let name = match name {
        "md-5" => "md5".to_owned(),
        _ => name.replace('-', "_"),
    };
    let forms = [format!("{name}::"), format!("{name}!"), format!("use {name} as"), format!("extern crate {name};")];
    NEVER_NAMED.contains(&name.replace('_', "-").as_str())
        || sources.iter().any(|source| source.code.iter().any(|line| forms.iter().any(|form| has_word(line, form))))
}

/// Crates of the build whose licence is none of the accepted ones, with the licence.
pub fn odd_licences(root: &Path) -> BTreeMap<String, String> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", platform.as_str()])
        .current_dir(root)
        .output()
        .unwrap_or_else(|error| panic!("cargo metadata cannot be run: {error}"));
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: Vec<&str> = list(&metadata["resolve"]["nodes"]).iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = list(&metadata["packages"]).iter().filter(|p| p["id"].as_str().is_some_and(|id| used.contains(&id)));
    packages
        .map(|package| {
            (package["name"].as_str().unwrap_or_default(), package["license"].as_str().unwrap_or("none named"))
        })
        .filter(|(_, licence)| !is_accepted(licence))
        .map(|(name, licence)| (name.to_owned(), licence.to_owned()))
        .collect()
}

fn list(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An SPDX expression as crates write it: `AND` asks for each part, `OR` and the old `/` for one.
fn is_accepted(licence: &str) -> bool {
    let plain = licence.replace(['(', ')'], "");
    plain.split(" AND ").all(|part| part.replace('/', " OR ").split(" OR ").any(|one| ACCEPTED.contains(&one.trim())))
}
