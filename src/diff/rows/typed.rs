//! Declared values get the type of their column: the last thing that is done to them without asking the database.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::matching;
use super::judge::say_once;
use super::shape::{Batch, Batches, Form, ReferenceForm, Shape, Texts};
use crate::diff::codes;
use crate::model::{
    Binding, Code, Column, ColumnKind, Diagnostic, Diagnostics, KnownNames, Place, RowFinding, RowOrigin, RowRef,
    RowSet, RowState, Spot, TableFacts, TableName, Written, name_hint, near_hint,
};

/// What typing needs to know.
pub struct Catalog<'a> {
    /// Facts of the tables.
    pub tables: &'a BTreeMap<TableName, TableFacts>,
    /// What there is besides.
    pub known: &'a KnownNames,
    /// The binding, for soft references.
    pub binding: &'a Binding,
}

/// Declared rows, typed.
#[derive(Debug, Default)]
pub struct Typed {
    /// The rows in batches.
    pub batches: Vec<Batch<RowRef>>,
    /// What is wrong with values and tables.
    pub errors: Diagnostics,
    /// Rows with a wrong value, which has been replaced by NULL: the database still says what it finds of the others.
    pub wrong: BTreeSet<RowRef>,
    /// Tables of which some declared row is not among the batches, or not as it is declared.
    pub incomplete: BTreeSet<TableName>,
    /// What reviewers should know.
    pub findings: Vec<RowFinding>,
}

/// Types the rows of all sets. Rows with a mistake are left out, so that one run shows all of them.
pub fn type_rows(sets: &[RowSet], catalog: &Catalog<'_>) -> Typed {
    let mut out = Typed::default();
    let mut seen = BTreeSet::new();
    for (index, set) in sets.iter().enumerate() {
        let mut errors = Diagnostics::default();
        let facts = set_facts(set, catalog, &mut errors);
        // Rows of a template share their mistakes: one promotion is enough.
        let repeated = match &set.origin {
            RowOrigin::Promotion { name, kind, .. } => errors.has_errors() && !seen.insert((name, kind)),
            RowOrigin::Files => false,
        };
        if errors.has_errors() {
            out.incomplete.insert(set.table.value.clone());
        }
        if !repeated {
            out.errors.extend(errors);
        }
        if let Some(facts) = facts {
            let before = out.errors.0.len();
            type_set(index, set, facts, catalog, &mut out);
            if out.errors.0.len() > before {
                out.incomplete.insert(set.table.value.clone());
            }
        }
    }
    out
}

/// The facts of a set's table, if all its columns can be what the set says.
fn set_facts<'a>(set: &RowSet, catalog: &Catalog<'a>, errors: &mut Diagnostics) -> Option<&'a TableFacts> {
    let table = &set.table.value;
    let place = set.rows.first().map_or(&set.table.place, |row| &row.place);
    let Some(facts) = catalog.tables.get(table) else {
        errors.push(unknown_table(table, place, catalog.known));
        return None;
    };
    let before = errors.0.len();
    if let Some(name) = facts.columns.keys().find(|name| name.starts_with("enact ")) {
        let detail = format!("table \"{table}\" has a column \"{name}\"");
        errors.push(Diagnostic::error(codes::OWN_NAME, detail).at(place).hint("give the column another name"));
    }
    for (position, column) in set.key.iter().chain(&set.columns).enumerate() {
        let place = set.rows.first().and_then(|row| row.cells.get(position)).map_or(place, |cell| &cell.place);
        check_column(set, facts, column, position < set.key.len(), place, errors);
    }
    for column in set.computed.iter().filter(|column| !facts.columns.contains_key(&column.value)) {
        errors.push(unknown_column(table, &column.value, facts, &column.place));
    }
    (errors.0.len() == before).then_some(facts)
}

/// There is no such table.
pub fn unknown_table(table: &TableName, place: &Place, known: &KnownNames) -> Diagnostic {
    let known = known.tables.iter().map(String::as_str);
    Diagnostic::error(codes::UNKNOWN_TABLE, format!("there is no table \"{table}\" that this role can see"))
        .at(place)
        .hint(near_hint(&table.to_string(), known, "create it, or correct the name"))
}

