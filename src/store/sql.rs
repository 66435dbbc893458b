//! Statements without values in them.

use std::fmt;

use crate::model::TableName;

/// The text of a statement. Built from static text, quoted identifiers, and trusted expressions of a binding; there is
/// no way to put a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(String);

impl Sql {
    /// Starts with static text.
    pub fn new(text: &'static str) -> Sql {
        Sql(text.to_owned())
    }

    /// Adds static text.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Sql {
        self.0.push_str(text);
        self
    }

    /// Adds a quoted identifier.
    #[must_use]
    pub fn ident(mut self, name: &str) -> Sql {
        self.0.push('"');
        self.0.push_str(&name.replace('"', "\"\""));
        self.0.push('"');
        self
    }

    /// Adds a quoted table name.
    #[must_use]
    pub fn table(self, table: &TableName) -> Sql {
        self.ident(table.schema()).text(".").ident(table.name())
    }

    /// Adds a name as a text: what a catalog calls a column, never a value.
    #[must_use]
    pub fn literal(mut self, name: &str) -> Sql {
        let escaped = name.replace('\'', "''");
        self.0.push('\'');
        self.0.push_str(&escaped);
        self.0.push('\'');
        self
    }

    /// Adds a parameter's place, counted from 1.
    #[must_use]
    pub fn param(mut self, number: usize) -> Sql {
        self.0.push('$');
        self.0.push_str(&number.to_string());
        self
    }

    /// Adds an expression of a binding, or a type name that the database itself spelled. Both are trusted: a binding is
    /// the owner's own SQL, and `format_type` quotes.
    #[must_use]
    pub fn trusted(mut self, expression: &str) -> Sql {
        self.0.push_str(expression);
        self
    }

    /// Adds another statement's text.
    #[must_use]
    pub fn sql(mut self, other: &Sql) -> Sql {
        self.0.push_str(&other.0);
        self
    }

    /// Adds items with commas between them.
    #[must_use]
    pub fn list<T>(mut self, items: impl IntoIterator<Item = T>, mut one: impl FnMut(Sql, T) -> Sql) -> Sql {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self = self.text(", ");
            }
            self = one(self, item);
        }
        self
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_identifier() {
        let sql = Sql::new("DELETE FROM ").table(&TableName::new("public", "x\"; DROP TABLE y; --"));
        assert_eq!(sql.as_str(), "DELETE FROM \"public\".\"x\"\"; DROP TABLE y; --\"");
    }
}
