//! How declared keys find live rows: by a unique index that covers the declared row.
//!
//! | the key names | it finds |
//! | --- | --- |
//! | all columns of a unique index, and perhaps more | the row that is equal in all of them |
//! | those of a partial one | the same among the rows that the index covers, if it will cover the declared row |
//! | what an expression of one reads (`lower(email)`) | the row for which the expression is the same |
//! | a column as NULL | the row in which it is NULL |
//! | any columns of a view | the row that is equal in all of them, if there is no second |
//!
//! Equality is the type's own default, under the column's collation.

use super::shape::Form;
use crate::model::{TableFacts, TableKind, UniqueIndex};

/// How the rows of a batch are matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What is compared, on both sides.
    pub parts: Vec<Part>,
    /// The live rows that count: those for which one of these holds, and holds of the declared row too; all where there is
    /// none.
    pub predicates: Vec<String>,
    /// Whether only reading tells that no two live rows match.
    pub may_be_several: bool,
}

/// One comparison of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A column by its type's equality.
    Column(String),
    /// A column that is NULL.
    Null(String),
    /// An expression over columns of the key, the same on both sides.
    Expression(String),
}

/// Finds how a key matches; `None` where no unique index covers it.
pub fn matching(facts: &TableFacts, key: &[String], forms: &[Form]) -> Option<Match> {
    let null = |column: &String| key.iter().zip(forms).any(|(name, form)| name == column && *form == Form::Null);
    let equal = || -> Vec<Part> {
        let part =
            |column: &String| if null(column) { Part::Null(column.clone()) } else { Part::Column(column.clone()) };
        key.iter().map(part).collect()
    };
    let covered = |index: &&UniqueIndex| {
        let equality = index.exclusion.is_empty() || index.primary;
        equality
            && index.parts.iter().all(|(column, text)| match column {
                Some(column) => key.contains(column),
                None => columns_of(text, facts).iter().all(|column| key.contains(column)),
            })
    };
    let indexes: Vec<&UniqueIndex> = facts.unique.iter().filter(covered).collect();
    let plain = |index: &UniqueIndex| index.parts.iter().all(|(column, _)| column.is_some());
    let has_null = |index: &UniqueIndex| {
        !index.nulls_equal && index.parts.iter().any(|(column, _)| column.as_ref().is_some_and(&null))
    };
    let whole = |index: &&&UniqueIndex| plain(index) && index.predicate.is_none();
    if indexes.iter().any(|index| whole(&index) && !has_null(index)) {
        return Some(Match { parts: equal(), predicates: Vec::new(), may_be_several: false });
    }
    // Of several partial indexes those count whose conditions the key decides; else the first, which the declared row has to
    // fulfil.
    let partial: Vec<&&UniqueIndex> =
        indexes.iter().filter(|index| index.predicate.is_some() && plain(index) && !has_null(index)).collect();
    let decided = |index: &&&&UniqueIndex| {
        let columns = index.predicate.iter().flat_map(|predicate| columns_of(predicate, facts));
        columns.into_iter().all(|column| key.contains(&column))
    };
    let mut chosen: Vec<&&UniqueIndex> = partial.iter().filter(decided).copied().collect();
    if chosen.is_empty() {
        chosen.extend(partial.first());
    }
    if !chosen.is_empty() {
        let predicates = chosen.into_iter().filter_map(|index| index.predicate.clone()).collect();
        return Some(Match { parts: equal(), predicates, may_be_several: false });
    }
    let expression = indexes.iter().filter(|index| !plain(index)).min_by_key(|index| index.predicate.is_some());
    if let Some(index) = expression {
        return Some(by_expression(index, facts, equal()));
    }
    let several = indexes.iter().any(|index| whole(&index)) || matches!(facts.kind, TableKind::View | TableKind::Other);
    several.then(|| Match { parts: equal(), predicates: Vec::new(), may_be_several: true })
}

