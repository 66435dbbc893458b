//! A corpus of Markdown files, one unit each. Pure: texts in, units or mistakes out.
//!
//! ```text
//! ---
//! address: CHARTER/ART-31
//! title: Sanctions for breaches
//! unit_kind: law_unit           # the rest is optional
//! section_type: article
//! doc_code: CHARTER
//! sort_order: 45
//! section_code: A
//! parent: CHARTER/CH-7
//! ---
//! The body, up to the end of the file.
//! ```
//!
//! - The body is what follows the header, without the blank lines around it; it may be empty.
//! - An unknown key, a missing one, and a key twice are mistakes, with file and line.
//! - An address belongs to one file.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A unit as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// The file, as the user would type it.
    pub file: String,
    /// What stands between the fences.
    pub header: Header,
    /// The text below them.
    pub body: String,
}

/// The header of a unit's file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The canonical address.
    pub address: String,
    /// The title.
    pub title: String,
    /// The kind of unit; the database's default where it is absent.
    pub unit_kind: Option<String>,
    /// The type of section; the database's default where it is absent.
    pub section_type: Option<String>,
    /// The document it belongs to.
    pub doc_code: Option<String>,
    /// Its place in the document.
    pub sort_order: Option<i32>,
    /// Its section in the document.
    pub section_code: Option<String>,
    /// The address of the unit that holds it.
    pub parent: Option<String>,
}

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct CorpusError {
    /// The file, as the user would type it.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

const FENCE: &str = "---";

/// Reads all files of a corpus, in the order given.
///
/// # Errors
/// Every file's first mistake.
pub fn parse_all(files: &[(String, String)]) -> Result<Vec<UnitFile>, Vec<CorpusError>> {
    let (mut units, mut errors) = (Vec::new(), Vec::new());
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in files {
        match parse(file, text) {
            Ok(unit) => match owners.insert(unit.header.address.clone(), file.clone()) {
                None => units.push(unit),
                Some(other) => {
                    let message = format!("the address \"{}\" belongs to {other} already", unit.header.address);
                    errors.push(CorpusError { file: file.clone(), line: line_of(text, "address:"), message });
                }
            },
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(units) } else { Err(errors) }
}

/// Reads one file.
///
/// # Errors
/// Its first mistake.
pub fn parse(file: &str, text: &str) -> Result<UnitFile, CorpusError> {
    let fail = |line: u64, message: String| CorpusError { file: file.to_owned(), line, message };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lines = text.split('\n');
    if lines.next().map(str::trim_end) != Some(FENCE) {
        return Err(fail(1, format!("no header: the first line must be \"{FENCE}\"")));
    }
    let mut lines = lines.enumerate();
    // An empty line in the place of the fence, so that the lines of the header keep their numbers.
    let mut yaml = String::from("\n");
    loop {
        match lines.next() {
            Some((_, line)) if line.trim_end() == FENCE => break,
            Some((_, line)) => yaml.extend([line, "\n"]),
            None => return Err(fail(1, format!("the header has no end: a line \"{FENCE}\" is missing"))),
        }
    }
    let header: Header = serde_saphyr::from_str(&yaml).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line().max(1));
        fail(line, message(&error))
    })?;
    for (key, value) in [("address", &header.address), ("title", &header.title)] {
        if value.trim().is_empty() {
            return Err(fail(line_of(&text, &format!("{key}:")), format!("{key} is empty")));
        }
    }
    let body: Vec<&str> = lines.map(|(_, line)| line).collect();
    let body = body.join("\n");
    let first_line = body.trim_start_matches(|c: char| c == '\n' || c.is_whitespace());
    // Spaces before the first word are a part of it where they mean something (a code block).
    let indent = body.len() - first_line.len();
    let start = body[..indent].rfind('\n').map_or(0, |at| at + 1);
    let body = body[start..].trim_end().to_owned();
    Ok(UnitFile { file: file.to_owned(), header, body })
}

fn line_of(text: &str, start: &str) -> u64 {
    text.lines().position(|line| line.starts_with(start)).map_or(1, |at| at as u64 + 1)
}

/// The parser's words, in one line and without a place, which is ours to say.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("the header cannot be read");
    let words = first.trim().trim_start_matches("error: ");
    let end = words.find(" at line ").unwrap_or(words.len());
    let words = match words[..end].split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => &words[..end],
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "---\naddress: A/1\ntitle: First\nsort_order: 3\n---\n\nBody.\n\nMore.\n";

    #[test]
    fn a_file_is_a_header_and_a_body() {
        let unit = parse("a.md", GOOD).unwrap();
        assert_eq!((unit.header.address.as_str(), unit.header.sort_order), ("A/1", Some(3)));
        assert_eq!(unit.body, "Body.\n\nMore.");
        let windows = GOOD.replace('\n', "\r\n");
        assert_eq!(parse("a.md", &format!("\u{feff}{windows}")).unwrap(), unit);
    }

    #[test]
    fn a_body_may_be_empty_and_may_hold_fences() {
        assert_eq!(parse("a.md", "---\naddress: A\ntitle: T\n---").unwrap().body, "");
        assert_eq!(
            parse("a.md", "---\naddress: A\ntitle: T\n---\n\n    code\n---\nx\n").unwrap().body,
            "    code\n---\nx"
        );
    }

    #[test]
    fn every_file_with_a_mistake_is_named_with_its_line() {
        let files = [
            ("a.md", GOOD),
            ("b.md", "no header"),
            ("c.md", "---\naddress: C\ntitle: T\nauthor: me\n---\n"),
            ("d.md", "---\naddress: D\n---\n"),
            ("e.md", GOOD),
            ("f.md", "---\naddress: F\ntitle: T\nsort_order: many\n---\n"),
            ("g.md", "---\naddress: G\ntitle: T\n"),
        ];
        let files = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
        let errors = parse_all(&files).unwrap_err();
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let starts = [
            "b.md:1: no header",
            "c.md:4: unknown field",
            "d.md:",
            "e.md:2: the address \"A/1\" belongs to a.md",
            "f.md:4: ",
            "g.md:1: the header has no end",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (line, start) in found.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
    }
}
