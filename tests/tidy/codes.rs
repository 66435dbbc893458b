//! The register of diagnostic codes, read from the source, and the page that lists them.

use super::scan::Source;

/// One code as the source declares it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    /// `E0xx` or `W0xx`.
    pub id: String,
    /// The summary that goes with it.
    pub summary: String,
    /// The doc comment.
    pub meaning: String,
    /// Where.
    pub place: String,
}

/// Every code that product code declares, by number.
pub fn declared(sources: &[Source]) -> Vec<Declared> {
    let mut found: Vec<Declared> = sources.iter().filter(|s| s.path.starts_with("src/")).flat_map(of_file).collect();
    found.sort();
    found
}

fn of_file(source: &Source) -> Vec<Declared> {
    let lines = source.raw.iter().enumerate().filter(|(at, line)| !source.test[*at] && !line.trim().starts_with("//"));
    lines
        .filter_map(|(at, line)| {
            let start = code_at(line)?;
            let summary = quoted(&line[start + 6..]).or_else(|| quoted(source.raw.get(at + 1)?))?;
            let id = line[start + 1..start + 5].to_owned();
            Some(Declared { id, summary, meaning: doc_above(source, at), place: format!("{}:{}", source.path, at + 1) })
        })
        .collect()
}

/// The byte at which `"E012"` starts.
fn code_at(line: &str) -> Option<usize> {
    line.match_indices('"').map(|(at, _)| at).find(|at| {
        let bytes = line.as_bytes().get(*at..*at + 6).unwrap_or_default();
        matches!(bytes, [b'"', b'E' | b'W', a, b, c, b'"'] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()))
    })
}

fn quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    rest.split_once('"').map(|(inside, _)| inside.to_owned())
}

/// The doc comment of the declaration that a line belongs to; the declaration may span three lines.
fn doc_above(source: &Source, at: usize) -> String {
    let above = source.raw[..at].iter().rev().map(|line| line.trim());
    let mut doc: Vec<&str> = above
        .skip_while(|line| !line.starts_with("///") && !line.is_empty() && !line.ends_with(';'))
        .map_while(|line| line.strip_prefix("///"))
        .map(str::trim)
        .collect();
    doc.reverse();
    doc.join(" ")
}

/// The page.
pub fn page(codes: &[Declared]) -> String {
    let mut out = String::from(
        "# Error and warning codes\n\nA code keeps its meaning; what is no longer reported leaves its number unused. \
         An error stops the command before\nanything is changed. This page is made from the source: \
         `UPDATE_DOCS=1 cargo test --release --test suite tidy`.\n",
    );
    for (letter, title) in [('E', "Errors"), ('W', "Warnings")] {
        out.push_str(&format!("\n## {title}\n\n| code | says | means |\n| --- | --- | --- |\n"));
        for code in codes.iter().filter(|code| code.id.starts_with(letter)) {
            let cell = |text: &str| text.replace('|', "\\|");
            out.push_str(&format!("| {} | {} | {} |\n", code.id, cell(&code.summary), cell(&code.meaning)));
        }
    }
    out
}
