//! How one value becomes another, in pieces that read side by side and inline.
//!
//! The lines are those of the other surfaces. What they mark with signs (`[-old-]`, `{+new+}`, `old -> new`) is marked
//! with a letter here, and the page shows it in columns.

use super::mark;
use crate::diff::FieldChange;
use crate::report::line::Line;
use crate::report::style::Role;
use crate::report::value;

/// The rows of a column's difference, each a list of pieces: `=both`, `-old`, `+new`, `.path`.
pub fn rows(column: &str, change: &FieldChange, value_chars: usize) -> Vec<Vec<String>> {
    let lines = value::sides(column, change, 0, value_chars);
    let recorded = value::recorded(change, value_chars).map(|text| vec![piece('=', &text)]);
    let rows: Vec<Vec<String>> = match lines.split_first() {
        Some((_, rest)) if !rest.is_empty() => rest.iter().map(|line| pieces(line, line.mark.is_some())).collect(),
        Some((only, _)) => vec![sides(&only.parts)],
        None => Vec::new(),
    };
    rows.into_iter().chain(recorded).collect()
}

fn pieces(line: &Line, json: bool) -> Vec<String> {
    if json {
        let path = line.parts.first().map(|(_, path)| piece('.', path));
        return path.into_iter().chain(sides(&line.parts)).collect();
    }
    line.parts
        .iter()
        .map(|(role, text)| match role {
            Role::Remove => piece('-', between(text, "[-", "-]")),
            Role::Add => piece('+', between(text, "{+", "+}")),
            Role::Plain | Role::Strong | Role::Faint | Role::Change | Role::Move | Role::Warn => piece('=', text),
        })
        .collect()
}

/// The old and the new value alone.
fn sides(parts: &[(Role, String)]) -> Vec<String> {
    let side = |(role, text): &(Role, String)| match role {
        Role::Remove => Some(piece('-', text)),
        Role::Add => Some(piece('+', text)),
        Role::Plain | Role::Strong | Role::Faint | Role::Change | Role::Move | Role::Warn => None,
    };
    parts.iter().filter_map(side).collect()
}

fn piece(sign: char, text: &str) -> String {
    format!("{sign}{}", mark::lines(text))
}

fn between<'t>(text: &'t str, open: &str, shut: &str) -> &'t str {
    text.strip_prefix(open).and_then(|text| text.strip_suffix(shut)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Cell;

    fn shown(before: &str, after: &str) -> Vec<Vec<String>> {
        rows(
            "c",
            &FieldChange { before: Some(before.to_owned()), after: Cell::Text(after.to_owned()), recorded: None },
            200,
        )
    }

    #[test]
    fn a_value_a_json_path_and_a_text_are_all_pieces() {
        assert_eq!(shown("draft", "1.5"), [["-\"draft\"", "+1.5"]]);
        let json = shown(r#"{"a": [1], "b": 2}"#, r#"{"a": [1, 3]}"#);
        assert_eq!(json, [vec!["..a[1]", "+3"], vec!["..b", "-2"], vec!["=(1 field as before)"]]);
        let [old, new] =
            ["five", "three"].map(|n| format!("the owner shall sign the register within {n} working days\nend"));
        assert_eq!(
            shown(&old, &new),
            [vec!["=the owner shall sign the register within ", "-five", "+three", "= working days"], vec!["=end"]]
        );
    }
}
