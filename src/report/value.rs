//! How one value becomes another: JSON by its fields, long text by its words, everything else as `old -> new`.
//!
//! Values are the database's own spelling. A text counts as JSON when both sides are objects or arrays; whether they
//! differ was decided by the comparison already, so a difference of spelling alone is shown as it stands.

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::action::Action;
use super::escape;
use super::line::Line;
use super::prose::{self, Extent};
use super::style::Role;
use super::words;
use crate::diff::FieldChange;
use crate::model::{Cell, RecordedValue};

/// Texts from this many characters on are compared by words.
const LONG_TEXT: usize = 60;
/// Paths of one JSON value that are shown when not all are.
const MOST_PATHS: usize = 60;
/// Items of two arrays together beyond which they are not matched. Matching takes time with the square of this.
const MOST_ITEMS: usize = 4_000;

/// Writes a cell.
pub(super) fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Text(text) => spelled(text),
        Cell::ApplyTime => "(time of the apply)".to_owned(),
        Cell::Reference(reference) => {
            let named = format!("{}[{}]", reference.table, reference.key);
            format!("{} of {}", escape::terminal(&reference.column), escape::terminal(&named))
        }
    }
}

/// Writes a live value.
pub(super) fn live(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), spelled)
}

/// Cuts a value that is too long to be shown whole, and says how long it is.
pub(super) fn cut(value: &str, limit: usize) -> String {
    let length = value.chars().count();
    if length <= limit {
        return value.to_owned();
    }
    let shown: String = value.chars().take(limit).collect();
    format!("{shown}… ({})", words::count(length as u64, "character"))
}

/// Writes how a column changes. `limit` is the longest value that is shown whole.
pub(super) fn field(column: &str, change: &FieldChange, depth: usize, limit: usize) -> Vec<Line> {
    let recorded = recorded(change, limit).map(|text| Line::new(depth + 1).part(Role::Warn, text));
    sides(column, change, depth, limit).into_iter().chain(recorded).collect()
}

/// What the last apply wrote, where it is neither the old nor the new value.
pub(super) fn recorded(change: &FieldChange, limit: usize) -> Option<String> {
    let shown = match change.recorded.as_ref()? {
        RecordedValue::Null => live(None),
        RecordedValue::Any => "the time of an apply".to_owned(),
        RecordedValue::Text(text) => live(Some(text)),
        RecordedValue::Digest(digest) => format!("a value with the MD5 digest {digest}"),
    };
    Some(format!("the last apply wrote {}", cut(&shown, limit)))
}

/// Writes the old and the new value.
pub(super) fn sides(column: &str, change: &FieldChange, depth: usize, limit: usize) -> Vec<Line> {
    let FieldChange { before, after, recorded: _ } = change;
    if let (Some(before), Cell::Text(after)) = (before, after) {
        if let (Some(old), Some(new)) = (composite(before), composite(after)) {
            let lines = json_lines(column, &old, &new, depth, limit);
            if lines.len() > 1 {
                return lines;
            }
        } else if before.chars().count().max(after.chars().count()) >= LONG_TEXT {
            let mut lines = vec![Line::new(depth).plain(format!("{column}:"))];
            lines.extend(prose::lines(before, after, depth + 1, extent(limit)));
            return lines;
        }
    }
    let (old, new) = (live(before.as_deref()), cell(after));
    vec![arrow(Line::new(depth).plain(format!("{column}: ")), &cut(&old, limit), &cut(&new, limit))]
}

/// The parts of a JSON value that differ, each by its path, and how many are as before.
fn json_lines(column: &str, old: &Value, new: &Value, depth: usize, limit: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(depth).plain(format!("{column}:"))];
    let (mut same, mut more) = (0, 0);
    let most = if limit == usize::MAX { usize::MAX } else { MOST_PATHS };
    compare(old, new, &mut String::new(), &mut |path, found| match found {
        Found::Same => same += 1,
        Found::Other(_, _) if lines.len() > most => more += 1,
        Found::Other(old, new) => lines.extend(json_part(path, old, new, depth + 1, limit)),
    });
    let faint = |text: String| Line::new(depth + 1).part(Role::Faint, text);
    if more > 0 {
        lines.push(faint(format!("({} of the difference not shown)", words::count(more, "path"))));
    }
    if lines.len() > 1 && same > 0 {
        lines.push(faint(format!("({} as before)", words::count(same, "field"))));
    }
    lines
}

fn arrow(line: Line, old: &str, new: &str) -> Line {
    line.part(Role::Remove, old).plain(" -> ").part(Role::Add, new)
}

/// Quotes text, and leaves numbers and JSON as they are.
fn spelled(text: &str) -> String {
    if is_number(text) || composite(text).is_some() { text.to_owned() } else { escape::quoted(text) }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Parses a text as an object or an array; a plain `1` or `"a"` is no reason to think of JSON.
fn composite(text: &str) -> Option<Value> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<Value>(text).ok()
}

