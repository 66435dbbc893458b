//! The SQL of declared rows: values as typed columns, and their match with live rows.
//!
//! ```text
//! declared   unnest(texts) ── casts, references ──▶ one column for each declared one, under its own name
//! live       the table, narrowed to what the matching index covers, with where each row stands
//! ```
//!
//! Names of our own hold a space, so that no column of a user's is likely to have them. Every operator that compares values
//! is named with its schema; types and expressions come from the catalog.

use std::collections::BTreeMap;

use crate::diff::rows::identity::{Match, Part, matching};
use crate::diff::rows::shape::{Batch, Form, ReferenceForm};
use crate::model::{Column, ColumnKind, TableFacts, TableKind, TableName};
use crate::store::{Param, Sql};

/// Facts of tables by name.
pub(crate) type Facts = BTreeMap<TableName, TableFacts>;

/// The values of a batch, for the places that [`declared`] gives them.
pub(crate) fn params<T>(batch: &Batch<T>) -> Vec<Param> {
    if batch.texts.is_empty() {
        return vec![Param::OptionalTexts(vec![None; batch.rows.len()])];
    }
    batch.texts.iter().map(|texts| Param::OptionalTexts(texts.clone())).collect()
}

/// A subquery of the declared rows: `"enact i"` from 1, the columns under their names, `"enact e0"`, … for the expressions
/// of the match, and `"enact cut"`, whether some value is not kept as it is declared. Its values come after `offset` others.
pub(crate) fn declared<T>(batch: &Batch<T>, matched: &Match, tables: &Facts, offset: usize) -> Sql {
    let facts = &tables[&batch.table];
    let columns = || batch.key_forms().chain(batch.value_forms());
    let sql = columns().fold(Sql::new("(SELECT \"enact i\""), |sql, (name, form)| {
        let column = &facts.columns[name];
        value(sql.text(", "), form, column, tables).text(" AS ").ident(name)
    });
    let sql = sql.text(", ARRAY[").list(columns(), |sql, (name, form)| cut(sql, form, &facts.columns[name]));
    let places = batch.texts.len().max(1);
    let sql = sql
        .text("]::boolean[] AS \"enact cut\" FROM unnest(")
        .list(1..=places, |sql, place| sql.param(offset + place).text("::text[]"));
    let sql = sql.text(") WITH ORDINALITY AS d0(").list(0..places, |sql, place| sql.ident(&place_name(place)));
    let sql = sql.text(", \"enact i\") OFFSET 0)");
    with_expressions(sql, matched)
}

/// A subquery with the expressions of the match as columns.
pub(super) fn with_expressions(sql: Sql, matched: &Match) -> Sql {
    let expressions = expressions(matched);
    if expressions.is_empty() {
        return sql;
    }
    let outer = expressions.iter().enumerate().fold(Sql::new("(SELECT x.*"), |sql, (number, expression)| {
        sql.text(", (").trusted(expression).text(") AS ").ident(&expression_name(number))
    });
    outer.text(" FROM ").sql(&sql).text(" x)")
}

/// A subquery of the live rows: readable columns under their names, expressions, `"enact hit"`, and where each stands.
pub(crate) fn live(table: &TableName, matched: &Match, facts: &TableFacts) -> Sql {
    let sql = Sql::new("(SELECT true AS \"enact hit\"");
    let sql = if facts.located { sql.text(", x.tableoid AS \"enact oid\", x.ctid AS \"enact tid\"") } else { sql };
    let sql = readable(facts).fold(sql, |sql, name| sql.text(", x.").ident(name));
    let sql = expressions(matched).iter().enumerate().fold(sql, |sql, (number, expression)| {
        sql.text(", (").trusted(expression).text(") AS ").ident(&expression_name(number))
    });
    let sql = from(sql.text(" FROM "), table, facts).text(" x");
    match matched.predicates.as_slice() {
        [] => sql.text(")"),
        [only] => sql.text(" WHERE ").trusted(only).text(")"),
        many => {
            let sql = sql.text(" WHERE ").trusted(&format!("({})", many.join(") OR (")));
            sql.text(")")
        }
    }
}

