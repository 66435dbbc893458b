//! A case as an author writes it: a plan, and the files that it names.

use serde_json::Value;

use super::super::engine::Files;
use super::schema::{Case, Cover, Declared, GONE, Mode, Named, Place, Reference, Rows, State, TOUCHED, Table, Target};
use super::values::Written;

impl Case {
    /// The plan and its files.
    pub fn files(&self) -> Files {
        let mut plan = "enact: v1\nplan: generated\nrows:\n".to_owned();
        let mut files = Files::new();
        for rows in self.plan.iter().filter(|rows| !rows.rows.is_empty() || matches!(rows.mode, Mode::Sync { .. })) {
            let table = &self.tables[rows.table];
            let name = Value::from(table.written());
            match rows.place {
                Place::Plan if rows.mode == Mode::List => {
                    plan.push_str(&format!("  {name}:\n{}", self.list(rows, "    ")));
                }
                Place::Plan => {
                    let list = if rows.rows.is_empty() {
                        " []\n".to_owned()
                    } else {
                        format!("\n{}", self.list(rows, "      "))
                    };
                    let is_whole = matches!(rows.mode, Mode::Sync { .. });
                    let key = if is_whole { format!("    key: [{}]\n", key(rows, table)) } else { String::new() };
                    plan.push_str(&format!("  {name}:\n{}{key}    rows:{list}", settings(rows, table)));
                }
                Place::Csv | Place::JsonLines => {
                    let end = if rows.place == Place::Csv { "csv" } else { "jsonl" };
                    let file = format!("table{}.{end}", rows.table);
                    let key = key(rows, table);
                    let settings = settings(rows, table);
                    plan.push_str(&format!("  {name}:\n{settings}    from: {file}\n    key: [{key}]\n"));
                    files.push((file, self.data(rows)));
                }
            }
        }
        files.push(("plan.yaml".to_owned(), plan));
        files
    }

    fn list(&self, rows: &Rows, indent: &str) -> String {
        rows.rows.iter().map(|row| self.row(&self.tables[rows.table], row, indent)).collect()
    }

    fn row(&self, table: &Table, row: &Declared, indent: &str) -> String {
        let key = self.key(table, row.by, row.tag, row.odd).into_iter().map(pair).collect::<Vec<_>>().join(", ");
        let values = match self.values(table, row) {
            None => "absent: true".to_owned(),
            Some(values) => format!("values: {{ {} }}", values.into_iter().map(pair).collect::<Vec<_>>().join(", ")),
        };
        format!("{indent}- key: {{ {key} }}\n{indent}  {values}\n")
    }

    fn key(&self, table: &Table, key: usize, tag: u8, odd: bool) -> Vec<(String, Written)> {
        let key = &table.keys[key];
        let parts = key.columns.iter().zip(key.tags(tag));
        parts.map(|((name, kind), tag)| ((*name).to_owned(), kind.value(tag, odd))).collect()
    }

    /// What is named of a row that should be there.
    fn values(&self, table: &Table, row: &Declared) -> Option<Vec<(String, Written)>> {
        let State::Present { keys, references, values } = &row.state else { return None };
        let null = |name: &str| (name.to_owned(), Written::null());
        let mut out = Vec::new();
        for (index, named) in keys.iter().enumerate().filter(|(index, _)| *index != row.by) {
            if let Named::Tag(tag) = named {
                out.extend(self.key(table, index, *tag, row.odd));
            }
        }
        for (reference, target) in table.references.iter().zip(references) {
            match target {
                Target::No => {}
                Target::Null => out.extend(reference.columns.iter().map(|name| null(name))),
                Target::Tag(tag) => {
                    let values = self.key(&self.tables[reference.to], reference.to_key, *tag, row.odd);
                    out.extend(reference.columns.iter().cloned().zip(values.into_iter().map(|(_, value)| value)));
                }
                Target::Natural { key, tag } => out.push(self.natural(reference, *key, *tag, row.odd)),
            }
        }
        for (column, named) in table.values.iter().zip(values) {
            match named {
                Named::No => {}
                Named::Null => out.push(null(column.name)),
                Named::Tag(tag) => out.push((column.name.to_owned(), column.kind.value(*tag, row.odd))),
            }
        }
        out.extend((table.keys[row.by].cover == Cover::Living).then(|| null(GONE)));
        Some(out)
    }

    /// A reference by another key of the row that it means.
    fn natural(&self, reference: &Reference, key: usize, tag: u8, odd: bool) -> (String, Written) {
        let to = &self.tables[reference.to];
        let key = self.key(to, key, tag, odd).into_iter().map(pair).collect::<Vec<_>>().join(", ");
        let name = Value::from(to.written());
        let yaml = format!("{{ row: {name}, key: {{ {key} }} }}");
        (reference.columns[0].clone(), Written { yaml, ..Written::null() })
    }

    /// The rows as a file of data, all of which name the same columns.
    fn data(&self, rows: &Rows) -> String {
        let table = &self.tables[rows.table];
        let mut out = String::new();
        for row in &rows.rows {
            let mut cells = self.key(table, row.by, row.tag, false);
            cells.extend(self.values(table, row).unwrap_or_default());
            if rows.place == Place::JsonLines {
                let cells = cells.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), value.json));
                out.push_str(&format!("{{{}}}\n", cells.collect::<Vec<_>>().join(", ")));
                continue;
            }
            if out.is_empty() {
                out = cells.iter().map(|(name, _)| in_csv(name)).collect::<Vec<_>>().join(",") + "\n";
            }
            let cells = cells.iter().map(|(_, value)| csv_cell(&value.json));
            out.push_str(&(cells.collect::<Vec<_>>().join(",") + "\n"));
        }
        out
    }
}

/// The columns of the key that finds the rows of a file, or of a whole table.
fn key(rows: &Rows, table: &Table) -> String {
    let by = rows.rows.first().map_or(0, |row| row.by);
    let columns = table.keys[by].columns.iter().map(|(name, _)| Value::from(*name).to_string());
    columns.collect::<Vec<_>>().join(", ")
}

fn settings(rows: &Rows, table: &Table) -> String {
    let mut out = match &rows.mode {
        Mode::List => String::new(),
        Mode::Upsert => "    mode: upsert\n".to_owned(),
        Mode::Insert => "    mode: insert\n".to_owned(),
        Mode::Sync { within, max_delete } => {
            let within = within.map(|(column, tag)| {
                let column = &table.values[column];
                format!("    where: {{ {} }}\n", pair((column.name.to_owned(), column.kind.value(tag, false))))
            });
            format!("    mode: sync\n{}    max_delete: {max_delete}\n", within.unwrap_or_default())
        }
    };
    if table.touches() {
        out.push_str(&format!("    computed: [{TOUCHED}]\n"));
    }
    out
}

fn pair((name, value): (String, Written)) -> String {
    format!("{}: {}", Value::from(name), value.yaml)
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => in_csv(text),
        Value::Array(items) => {
            let items = items.iter().map(|item| if item.is_null() { "NULL".to_owned() } else { item.to_string() });
            in_csv(&format!("{{{}}}", items.collect::<Vec<_>>().join(",")))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => in_csv(&value.to_string()),
    }
}

/// Quoted always, so that a text that is empty is none that is missing.
fn in_csv(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