/// One part: a long text by its words, everything else on one line.
fn json_part(path: &str, old: Option<&Value>, new: Option<&Value>, depth: usize, limit: usize) -> Vec<Line> {
    match (old, new) {
        (Some(Value::String(old)), Some(Value::String(new)))
            if old.chars().count().max(new.chars().count()) >= LONG_TEXT =>
        {
            let heading = Line { mark: Some(Action::Update), ..Line::new(depth) }.plain(format!("{path}:"));
            std::iter::once(heading).chain(prose::lines(old, new, depth + 1, extent(limit))).collect()
        }
        (old, new) => vec![json_line(path, old, new, depth, limit)],
    }
}

fn extent(limit: usize) -> Extent {
    if limit == usize::MAX { Extent::Whole } else { Extent::Brief(limit) }
}

fn json_line(path: &str, old: Option<&Value>, new: Option<&Value>, depth: usize, limit: usize) -> Line {
    let show = |value: &Value| cut(&value.to_string(), limit);
    let line = |action: Action| Line { mark: Some(action), ..Line::new(depth) }.plain(path).plain(": ");
    match (old, new) {
        (Some(old), Some(new)) => arrow(line(Action::Update), &show(old), &show(new)),
        (Some(old), None) => line(Action::Delete).part(Role::Remove, show(old)),
        (None, Some(new)) => line(Action::Create).part(Role::Add, show(new)),
        (None, None) => line(Action::Update),
    }
}

/// What `compare` hands on.
enum Found<'v> {
    /// A part that is the same on both sides, as a whole.
    Same,
    /// A part that differs, or is on one side only.
    Other(Option<&'v Value>, Option<&'v Value>),
}

/// Hands every difference to `found`, deepest first where both sides have the same structure.
fn compare(old: &Value, new: &Value, path: &mut String, found: &mut impl FnMut(&str, Found<'_>)) {
    match (old, new) {
        (old, new) if old == new => found(path, Found::Same),
        (Value::Object(before), Value::Object(after)) => {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                within(path, &step(key), |path| pair(before.get(key), after.get(key), path, found));
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() + after.len() <= MOST_ITEMS => {
            arrays(before, after, path, found)
        }
        (old, new) => found(path, Found::Other(Some(old), Some(new))),
    }
}

fn arrays(before: &[Value], after: &[Value], path: &mut String, found: &mut impl FnMut(&str, Found<'_>)) {
    let spell = |items: &[Value]| items.iter().map(Value::to_string).collect::<Vec<_>>();
    for op in capture_diff_slices(Algorithm::Myers, &spell(before), &spell(after)) {
        let (old, new) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            old.for_each(|_| found(path, Found::Same));
            continue;
        }
        for i in 0..old.len().max(new.len()) {
            let (was, is) = (old.clone().nth(i), new.clone().nth(i));
            let Some(index) = is.or(was) else { continue };
            within(path, &format!("[{index}]"), |path| {
                pair(was.map(|i| &before[i]), is.map(|i| &after[i]), path, found);
            });
        }
    }
}

fn pair(old: Option<&Value>, new: Option<&Value>, path: &mut String, found: &mut impl FnMut(&str, Found<'_>)) {
    match (old, new) {
        (Some(old), Some(new)) => compare(old, new, path, found),
        (old, new) => found(path, Found::Other(old, new)),
    }
}

fn within(path: &mut String, step: &str, body: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push_str(step);
    body(path);
    path.truncate(length);
}

/// Writes a key as `.key`, or in brackets where it could be read as something else.
fn step(key: &str) -> String {
    let simple = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if simple { format!(".{key}") } else { format!("[{}]", escape::quoted(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        let change =
            FieldChange { before: Some(before.to_owned()), after: Cell::Text(after.to_owned()), recorded: None };
        field("c", &change, 0, 200).iter().map(Line::safe_text).collect()
    }

    #[test]
    fn json_is_compared_by_its_fields() {
        let before = r#"{"a": 1, "b": {"x": [1, 2, 3]}, "gone": null}"#;
        let after = r#"{"b": {"x": [1, 3, 4]}, "a": 1, "n w": "y"}"#;
        assert_eq!(
            shown(before, after),
            ["c:", ".b.x[1]: 2", ".b.x[2]: 4", ".gone: null", "[\"n w\"]: \"y\"", "(3 fields as before)"]
        );
    }

    #[test]
    fn plain_values_are_old_arrow_new() {
        assert_eq!(shown("draft", "1.5"), ["c: \"draft\" -> 1.5"]);
        assert_eq!(shown("{}", "{ }"), ["c: {} -> { }"]);
        let null = FieldChange { before: None, after: Cell::ApplyTime, recorded: None };
        assert_eq!(field("c", &null, 0, 200)[0].safe_text(), "c: NULL -> (time of the apply)");
    }
}