/// The table's own rows: those of tables that inherit from it belong to these.
pub(crate) fn from(sql: Sql, table: &TableName, facts: &TableFacts) -> Sql {
    let sql = if facts.kind == TableKind::Table { sql.text("ONLY ") } else { sql };
    sql.table(table)
}

/// Columns that the role may read.
pub(crate) fn readable(facts: &TableFacts) -> impl Iterator<Item = &String> {
    facts.columns.iter().filter(|(_, column)| column.readable).map(|(name, _)| name)
}

/// Where row `alias` stands: by its place in the table, else by all that can be read of it.
pub(crate) fn at(sql: Sql, alias: &'static str, facts: &TableFacts) -> Sql {
    if facts.located {
        return sql.text(alias).text(".\"enact oid\"::text || ").text(alias).text(".\"enact tid\"::text");
    }
    texts(sql.text("pg_catalog.md5("), alias, readable(facts)).text("::text)")
}

/// Columns of `alias` as one JSON array of texts, which no type can break and no number of columns makes long.
pub(crate) fn texts<'c>(sql: Sql, alias: &'static str, columns: impl Iterator<Item = &'c String>) -> Sql {
    sql.text("pg_catalog.to_jsonb(ARRAY[")
        .list(columns, |sql, column| sql.text(alias).text(".").ident(column).text("::text"))
        .text("]::text[])")
}

/// `t` is the row that `d` declares.
pub(crate) fn on(sql: Sql, matched: &Match, facts: &TableFacts) -> Sql {
    let mut number = 0;
    matched.parts.iter().enumerate().fold(sql, |sql, (position, part)| {
        let sql = if position > 0 { sql.text(" AND ") } else { sql };
        match part {
            Part::Column(name) => equal(sql, "t", name, "d", name, &facts.columns[name]),
            Part::Null(name) => sql.text("t.").ident(name).text(" IS NOT DISTINCT FROM NULL"),
            Part::Expression(_) => {
                let name = expression_name(number);
                number += 1;
                sql.text("t.").ident(&name).text(" = d.").ident(&name)
            }
        }
    })
}

/// Two columns are equal, by the type's own equality or as they are spelled.
pub(crate) fn equal(sql: Sql, a: &'static str, name: &str, b: &'static str, other: &str, column: &Column) -> Sql {
    let side = |sql: Sql, alias: &'static str, name: &str| sql.text(alias).text(".").ident(name);
    match &column.equality {
        Some(operator) => {
            let sql = comparable(side(sql, a, name), column).text(" ").trusted(operator).text(" ");
            comparable(side(sql, b, other), column)
        }
        None => side(side(sql, a, name).text("::text = "), b, other).text("::text"),
    }
}

/// After a value that the type's own equality compares: an operator of any enum, array or range is none of a domain over it.
pub(crate) fn comparable(sql: Sql, column: &Column) -> Sql {
    if column.domain && column.equality.is_some() { sql.text("::").trusted(&column.base_type) } else { sql }
}

