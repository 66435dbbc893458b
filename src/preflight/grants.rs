//! The statements that mend what is missing.

use std::collections::BTreeSet;

use crate::model::TableName;

/// Words that PostgreSQL reads as its own unless they are quoted (its documentation, appendix C, "reserved").
const RESERVED: &str = "all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate \
    collation column concurrently constraint create cross current_catalog current_date current_role current_schema \
    current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign \
    freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like \
    limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary \
    references returning right select session_user similar some symmetric system_user table tablesample then to trailing \
    true union unique user using variadic verbose when where window with";

/// Quotes a name where PostgreSQL would not read it as it is.
pub(super) fn ident(name: &str) -> String {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let simple = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if starts && simple && !RESERVED.split_whitespace().any(|word| word == name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a table's name.
pub(super) fn table_name(table: &TableName) -> String {
    format!("{}.{}", ident(table.schema()), ident(table.name()))
}

/// One privilege that is missing: on the whole table, or on some columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub privilege: &'static str,
    /// Columns, where others are granted already.
    pub columns: BTreeSet<String>,
}

impl Missing {
    /// `INSERT`, or `INSERT (a, b)`.
    pub fn words(&self) -> String {
        if self.columns.is_empty() {
            return self.privilege.to_owned();
        }
        let columns: Vec<String> = self.columns.iter().map(|column| ident(column)).collect();
        format!("{} ({})", self.privilege, columns.join(", "))
    }
}

/// Grants what is missing on a table.
pub(super) fn on_table(missing: &[Missing], table: &TableName, role: &str) -> String {
    let words: Vec<String> = missing.iter().map(Missing::words).collect();
    format!("GRANT {} ON {} TO {};", words.join(", "), table_name(table), ident(role))
}

/// Grants the use of a schema.
pub(super) fn on_schema(schema: &str, role: &str) -> String {
    format!("GRANT USAGE ON SCHEMA {} TO {};", ident(schema), ident(role))
}

/// Grants calls of a function; the signature is the database's own spelling.
pub(super) fn on_function(signature: &str, role: &str) -> String {
    format!("GRANT EXECUTE ON FUNCTION {signature} TO {};", ident(role))
}

/// Lets the session switch to a role.
pub(super) fn membership(role: &str, session: &str, has_set_option: bool) -> String {
    let option = if has_set_option { " WITH SET TRUE" } else { "" };
    format!("GRANT {} TO {}{option};", ident(role), ident(session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be_and_nowhere_else() {
        assert_eq!(
            ["kb", "_x1", "User", "order", "9a", "a\"b"].map(ident),
            ["kb", "_x1", "\"User\"", "\"order\"", "\"9a\"", "\"a\"\"b\""]
        );
    }

    #[test]
    fn columns_are_granted_where_columns_are_what_is_missing() {
        let all = Missing { privilege: "SELECT", columns: BTreeSet::new() };
        let some = Missing { privilege: "UPDATE", columns: BTreeSet::from(["value".to_owned()]) };
        let table = TableName::new("public", "dot_config");
        assert_eq!(on_table(&[all, some], &table, "r"), "GRANT SELECT, UPDATE (value) ON public.dot_config TO r;");
    }
}
