//! Finds, reads and merges plan files, with the data files that they name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codes;
use super::data::{self, DataRows, Folders};
use super::merge::merge;
use super::plan_file::{PlanFile, read_plan};
use super::sources::Sources;
use crate::model::{Desired, Diagnostic, Diagnostics, Place};

/// The current folder.
const HERE: &str = ".";

/// What was read, warnings, and the texts to show them in; or every mistake with those.
type Loaded = Result<(Desired, Diagnostics, Sources), (Diagnostics, Sources)>;

/// Loads plan files of a project in the current folder.
///
/// # Errors
/// Every mistake in every file, with the texts to show them in.
pub fn load_plans(paths: &[PathBuf]) -> Loaded {
    load_plans_in(Path::new(HERE), paths)
}

/// Loads plan files of a project, and the data files that they name. A directory stands for the `*.yaml` and `*.yml` in it,
/// without `enact.yaml`.
///
/// # Errors
/// Every mistake in every file, with the texts to show them in.
pub fn load_plans_in(project: &Path, paths: &[PathBuf]) -> Loaded {
    let mut out = Diagnostics::default();
    let mut sources = Sources::default();
    let texts = read_plan_texts(paths, &mut sources, &mut out);
    parsed(project, &texts, out, sources)
}

fn parsed(project: &Path, texts: &BTreeMap<String, String>, out: Diagnostics, mut sources: Sources) -> Loaded {
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    match parse_plans(project, &texts, &mut sources, out) {
        Ok((desired, warnings)) => Ok((desired, warnings, sources)),
        Err(diagnostics) => Err((diagnostics, sources)),
    }
}

/// Loads plan files of a project together with a text that is yet to become one.
///
/// # Errors
/// Every mistake in every file and in the text.
pub fn load_plans_with(project: &Path, paths: &[PathBuf], (name, text): (&str, &str)) -> Loaded {
    let mut out = Diagnostics::default();
    let mut sources = Sources::default();
    let mut texts = read_plan_texts(paths, &mut sources, &mut out);
    sources.insert(name, text);
    texts.insert(name.to_owned(), text.to_owned());
    parsed(project, &texts, out, sources)
}

/// Reads the texts of plan files, by the name that a message calls them. A directory stands for the plan files in it.
pub fn read_plan_texts(paths: &[PathBuf], sources: &mut Sources, out: &mut Diagnostics) -> BTreeMap<String, String> {
    // By the file's identity, so that a file named twice is read once.
    let mut files = BTreeMap::<PathBuf, String>::new();
    for path in paths {
        expand(path, &mut files, out);
    }
    let mut texts = BTreeMap::<String, String>::new();
    for (path, name) in files {
        if let Some(text) = read_text(&path, &name, sources, out) {
            texts.insert(name, text);
        }
    }
    texts
}

/// Reads one plan file's text, and the data files that it names.
///
/// # Errors
/// Every mistake in it.
pub fn parse_plan(file_name: &str, text: &str) -> Result<(Desired, Diagnostics), Diagnostics> {
    parse_plans(Path::new(HERE), &[(file_name, text)], &mut Sources::default(), Diagnostics::default())
}

fn parse_plans(
    project: &Path,
    texts: &[(&str, &str)],
    sources: &mut Sources,
    mut out: Diagnostics,
) -> Result<(Desired, Diagnostics), Diagnostics> {
    let mut plans = Vec::with_capacity(texts.len());
    for (name, text) in texts {
        let mut plan = read_plan(&Arc::from(*name), text, &mut out);
        let folders = Folders { plan: Path::new(name).parent().unwrap_or(Path::new(HERE)), project };
        read_data(&mut plan, &folders, sources, &mut out);
        plans.push(plan);
    }
    let desired = merge(plans, &mut out);
    sort_by_place(&mut out);
    out.into_result(desired)
}

/// Reads the data files that a plan file names.
fn read_data(plan: &mut PlanFile, folders: &Folders<'_>, sources: &mut Sources, out: &mut Diagnostics) {
    let name = plan.desired.files.first().map(|file| file.plan.clone()).unwrap_or_default();
    for from in std::mem::take(&mut plan.data) {
        if let Some(DataRows { file, sets }) = data::read(&from, &name, folders, sources, out) {
            if !plan.desired.files.contains(&file) {
                plan.desired.files.push(file);
            }
            plan.desired.rows.extend(sets);
        }
    }
}

/// In the order of the files, what has no place first.
pub(super) fn sort_by_place(out: &mut Diagnostics) {
    out.0.sort_by(|a, b| {
        let key = |d: &Diagnostic| d.place.as_ref().map(|place| (place.file.clone(), place.start));
        key(a).cmp(&key(b))
    });
}

fn expand(path: &Path, files: &mut BTreeMap<PathBuf, String>, out: &mut Diagnostics) {
    let name = path.display().to_string();
    if !path.is_dir() {
        files.insert(identity(path), name);
        return;
    }
    let entries = match std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return out.push(unreadable(&name, &error)),
    };
    let mut found = 0;
    for entry in entries {
        let file = entry.path();
        if is_plan_file(&file) {
            found += 1;
            files.insert(identity(&file), file.display().to_string());
        }
    }
    if found == 0 {
        let detail = format!("\"{name}\" has no .yaml or .yml file");
        out.push(Diagnostic::error(codes::NO_PLANS, detail).hint("name a plan file, or a directory with plan files"));
    }
}

fn is_plan_file(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && path.file_stem().is_some_and(|stem| stem != "enact") && path.is_file()
}

fn identity(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Reads a text file and remembers it for excerpts.
pub(super) fn read_text(path: &Path, name: &str, sources: &mut Sources, out: &mut Diagnostics) -> Option<String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            out.push(unreadable(name, &error));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => {
            sources.insert(name, text.as_str());
            Some(text)
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let place = place_at(name, &text, good);
            let detail = format!("\"{name}\" has a byte that is not UTF-8");
            out.push(Diagnostic::error(codes::NOT_UTF8, detail).at(&place).hint("save the file as UTF-8"));
            sources.insert(name, text);
            None
        }
    }
}

fn place_at(file: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or_default();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        file: file.into(),
        line: number(before.matches('\n').count() + 1),
        column: number(before.get(line_start..).unwrap_or_default().chars().count() + 1),
        start: number(offset),
        end: number(offset + '\u{FFFD}'.len_utf8()),
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Diagnostic {
    let (reason, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => ("does not exist".to_owned(), "check the path"),
        std::io::ErrorKind::PermissionDenied => ("may not be read by this user".to_owned(), "check its permissions"),
        _ => (format!("cannot be read: {error}"), "check the path and its permissions"),
    };
    Diagnostic::error(codes::UNREADABLE, format!("\"{name}\" {reason}")).hint(hint)
}