/// There is no such column.
pub fn unknown_column(table: &TableName, column: &str, facts: &TableFacts, place: &Place) -> Diagnostic {
    Diagnostic::error(codes::UNKNOWN_COLUMN, format!("table \"{table}\" has no column \"{column}\""))
        .at(place)
        .hint(name_hint(column, facts.columns.keys().map(String::as_str)))
}

fn check_column(set: &RowSet, facts: &TableFacts, column: &str, in_key: bool, place: &Place, errors: &mut Diagnostics) {
    let table = &set.table.value;
    let Some(found) = facts.columns.get(column) else {
        return errors.push(unknown_column(table, column, facts, place));
    };
    if found.generated && !in_key && !is_computed(set, column) {
        let detail = format!("column \"{column}\" of \"{table}\" is generated and cannot be written");
        errors.push(Diagnostic::error(codes::UNKNOWN_COLUMN, detail).at(place).hint("leave it out"));
    }
    if found.derived
        && !facts.allows.is_empty()
        && !in_key
        && set.state != RowState::Absent
        && !is_computed(set, column)
    {
        let detail = format!("column \"{column}\" of the view \"{table}\" is no column of the table behind it");
        errors.push(
            Diagnostic::error(codes::UNKNOWN_COLUMN, detail).at(place).hint("leave it out, or list it as computed"),
        );
    }
    if !found.readable {
        let detail = format!("this role may not read column \"{column}\" of \"{table}\"");
        let hint = format!("GRANT SELECT ({column}) ON {table} TO it, so that it can be compared");
        errors.push(Diagnostic::error(codes::NOT_READABLE, detail).at(place).hint(hint));
    }
    if in_key && is_computed(set, column) {
        let detail = format!("column \"{column}\" of \"{table}\" is a key and cannot be computed");
        errors.push(Diagnostic::error(codes::NOT_A_KEY, detail).at(place).hint("leave it out of computed"));
    }
}

fn is_computed(set: &RowSet, column: &str) -> bool {
    set.computed.iter().any(|computed| computed.value == column)
}

fn type_set(index: usize, set: &RowSet, facts: &TableFacts, catalog: &Catalog<'_>, out: &mut Typed) {
    let kept: Vec<usize> = (0..set.columns.len()).filter(|at| !is_computed(set, &set.columns[*at])).collect();
    let columns: Vec<String> = kept.iter().map(|at| set.columns[*at].clone()).collect();
    let mut batches = Batches::new(set.table.value.clone(), set.key.clone(), columns);
    let mut row = RowTyping { set, facts, catalog, texts: Texts::default(), out };
    for (number, declared) in set.rows.iter().enumerate() {
        row.texts = Texts::default();
        // All of them are typed before any is given up, so that every mistake of the row is said.
        let key: Vec<Option<Form>> =
            (0..set.key.len()).map(|at| row.value(&set.key[at], &declared.cells[at], true)).collect();
        let values: Vec<Option<Form>> =
            kept.iter().map(|at| row.value(&set.columns[*at], &declared.cells[set.key.len() + at], false)).collect();
        let Some(key) = key.into_iter().collect() else { continue };
        let of = RowRef { set: index, row: number };
        let values = values.into_iter().map(|form| {
            form.unwrap_or_else(|| {
                row.out.wrong.insert(of);
                row.texts.text(None)
            })
        });
        let values = values.collect();
        batches.add(Shape { key, values }, std::mem::take(&mut row.texts), of);
    }
    for batch in batches.finish() {
        match matching(facts, &batch.key, &batch.shape.key) {
            Some(_) => out.batches.push(batch),
            None => out.errors.push(not_a_key(set, facts, batch.rows.first())),
        }
    }
}