/// Whether a live value is another one than the declared. A time that is not known yet is the same as whatever is there; a
/// reference to a row that is not there yet is another one than whatever is there.
pub(crate) fn differs(sql: Sql, name: &str, form: &Form, column: &Column) -> Sql {
    let null = |sql: Sql, alias: &'static str| sql.text(alias).text(".").ident(name).text(" IS NOT DISTINCT FROM NULL");
    match form {
        Form::ApplyTime => null(sql, "t"),
        Form::Null | Form::Text(_) | Form::Tree(_) | Form::Reference(_) => {
            let sql =
                if matches!(form, Form::Reference(_)) { null(sql.text("("), "d").text(" OR ") } else { sql.text("(") };
            if column.kind == ColumnKind::Json {
                return json_differs(sql, name).text(")");
            }
            if column.spelling_matters || column.equality.is_none() {
                let spelled = |sql: Sql, alias: &'static str| {
                    sql.text("(").text(alias).text(".").ident(name).text("::text COLLATE pg_catalog.\"C\")")
                };
                return spelled(spelled(sql, "t").text(" IS DISTINCT FROM "), "d").text(")");
            }
            let sql = equal(sql.text("(("), "t", name, "d", name, column).text(") IS NOT TRUE AND NOT (");
            null(null(sql, "t").text(" AND "), "d").text(")))")
        }
    }
}

/// `json` has no equality: two texts of it are the same when they are as `jsonb`, which cannot hold U+0000.
fn json_differs(sql: Sql, name: &str) -> Sql {
    let text = |sql: Sql, alias: &'static str| sql.text(alias).text(".").ident(name).text("::text");
    let sql = text(text(sql.text("CASE WHEN "), "t").text(" IS NOT DISTINCT FROM "), "d").text(" THEN false WHEN ");
    let sql = text(text(sql, "t").text(" || "), "d").text(" IS NULL OR pg_catalog.strpos(");
    let sql = text(text(sql, "t").text(" || "), "d").text(", '\\u0000') > 0 THEN true ELSE t.");
    sql.ident(name).text("::jsonb OPERATOR(pg_catalog.<>) d.").ident(name).text("::jsonb END")
}

fn expressions(matched: &Match) -> Vec<&String> {
    let parts = matched.parts.iter();
    parts
        .filter_map(|part| match part {
            Part::Expression(text) => Some(text),
            Part::Column(_) | Part::Null(_) => None,
        })
        .collect()
}

fn expression_name(number: usize) -> String {
    format!("enact e{number}")
}

fn place_name(place: usize) -> String {
    format!("enact {place}")
}

fn place_text(sql: Sql, place: usize) -> Sql {
    sql.text("d0.").ident(&place_name(place))
}

/// A value in its column's type.
fn value(sql: Sql, form: &Form, column: &Column, tables: &Facts) -> Sql {
    let sql = match form {
        Form::Null => sql.text("NULL::").trusted(&column.type_name),
        Form::Text(place) => cast(sql, column, |sql| place_text(sql, *place)),
        Form::Tree(place) => tree(sql, *place, &column.type_name),
        Form::ApplyTime => sql.text("pg_catalog.now()::").trusted(&column.type_name),
        Form::Reference(reference) => referred(sql.text("("), reference, tables).text(")::").trusted(&column.type_name),
    };
    match &column.collation {
        Some(collation) if *form != Form::Null => sql.text(" COLLATE ").trusted(collation),
        Some(_) | None => sql,
    }
}

/// A text in a column's type. What the type's modifiers or its domain would cut off or round is cut here, and [`cut`] tells.
fn cast(sql: Sql, column: &Column, text: impl FnOnce(Sql) -> Sql) -> Sql {
    let sql = text(sql.text("(")).text(")::").trusted(&column.base_type);
    if column.type_name == column.base_type { sql } else { sql.text("::").trusted(&column.type_name) }
}

