//! Data files: rows that a plan file names with `from`.
//!
//! ```text
//! rows: { public.countries: { from: data/countries.csv, key: [code] } }
//!
//! from ── the plan file's folder, else the project's ──▶ text ── csv │ json_lines ──▶ RowSet, with places by line
//! ```
//!
//! | | `.csv` | `.jsonl`, `.ndjson` |
//! | --- | --- | --- |
//! | columns | named by the header line | named by each object |
//! | NULL | an empty field without quotes | `null` |
//! | the empty text | `""` | `""` |
//! | a value | the characters, which the column's type reads | a text in quotes, or the characters of a number |
//! | skipped | empty lines | empty lines |
//!
//! - UTF-8, with or without a byte order mark; lines end with `\n` or `\r\n`.
//! - At most 1 GiB and 10,000,000 rows; after 100 mistakes the rest of a file is not read.
//!
//! *Not here:* whether two rows have the same key (`rows::report_twice`), and what a value means to its column.

mod csv;
mod json_lines;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codes;
use super::load::read_text;
use super::rows::FromFile;
use super::sources::Sources;
use crate::model::{Diagnostic, Diagnostics, Digest, Place, RowSet, SourceFile, Spot};

const MAX_BYTES: u64 = 1 << 30;
const MAX_ROWS: usize = 10_000_000;
const MAX_MISTAKES: usize = 100;

/// Where data files are looked for.
pub(super) struct Folders<'p> {
    /// That of the plan file.
    pub plan: &'p Path,
    /// That of the project.
    pub project: &'p Path,
}

/// What a data file holds.
pub(super) struct DataRows {
    pub file: SourceFile,
    pub sets: Vec<RowSet>,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

/// Whether a path names a data file rather than a plan file.
pub fn is_data_file(path: &str) -> bool {
    format(path).is_some()
}

/// Reads the rows of a data file; `plan` is the name of the plan that asks for them.
pub(super) fn read(
    from: &FromFile,
    plan: &str,
    folders: &Folders<'_>,
    sources: &mut Sources,
    out: &mut Diagnostics,
) -> Option<DataRows> {
    let Some(format) = format(&from.path.value) else {
        let detail = format!("\"{}\" ends with none of .csv, .jsonl and .ndjson", from.path.value);
        let hint = "name a CSV file or a JSON Lines file";
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&from.path.place).hint(hint));
        return None;
    };
    let path = find(&from.path, folders, out)?;
    let name = path.display().to_string();
    let text = read_text(&path, &name, sources, out)?;
    let file = SourceFile { path: name.clone(), plan: plan.to_owned(), digest: Digest::of_bytes(text.as_bytes()) };
    let data = DataText { file: Arc::from(name), text: &text };
    if text.as_bytes().contains(&0) {
        let at = text.find('\0').unwrap_or_default();
        let detail = format!("\"{}\" has a NUL character, which PostgreSQL cannot hold", data.file);
        out.push(Diagnostic::error(codes::DATA_FILE, detail).at(&data.place(at, at + 1)).hint("take it out"));
        return None;
    }
    let mut mistakes = Mistakes { file: &data.file, left: MAX_MISTAKES, out };
    let sets = match format {
        Format::Csv => csv::read(&data, from, &mut mistakes).into_iter().collect(),
        Format::JsonLines => json_lines::read(&data, from, &mut mistakes),
    };
    Some(DataRows { file, sets })
}

fn format(path: &str) -> Option<Format> {
    let extension = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::JsonLines),
        _ => None,
    }
}

fn find(written: &Spot<String>, folders: &Folders<'_>, out: &mut Diagnostics) -> Option<PathBuf> {
    // Without the dot, so that a message says `data/a.csv` as the user would.
    let join = |folder: &Path| {
        if folder == Path::new(".") { PathBuf::from(&written.value) } else { folder.join(&written.value) }
    };
    let (by_plan, by_project) = (join(folders.plan), join(folders.project));
    let Some(path) = [&by_plan, &by_project].into_iter().find(|path| path.exists()) else {
        let (first, second) = (by_plan.display(), by_project.display());
        let also = if by_plan == by_project { String::new() } else { format!(" and for \"{second}\"") };
        let detail = format!("\"{}\" does not exist; looked for \"{first}\"{also}", written.value);
        let hint = "the path is relative to the plan file, or to the project folder";
        out.push(Diagnostic::error(codes::UNREADABLE, detail).at(&written.place).hint(hint));
        return None;
    };
    let bytes = path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    match bytes {
        Some(bytes) if bytes <= MAX_BYTES => Some(path.clone()),
        Some(bytes) => {
            let detail = format!("\"{}\" has {bytes} bytes; at most {MAX_BYTES} are read", path.display());
            out.push(Diagnostic::error(codes::BUDGET, detail).at(&written.place).hint("split it into several files"));
            None
        }
        None => {
            let detail = format!("\"{}\" is not a file", path.display());
            out.push(Diagnostic::error(codes::UNREADABLE, detail).at(&written.place).hint("name a file"));
            None
        }
    }
}

/// A data file's text.
struct DataText<'t> {
    file: Arc<str>,
    text: &'t str,
}

impl DataText<'_> {
    /// A place by its bytes; looks for the line, and so is for mistakes only.
    fn place(&self, start: usize, end: usize) -> Place {
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        place(&self.file, (before.matches('\n').count() + 1, column), start, end)
    }
}

/// Line and column count from 1.
fn place(file: &Arc<str>, (line, column): (usize, usize), start: usize, end: usize) -> Place {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { file: file.clone(), line: number(line), column: number(column), start: number(start), end: number(end) }
}

/// Mistakes of one data file, up to a number: a file of the wrong kind would have one on every line.
struct Mistakes<'o> {
    file: &'o Arc<str>,
    left: usize,
    out: &'o mut Diagnostics,
}

impl Mistakes<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.left = self.left.saturating_sub(1);
        let more = format!("these are {MAX_MISTAKES} mistakes; the rest of \"{}\" was not read", self.file);
        self.out.push(if self.left == 0 { diagnostic.hint(more) } else { diagnostic });
    }

    /// Whether reading should end, because of too many mistakes or too many rows.
    fn is_enough(&mut self, rows: usize, place: &Place) -> bool {
        if rows > MAX_ROWS {
            let detail = format!("\"{}\" has more than {MAX_ROWS} rows", self.file);
            self.out.push(Diagnostic::error(codes::BUDGET, detail).at(place).hint("split it into several files"));
            return true;
        }
        self.left == 0
    }
}

#[cfg(test)]
mod tests;