fn not_a_key(set: &RowSet, facts: &TableFacts, row: Option<&RowRef>) -> Diagnostic {
    let table = &set.table.value;
    let unique: Vec<String> = facts.unique.iter().map(index_text).collect();
    let detail = format!("no unique index of \"{table}\" covers the key {}", set.key.join(", "));
    let hint = match unique.is_empty() {
        true => format!("\"{table}\" has no unique index: add one over {}", set.key.join(", ")),
        false => format!("unique are: {}", unique.join("; ")),
    };
    let place = row.and_then(|row| set.rows.get(row.row)).map_or(&set.table.place, |row| &row.place);
    Diagnostic::error(codes::NOT_A_KEY, detail).at(place).hint(hint)
}

/// `slug + locale`, with what the index is narrowed to.
pub fn index_text(index: &crate::model::UniqueIndex) -> String {
    let parts: Vec<&str> = index.parts.iter().map(|(_, text)| text.as_str()).collect();
    match &index.predicate {
        Some(predicate) => format!("{} where {predicate}", parts.join(" + ")),
        None => parts.join(" + "),
    }
}

struct RowTyping<'a, 'o> {
    set: &'a RowSet,
    facts: &'a TableFacts,
    catalog: &'a Catalog<'a>,
    texts: Texts,
    out: &'o mut Typed,
}

impl RowTyping<'_, '_> {
    /// Types one value; `None` when it is wrong, which was said.
    fn value(&mut self, name: &str, cell: &Spot<Written>, in_key: bool) -> Option<Form> {
        let column = self.facts.columns.get(name)?;
        let typed = match reference_of(&cell.value, column) {
            Some((table, key)) => self.reference(&self.set.table.value, name, table, key),
            None => scalar(column, &cell.value, in_key, &mut self.texts),
        };
        match typed {
            Ok(form) => {
                if let Written::Text(text) = &cell.value
                    && column.kind.is_json()
                    && looks_like_json(text)
                {
                    self.say_json_text(name);
                }
                Some(form)
            }
            Err(wrong) => {
                let table = &self.set.table.value;
                let detail = format!("column \"{name}\" of \"{table}\": {}", wrong.why);
                self.out.errors.push(Diagnostic::error(wrong.code, detail).at(&cell.place).hint(wrong.hint));
                None
            }
        }
    }

    fn say_json_text(&mut self, column: &str) {
        let message = format!(
            "column {column} of {} is JSON and gets a text that looks like JSON, which is stored as a JSON string; \
             write it without quotes as YAML, or as !json '…'",
            self.set.table.value
        );
        say_once(&mut self.out.findings, codes::JSON_TEXT, None, message);
    }

    fn reference(
        &mut self,
        from: &TableName,
        column: &str,
        table: &str,
        key: &[(String, Written)],
    ) -> Result<Form, Wrong> {
        let to = TableName::parse(table)
            .map_err(|error| wrong(codes::UNKNOWN_TABLE, error.to_string(), "name the schema too"))?;
        let meant = self.column_meant(from, column, &to)?;
        let Some(facts) = self.catalog.tables.get(&to) else {
            return Err(wrong(codes::UNKNOWN_TABLE, format!("there is no table \"{to}\""), "correct the name"));
        };
        let mut forms = Vec::new();
        for (name, value) in key {
            let Some(found) = facts.columns.get(name) else {
                let hint = name_hint(name, facts.columns.keys().map(String::as_str));
                return Err(wrong(codes::UNKNOWN_COLUMN, format!("table \"{to}\" has no column \"{name}\""), &hint));
            };
            let form = match reference_of(value, found) {
                Some((table, key)) => self.reference(&to, name, table, key)?,
                None => scalar(found, value, true, &mut self.texts)?,
            };
            forms.push((name.clone(), form));
        }
        let (names, values): (Vec<String>, Vec<Form>) = forms.iter().cloned().unzip();
        if matching(facts, &names, &values).is_none() {
            let detail = format!("no unique index of \"{to}\" covers the key {}", names.join(", "));
            let unique: Vec<String> = facts.unique.iter().map(index_text).collect();
            return Err(wrong(codes::NOT_A_KEY, detail, &format!("unique are: {}", unique.join("; "))));
        }
        Ok(Form::Reference(Box::new(ReferenceForm { table: to, key: forms, column: meant })))
    }