/// The index's own parts, and those of the key that no expression reads.
fn by_expression(index: &UniqueIndex, facts: &TableFacts, equal: Vec<Part>) -> Match {
    let texts: Vec<&String> = index.parts.iter().filter(|(column, _)| column.is_none()).map(|(_, text)| text).collect();
    let read: Vec<String> = texts.iter().flat_map(|text| columns_of(text, facts)).collect();
    let own = |column: &String| index.parts.iter().any(|(part, _)| part.as_ref() == Some(column));
    let mut parts: Vec<Part> = equal;
    parts.retain(|part| match part {
        Part::Column(column) | Part::Null(column) => own(column) || !read.contains(column),
        Part::Expression(_) => true,
    });
    parts.extend(texts.into_iter().map(|text| Part::Expression(text.clone())));
    Match { parts, predicates: index.predicate.iter().cloned().collect(), may_be_several: false }
}

/// The columns whose names stand in an expression that the database spelled. A function or a type of the same name counts
/// as well, which asks for more columns than needed and never for fewer.
pub fn columns_of(expression: &str, facts: &TableFacts) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c == '"' || c == '\'' || c == '_' || c.is_alphabetic()) {
        rest = &rest[start..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        match quote {
            Some(quote) => {
                let (word, after) = quoted(&rest[1..], quote);
                if quote == '"' {
                    words.push(word);
                }
                rest = after;
            }
            None => {
                let end = rest.find(|c: char| !(c == '_' || c == '$' || c.is_alphanumeric())).unwrap_or(rest.len());
                words.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
        }
    }
    facts.columns.keys().filter(|column| words.contains(column)).cloned().collect()
}

fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut word = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            word.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            word.push(quote);
        } else {
            return (word, &text[at + c.len_utf8()..]);
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Column;

    /// Parts of an index, and what it is narrowed to.
    type Index<'a> = (&'a [(Option<&'a str>, &'a str)], Option<&'a str>);

    fn facts(indexes: &[Index<'_>]) -> TableFacts {
        let columns = ["email", "tenant", "deleted_at", "Odd \"Name"].map(|name| (name.to_owned(), Column::default()));
        let index = |(parts, predicate): &Index<'_>| UniqueIndex {
            parts: parts.iter().map(|(column, text)| (column.map(str::to_owned), (*text).to_owned())).collect(),
            predicate: predicate.map(str::to_owned),
            ..UniqueIndex::default()
        };
        let unique = indexes.iter().map(index).collect();
        TableFacts { columns: columns.into_iter().collect(), unique, ..TableFacts::default() }
    }

    #[test]
    fn columns_are_found_by_name_and_not_in_texts() {
        let facts = facts(&[]);
        assert_eq!(columns_of("lower((email)::text)", &facts), ["email"]);
        assert_eq!(columns_of("(\"Odd \"\"Name\" || 'email ''tenant'' ')", &facts), ["Odd \"Name"]);
    }

    #[test]
    fn a_key_matches_by_the_index_that_covers_it() {
        let key = ["email".to_owned()];
        let text = [Form::Text(0)];
        let column = Part::Column("email".to_owned());
        let one = |parts, predicate: Option<&str>, may_be_several| {
            Some(Match { parts, predicates: predicate.map(str::to_owned).into_iter().collect(), may_be_several })
        };
        let email: &[(Option<&str>, &str)] = &[(Some("email"), "email")];
        let lower: &[(Option<&str>, &str)] = &[(None, "lower(email)")];
        let live = Some("(deleted_at IS NULL)");
        let by = |indexes: &[Index<'_>]| matching(&facts(indexes), &key, &text);
        assert_eq!(by(&[(email, None)]), one(vec![column.clone()], None, false));
        assert_eq!(by(&[(email, live)]), one(vec![column.clone()], live, false));
        assert_eq!(by(&[(email, live), (email, None)]), one(vec![column], None, false));
        assert_eq!(by(&[(lower, None)]), one(vec![Part::Expression("lower(email)".to_owned())], None, false));
        assert_eq!(by(&[(&[(Some("tenant"), "tenant")], None)]), None);
        let null = matching(&facts(&[(email, None)]), &key, &[Form::Null]);
        assert_eq!(null, one(vec![Part::Null("email".to_owned())], None, true));
    }
}
