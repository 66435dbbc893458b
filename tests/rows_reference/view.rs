//! What a reader is shown of an answer: a plan without its frame, rows as a table.

use tokio_postgres::SimpleQueryMessage;

use crate::rows_reference::servers::last_answer;

/// What a plan of rows says of the other kinds.
const NOTHING_ELSE: &str = "Lifecycle: 0 to promote. Vectors: 0 to embed, 0 to delete, 0 kept.";
/// The line that ends the head of a plan.
const DIGEST: &str = "Plan digest: ";

/// A plan without what is the same in all plans of rows: the line about the other kinds, the digest, the environment, the
/// symbols, and the head once more at the end. A frame that says something else is left as it is.
pub fn plan(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(digest) = lines.iter().position(|line| line.starts_with(DIGEST)) else { return text.to_owned() };
    let head = &lines[..=digest];
    let rest = &lines[digest + 1..];
    let end = rest.windows(head.len()).position(|part| part == head);
    let (body, after) = match end {
        Some(at) => (&rest[..at], &rest[at + head.len()..]),
        None => (rest, &[][..]),
    };
    let is_frame = |line: &str| line == NOTHING_ELSE || line.starts_with(DIGEST) || line.starts_with("Symbols: ");
    let kept = |lines: &[&str]| -> Vec<String> {
        let mut in_environment = false;
        let mut kept = Vec::new();
        for line in lines {
            // Where many files are named, the line goes on below.
            in_environment = line.starts_with("Environment test, ") || (in_environment && line.starts_with(' '));
            if !in_environment && !is_frame(line) {
                kept.push((*line).to_owned());
            }
        }
        kept
    };
    let mut out = kept(head);
    out.extend(kept(body));
    out.extend(after.iter().map(|line| (*line).to_owned()));
    closed(&squeezed(&out).join("\n"))
}

/// What an apply says after the plan.
pub fn end_of_apply(text: &str) -> String {
    match text.rfind(DIGEST).and_then(|at| text[at..].split_once('\n')) {
        Some((_, rest)) => closed(rest.trim_start_matches('\n')),
        None => text.to_owned(),
    }
}

/// Without empty lines at the end, and without two in a row.
fn squeezed(lines: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in lines {
        if !(line.is_empty() && out.last().is_none_or(String::is_empty)) {
            out.push(line.clone());
        }
    }
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    out
}

/// A text that ends its last line.
pub fn closed(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// More columns than this are shown below each other.
const COLUMNS: usize = 12;

/// The last answer of some statements: a line of names, and a line for each row; of many columns a line for each value.
pub fn table(messages: &[SimpleQueryMessage]) -> String {
    let (columns, rows) = last_answer(messages);
    if columns.is_empty() {
        return String::new();
    }
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    let rows = rows.into_iter().map(|row| row.into_iter().map(text).collect::<Vec<String>>());
    let lines: Vec<Vec<String>> = if columns.len() > COLUMNS {
        rows.flat_map(|row| columns.iter().zip(row).map(|(name, value)| vec![name.clone(), value]).collect::<Vec<_>>())
            .collect()
    } else {
        std::iter::once(columns).chain(rows).collect()
    };
    aligned(&lines)
}

fn aligned(lines: &[Vec<String>]) -> String {
    let wide = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len)).map(wide).collect();
    let line = |values: &Vec<String>| {
        let padded = values.iter().zip(&widths).map(|(value, width)| format!("{value:<width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join(" | ").trim_end())
    };
    lines.iter().map(line).collect()
}