/// Whether the column keeps another value than the declared one: rounded, cut, padded.
fn cut(sql: Sql, form: &Form, column: &Column) -> Sql {
    let place = match form {
        Form::Text(place) => place,
        Form::Tree(place) => return tree_cut(sql, *place, column),
        Form::Null | Form::ApplyTime | Form::Reference(_) => return sql.text("false"),
    };
    if let ("real" | "double precision", true) = (column.base_type.as_str(), column.type_name == column.base_type) {
        // As many digits as the type has; a text that is a number in words is none.
        let sql = place_text(sql.text("CASE WHEN "), *place).text(" ~ '^[-+0-9.eE]+$' THEN ");
        let sql = place_text(sql, *place).text("::numeric IS DISTINCT FROM ");
        return cast(sql, column, |sql| place_text(sql, *place)).text("::text::numeric ELSE false END");
    }
    if column.kind == ColumnKind::Cut {
        let sql = place_text(sql, *place).text(" IS DISTINCT FROM ");
        return cast(sql, column, |sql| place_text(sql, *place)).text("::text");
    }
    if column.type_name == column.base_type {
        return sql.text("false");
    }
    let whole = |sql: Sql| place_text(sql.text("("), *place).text(")::").trusted(&column.base_type);
    let kept = |sql: Sql| comparable(cast(sql, column, |sql| place_text(sql, *place)), column);
    let collate = |sql: Sql| match &column.collation {
        Some(collation) => sql.text(" COLLATE ").trusted(collation),
        None => sql,
    };
    match &column.equality {
        Some(operator) => {
            let sql = collate(whole(sql.text("coalesce(NOT (("))).text(") ").trusted(operator).text(" (");
            kept(sql).text(")), false)")
        }
        None => kept(whole(sql.text("(")).text(")::text IS DISTINCT FROM (")).text(")::text"),
    }
}

/// The same for the elements of an array.
fn tree_cut(sql: Sql, place: usize, column: &Column) -> Sql {
    let Some(operator) =
        column.equality.as_ref().filter(|_| column.kind == ColumnKind::Array && column.type_name != column.base_type)
    else {
        return sql.text("false");
    };
    let sql = tree(sql.text("coalesce(NOT ("), place, &column.base_type).text(" ").trusted(operator).text(" ");
    tree(sql, place, &column.type_name).text("::").trusted(&column.base_type).text("), false)")
}

/// JSON that becomes an array or a composite value.
fn tree(sql: Sql, place: usize, type_name: &str) -> Sql {
    let sql = sql.text("(SELECT j.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object('v', ");
    place_text(sql, place).text("::jsonb)) AS j(v ").trusted(type_name).text("))")
}

/// The value of a column of another row, found as the key of a declared row finds it.
fn referred(sql: Sql, reference: &ReferenceForm, tables: &Facts) -> Sql {
    let ReferenceForm { table, key, column } = reference;
    let facts = &tables[table];
    let (names, forms): (Vec<String>, Vec<Form>) = key.iter().cloned().unzip();
    let Some(matched) = matching(facts, &names, &forms) else {
        panic!("BUG: a reference to \"{table}\" without a key")
    };
    let sql = sql.text("SELECT r.").ident(column).text(" FROM ").sql(&live(table, &matched, facts)).text(" r WHERE ");
    let form = |name: &String| &key[names.iter().position(|known| known == name).unwrap_or(0)].1;
    let mut number = 0;
    matched.parts.iter().enumerate().fold(sql, |sql, (position, part)| {
        let sql = sql.text(if position == 0 { "r." } else { " AND r." });
        match part {
            Part::Null(name) => sql.ident(name).text(" IS NOT DISTINCT FROM NULL"),
            Part::Column(name) => {
                let column = &facts.columns[name];
                match &column.equality {
                    Some(operator) => {
                        let sql = comparable(sql.ident(name), column).text(" ").trusted(operator).text(" ");
                        comparable(value(sql, form(name), column, tables), column)
                    }
                    None => value(sql.ident(name).text("::text = ("), form(name), column, tables).text(")::text"),
                }
            }
            Part::Expression(expression) => {
                let sql = sql
                    .ident(&expression_name(number))
                    .text(" = (SELECT (")
                    .trusted(expression)
                    .text(") FROM (SELECT ");
                number += 1;
                let sql = sql.list(key, |sql, (name, form)| {
                    value(sql, form, &facts.columns[name], tables).text(" AS ").ident(name)
                });
                sql.text(") x)")
            }
        }
    })
}