    /// The column of the referred row that a foreign key, or a soft reference of the binding, compares with this one.
    fn column_meant(&self, from: &TableName, column: &str, to: &TableName) -> Result<String, Wrong> {
        let facts = self.catalog.tables.get(from);
        let keys = facts.into_iter().flat_map(|facts| &facts.foreign_keys);
        let hard = keys.filter(|key| key.to == *to).find_map(|key| {
            let at = key.columns.iter().position(|name| name == column)?;
            key.to_columns.get(at).cloned()
        });
        let mut softs = self.catalog.binding.soft_references.iter();
        let soft = || {
            let soft = softs.find(|soft| soft.table == *from && soft.column == column && soft.to == *to)?;
            Some(soft.to_column.clone())
        };
        hard.or_else(soft).ok_or_else(|| {
            let others: Vec<String> = facts
                .into_iter()
                .flat_map(|facts| &facts.foreign_keys)
                .filter(|key| key.columns.iter().any(|name| name == column))
                .map(|key| key.to.to_string())
                .collect();
            let hint = match others.is_empty() {
                true => "a reference by key needs a foreign key; write the value itself".to_owned(),
                false => format!("it refers to {}", others.join(", ")),
            };
            wrong(codes::MISSING_REFERENCE, format!("no foreign key of \"{from}\" leads from it to \"{to}\""), &hint)
        })
    }
}

/// What is wrong with a value.
struct Wrong {
    code: Code,
    why: String,
    hint: String,
}

fn wrong(code: Code, why: impl Into<String>, hint: &str) -> Wrong {
    Wrong { code, why: why.into(), hint: hint.to_owned() }
}

/// A mapping of `row` and `key` is a reference, except in a column that could hold it as a value.
fn reference_of<'w>(value: &'w Written, column: &Column) -> Option<(&'w str, &'w [(String, Written)])> {
    if column.kind.is_json() || column.kind == ColumnKind::Composite { None } else { value.as_reference() }
}

fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn scalar(column: &Column, value: &Written, in_key: bool, texts: &mut Texts) -> Result<Form, Wrong> {
    let bad = |why: &str, hint: &str| Err(wrong(codes::BAD_VALUE, why, hint));
    if let Some(text) = value.scalar()
        && text.contains('\0')
    {
        return bad("a text of PostgreSQL cannot hold the character U+0000", "leave the character out");
    }
    if value.is_apply_time() && column.kind.is_json() && matches!(value, Written::Map(_)) {
        return bad(
            "{apply.time} has no place in JSON",
            "give it a column of its own, or put it in quotes to make it a text",
        );
    }
    if value.is_apply_time() && !column.kind.is_json() {
        let literal = matches!(value, Written::Text(_) | Written::Plain(_)) && column.kind != ColumnKind::Time;
        if !literal {
            return match in_key {
                true => bad("a key cannot be the time of the apply", "write a fixed value"),
                false => Ok(Form::ApplyTime),
            };
        }
    }
    match value {
        Written::Null if in_key => Ok(Form::Null),
        Written::Null => Ok(texts.text(None)),
        Written::ApplyTime => Ok(Form::ApplyTime),
        Written::Spelled(text) => check_time(column, text).map(|()| texts.text(Some(text.clone()))),
        Written::Json(text) if column.kind.is_json() => Ok(texts.text(Some(text.clone()))),
        Written::Json(_) => bad("!json is for columns of type json and jsonb", "leave the tag out"),
        Written::Plain(_) | Written::Text(_) | Written::List(_) | Written::Map(_) if column.kind.is_json() => {
            match value.to_json_text() {
                Ok(text) => Ok(texts.text(Some(text))),
                Err(error) => bad(&error.to_string(), "put it in quotes to make it a text"),
            }
        }
        Written::Plain(text) | Written::Text(text) => check_time(column, text).map(|()| texts.text(Some(text.clone()))),
        Written::List(_) if matches!(column.kind, ColumnKind::Array | ColumnKind::ArrayOfJson) => {
            tree(column, value, texts)
        }
        Written::Map(fields) if column.kind == ColumnKind::Composite => {
            match fields.iter().find(|(name, _)| !column.fields.contains(name)) {
                None => tree(column, value, texts),
                Some((name, _)) => bad(
                    &format!("the type {} has no field \"{name}\"", column.type_name),
                    &name_hint(name, column.fields.iter().map(String::as_str)),
                ),
            }
        }
        Written::List(_) => bad(&format!("a list does not fit the type {}", column.type_name), "write one value"),
        Written::Map(_) => bad(&format!("a mapping does not fit the type {}", column.type_name), "write one value"),
    }
}

