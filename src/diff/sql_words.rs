//! Which tables and columns the text of a function writes, as far as its statements say so.
//!
//! Not a parser: words and signs in a row, without comments and texts. What is put together at run time is not seen; an apply
//! looks at the units after its own writes and finds what was missed here.

use std::collections::BTreeSet;

use crate::model::TableName;

/// What a function writes, where it names one of some tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// Whether it inserts, updates or deletes rows of one of them.
    pub rows: bool,
    /// Whether it makes or removes such rows, so that any column may be another one.
    pub whole_rows: bool,
    /// Columns that it sets in them.
    pub columns: BTreeSet<String>,
}

/// What a function writes into these tables.
pub(super) fn writes(source: &str, tables: &BTreeSet<TableName>) -> Writes {
    let lower = source.to_lowercase();
    let words = words(&lower);
    let mut out = Writes::default();
    for at in 0..words.len() {
        let rest = &words[at..];
        let target = match rest {
            ["insert" | "merge", "into", ..] => Some(2),
            ["delete", "from", "only", ..] => Some(3),
            ["delete", "from", ..] | ["update", "only", ..] => Some(2),
            ["update", ..] => Some(1),
            _ => None,
        };
        let Some(after) = target.and_then(|skip| named(rest.get(skip..)?, tables)) else { continue };
        out.rows = true;
        match rest[0] {
            "update" => assigned(after, &mut out.columns),
            _ => out.whole_rows = true,
        }
    }
    out
}

/// Columns of the new row that a trigger's function assigns.
pub(super) fn assigned_to_new(source: &str) -> BTreeSet<String> {
    let lower = source.to_lowercase();
    let words = words(&lower);
    let starts = |at: usize| at == 0 || matches!(words[at - 1], ";" | "then" | "begin" | "else" | "loop" | ">>");
    let columns = (0..words.len()).filter_map(|at| match &words[at..] {
        ["new", ".", column, ":=" | "=", ..] if starts(at) => Some((*column).to_owned()),
        _ => None,
    });
    columns.collect()
}

/// Every name in an expression.
pub(super) fn names(expression: &str) -> BTreeSet<String> {
    words(&expression.to_lowercase()).into_iter().filter(|word| is_name(word)).map(str::to_owned).collect()
}

/// What follows a table's name, where it is one of these.
fn named<'w, 's>(words: &'w [&'s str], tables: &BTreeSet<TableName>) -> Option<&'w [&'s str]> {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    match words {
        [schema, ".", table, rest @ ..] => {
            tables.iter().any(|known| same(known.schema(), schema) && same(known.name(), table)).then_some(rest)
        }
        [table, rest @ ..] => tables.iter().any(|known| same(known.name(), table)).then_some(rest),
        [] => None,
    }
}

/// Columns of a SET list: `a = …, (b, c) = …`.
fn assigned(words: &[&str], out: &mut BTreeSet<String>) {
    let Some(set) = words.iter().take(4).position(|word| *word == "set") else { return };
    let (mut depth, mut left) = (0_i32, true);
    for word in &words[set + 1..] {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            "where" | "from" | "returning" | ";" if depth <= 0 => return,
            "," if depth == 0 => left = true,
            "=" if depth == 0 => left = false,
            name if left && is_name(name) => drop(out.insert(name.to_owned())),
            _ => {}
        }
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words and signs without comments and texts.
fn words(source: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_whitespace() => c.len_utf8(),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
                out.push(rest[..end].trim_matches('"'));
                end
            }
            c => {
                let more = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let end = match () {
                    () if c.is_alphanumeric() || c == '_' => rest.find(|c| !more(c)).unwrap_or(rest.len()),
                    () if rest.starts_with(":=") || rest.starts_with(">>") => 2,
                    () => c.len_utf8(),
                };
                out.push(&rest[..end]);
                end
            }
        };
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> BTreeSet<TableName> {
        BTreeSet::from([TableName::new("kb", "units"), TableName::new("public", "documents")])
    }

    fn columns(source: &str) -> Vec<String> {
        writes(source, &tables()).columns.into_iter().collect()
    }

    #[test]
    fn columns_that_an_update_sets_are_seen() {
        assert_eq!(
            columns("UPDATE kb.units u SET state = $1, at = now() WHERE u.id = p_id AND x = 1;"),
            ["at", "state"]
        );
        assert_eq!(columns("update only units set (a, b) = (select c, d from e), f=coalesce(g, h)"), ["a", "b", "f"]);
        assert_eq!(columns("UPDATE kb.other SET a = 1; UPDATE \"kb\".\"units\" SET b = 2"), ["b"]);
        assert!(
            columns("-- update units set a = 1\n SELECT 'update units set b = 1' /* update units set c = 1 */")
                .is_empty()
        );
    }

    #[test]
    fn rows_that_are_made_or_removed_are_seen() {
        let whole = |source: &str| writes(source, &tables()).whole_rows;
        assert!(whole("INSERT INTO documents (slug) VALUES ($1)"));
        assert!(whole("delete from only kb.units where id = 1"));
        assert!(!whole("SELECT 1 FROM documents"));
        assert!(!whole("INSERT INTO kb.log SELECT * FROM kb.units"));
    }

    #[test]
    fn only_what_is_assigned_to_the_new_row_counts() {
        let source = "BEGIN IF new.status = 'x' THEN NEW.at := now(); new.by = current_user; END IF; RETURN new; END";
        let lower: Vec<String> = assigned_to_new(source).into_iter().collect();
        assert_eq!(lower, ["at", "by"]);
    }
}
