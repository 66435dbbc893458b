//! Row templates run backwards: taken apart once, with the live rows of their tables by the ids that they hold.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Live;
use crate::model::{LiveRow, RowTemplate, Template};

/// What the names of templates stand for.
pub(super) type Names = BTreeMap<String, String>;

/// A row template with the rows that may be of it.
pub(super) struct Form<'a> {
    pub template: &'a RowTemplate,
    pub rows: &'a [LiveRow],
    /// Columns whose value is one name.
    whole: Vec<(&'a str, String)>,
    /// The others that hold names.
    parts: Vec<(&'a str, Pattern)>,
    /// Positions of rows by the name of an id and its value.
    by_id: BTreeMap<(String, &'a str), Vec<usize>>,
}

/// A value that holds names.
enum Pattern {
    Text(Template),
    Object(Vec<(String, Pattern)>),
}

impl<'a> Form<'a> {
    pub fn of(template: &'a RowTemplate, live: &'a Live) -> Form<'a> {
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        for (column, value) in &template.values {
            let Some(pattern) = pattern(value) else { continue };
            match pattern.whole_name() {
                Some(name) => whole.push((column.as_str(), name.to_owned())),
                None => parts.push((column.as_str(), pattern)),
            }
        }
        let rows = live.records.get(&template.table).map_or(&[][..], Vec::as_slice);
        let mut form = Form { template, rows, whole, parts, by_id: BTreeMap::new() };
        for (at, row) in rows.iter().enumerate() {
            for (column, name) in form.whole.iter().filter(|(_, name)| is_id(name)) {
                if let Some(value) = text(row, column) {
                    form.by_id.entry((name.clone(), value)).or_default().push(at);
                }
            }
        }
        form
    }

    /// How many different names it holds.
    pub fn names(&self) -> usize {
        let mut names: BTreeSet<&str> = self.whole.iter().map(|(_, name)| name.as_str()).collect();
        self.parts.iter().for_each(|(_, pattern)| pattern.names(&mut names));
        names.len()
    }

    /// The rows that have one of the ids that are known, and of those that they have no other.
    pub fn rows_of(&self, names: &Names) -> Vec<&'a LiveRow> {
        let ids = || self.whole.iter().filter(|(_, name)| is_id(name));
        let known = ids().filter_map(|(_, name)| self.by_id.get(&(name.clone(), names.get(name)?.as_str())));
        let positions: BTreeSet<usize> = known.flatten().copied().collect();
        let agrees = |row: &&LiveRow| {
            ids().all(|(column, name)| match (names.get(name), text(row, column)) {
                (Some(known), Some(live)) => known == live,
                (Some(_) | None, _) => true,
            })
        };
        positions.into_iter().map(|at| &self.rows[at]).filter(agrees).collect()
    }

    /// What the names stand for in a live row. Values that are one name are read first, so that they settle what texts of
    /// several names mean. A row may say other things than the template where nothing is read from it; `None` when it has
    /// another id or another hash of the set than is known.
    pub fn read(&self, row: &LiveRow, known: &Names) -> Option<Names> {
        let mut names = known.clone();
        for (column, name) in &self.whole {
            let Some(value) = text(row, column) else { continue };
            let settled = names.entry(name.clone()).or_insert_with(|| value.to_owned());
            if settled != value && (is_id(name) || name == "set.hash") {
                return None;
            }
        }
        for (column, pattern) in &self.parts {
            if let Some(value) = text(row, column) {
                pattern.read(value, &mut names);
            }
        }
        Some(names)
    }
}

fn is_id(name: &str) -> bool {
    name.starts_with("id.")
}

fn text<'r>(row: &'r LiveRow, column: &str) -> Option<&'r str> {
    row.0.get(column).and_then(Option::as_deref)
}

/// `None` for a value without names. Lists are not read: nothing says which of their items stands where.
fn pattern(value: &Value) -> Option<Pattern> {
    match value {
        Value::String(text) => {
            Template::parse(text).ok().filter(|template| template.names().next().is_some()).map(Pattern::Text)
        }
        Value::Object(map) => {
            let parts: Vec<_> = map.iter().filter_map(|(key, part)| Some((key.clone(), pattern(part)?))).collect();
            (!parts.is_empty()).then_some(Pattern::Object(parts))
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

impl Pattern {
    fn whole_name(&self) -> Option<&str> {
        match self {
            Pattern::Text(template) => template.whole_name(),
            Pattern::Object(_) => None,
        }
    }

    fn names<'p>(&'p self, out: &mut BTreeSet<&'p str>) {
        match self {
            Pattern::Text(template) => out.extend(template.names()),
            Pattern::Object(parts) => parts.iter().for_each(|(_, part)| part.names(out)),
        }
    }

    fn read(&self, text: &str, names: &mut Names) {
        match self {
            Pattern::Text(template) => {
                for (name, value) in template.read_back(text, names).into_iter().flatten() {
                    names.entry(name).or_insert(value);
                }
            }
            Pattern::Object(parts) => {
                let Ok(Value::Object(live)) = serde_json::from_str::<Value>(text) else { return };
                for (key, part) in parts {
                    match live.get(key) {
                        Some(Value::String(text)) => part.read(text, names),
                        Some(other) => part.read(&other.to_string(), names),
                        None => {}
                    }
                }
            }
        }
    }
}