/// Elements keep their spelling as texts, which the database reads in their own type; in JSON they are JSON.
fn tree(column: &Column, value: &Written, texts: &mut Texts) -> Result<Form, Wrong> {
    fn scalars<'w>(value: &'w Written, out: &mut Vec<&'w str>) {
        match value {
            Written::List(items) => items.iter().for_each(|item| scalars(item, out)),
            other => out.extend(other.scalar()),
        }
    }
    let mut words = Vec::new();
    scalars(value, &mut words);
    words.into_iter().try_for_each(|text| check_time(column, text))?;
    fn spelled(value: &Written) -> Written {
        match value {
            Written::Plain(text) => Written::Text(text.clone()),
            Written::List(items) => Written::List(items.iter().map(spelled).collect()),
            Written::Map(entries) => {
                Written::Map(entries.iter().map(|(name, value)| (name.clone(), spelled(value))).collect())
            }
            other => other.clone(),
        }
    }
    let json = match column.kind {
        ColumnKind::ArrayOfJson => value.to_json_text(),
        _ => spelled(value).to_json_text(),
    };
    match json {
        Ok(text) => Ok(texts.tree(text)),
        Err(error) => Err(wrong(codes::BAD_VALUE, error.to_string(), "put it in quotes to make it a text")),
    }
}

/// Words that PostgreSQL reads as another time at each moment (documentation, "Special Values" of date and time types).
const MOVING: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

fn check_time(column: &Column, text: &str) -> Result<(), Wrong> {
    use ColumnKind::{Cut, Integer, Json, Jsonb, Text, Uuid};
    if matches!(column.kind, Text | Integer | Uuid | Json | Jsonb | Cut) {
        return Ok(());
    }
    // Arrays and ranges of times read the same words.
    let of_times = ["date", "timestamp", "tsrange", "tstzrange", "tsmultirange", "tstzmultirange"];
    let made_of_times = of_times.iter().any(|name| column.base_type.starts_with(name));
    if column.kind != ColumnKind::Time && !made_of_times {
        return Ok(());
    }
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphabetic());
    match words.into_iter().find(|word| MOVING.contains(word)) {
        None => Ok(()),
        Some(word) => Err(wrong(
            codes::MOVING_VALUE,
            format!("\"{word}\" is another value at every plan"),
            "write {apply.time} for the time of the apply, or a fixed time",
        )),
    }
}

/// Whether two texts of this column are equal exactly when they are spelled alike, so that the database need not be asked
/// which declared keys are the same.
pub fn is_canonical(column: &Column, text: &str) -> bool {
    match column.kind {
        ColumnKind::Text => column.type_name == column.base_type,
        ColumnKind::Integer => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let number = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
            number && (digits == "0" && !text.starts_with('-') || !digits.starts_with('0'))
        }
        ColumnKind::Uuid => {
            text.len() == 36
                && text.bytes().enumerate().all(|(at, b)| match at {
                    8 | 13 | 18 | 23 => b == b'-',
                    _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
                })
        }
        _ => false,
    }
}

/// Whether the rows of a set are to be there because plan files say so: those of a promotion are known by its record.
pub fn is_recorded(set: &RowSet) -> bool {
    is_present(set) && set.origin == RowOrigin::Files
}

/// Whether the rows of a set are to be there.
pub fn is_present(set: &RowSet) -> bool {
    match set.state {
        RowState::Present | RowState::Inserted => true,
        RowState::Absent => false,
    }
}
