//! One row.

use super::ROW_KEYS;
use super::table::{Declared, Mode};
use super::value::{key_value, value};
use crate::model::{DeclaredRow, Diagnostic, Diagnostics, Place, RowOrigin, RowSet, RowState, Spot, Written};
use crate::spec::codes;
use crate::spec::tree::{Entry, Node};
use crate::spec::walk::{Fields, optional, texts};

/// Columns with their values, sorted.
type Columns = Vec<(String, Spot<Written>)>;

/// Reads a row, as a set of one.
pub(super) fn row(of: &Declared<'_>, node: &Node, out: &mut Diagnostics) -> Option<RowSet> {
    let fields = Fields::open(node, &format!("a row of \"{}\"", of.written), &node.place, ROW_KEYS, out)?;
    let key = fields.require("key", out).and_then(|node| key(of, node, out));
    let values = values(of, &fields, node, out);
    let own = optional(fields.get("computed"), |node| texts(node, "computed", out));
    let (key, values, own) = (key?, values?, own?);
    let computed = computed_columns(of.computed.iter().cloned().chain(own.unwrap_or_default()));
    let (state, values) = match values {
        Some(values) => (of.mode.state(), values),
        None => (RowState::Absent, Vec::new()),
    };
    let in_key = |column: &str| key.iter().any(|(name, _)| name == column);
    let twice = values.iter().filter(|(column, _)| in_key(column)).map(|(column, value)| (column, &value.place));
    let computed_key = computed.iter().filter(|spot| in_key(&spot.value)).map(|spot| (&spot.value, &spot.place));
    if let Some((column, place)) = twice.chain(computed_key).next() {
        let detail = format!("\"{column}\" is in the key already");
        let hint = "leave it out here; a key column cannot be changed";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(place).hint(hint));
        return None;
    }
    let ((key, key_cells), (columns, cells)): ((Vec<_>, Vec<_>), (Vec<_>, Vec<_>)) =
        (key.into_iter().unzip(), values.into_iter().unzip());
    let row = DeclaredRow { cells: key_cells.into_iter().chain(cells).collect(), place: node.place.clone() };
    let table = of.table.clone()?;
    Some(RowSet { table, key, columns, state, origin: RowOrigin::Files, computed, rows: vec![row] })
}

/// Sorted and without repetition.
pub(super) fn computed_columns(columns: impl Iterator<Item = Spot<String>>) -> Vec<Spot<String>> {
    let mut columns: Vec<Spot<String>> = columns.collect();
    columns.sort();
    columns.dedup_by(|a, b| a.value == b.value);
    columns
}

fn key(of: &Declared<'_>, node: &Node, out: &mut Diagnostics) -> Option<Columns> {
    let fields = Fields::open_any(node, "\"key\"", &node.place, out)?;
    if fields.entries().is_empty() {
        let diagnostic = Diagnostic::error(codes::INVALID_VALUE, "a key needs at least one column").at(&node.place);
        out.push(diagnostic.hint("name the columns that find the row"));
        return None;
    }
    let what = |column: &str| format!("the key column \"{column}\"");
    let key = columns(fields.entries(), |entry| key_value(&entry.value, &what(&entry.key.value), out))?;
    if let Some(wanted) = &of.key
        && !key.iter().map(|(column, _)| column).eq(wanted)
    {
        let found: Vec<&str> = key.iter().map(|(column, _)| column.as_str()).collect();
        let detail =
            format!("this key is {}, and that of \"{}\" is {}", found.join(", "), of.written, wanted.join(", "));
        let hint = "name the same columns in both";
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint(hint));
        return None;
    }
    Some(key)
}

/// The values; the inner `None` for a row that should be absent.
fn values(of: &Declared<'_>, fields: &Fields<'_>, node: &Node, out: &mut Diagnostics) -> Option<Option<Columns>> {
    match (fields.entry("values"), fields.entry("absent")) {
        (Some(values), None) => {
            let values = Fields::open_any(&values.value, "\"values\"", &values.key.place, out)?;
            columns(values.entries(), |entry| value(&entry.value, out)).map(Some)
        }
        (None, Some(absent)) if absent.value.flag() == Some(true) => may_be_absent(of, fields, absent, out),
        (None, Some(absent)) => {
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, "\"absent\" can only be true");
            out.push(diagnostic.at(&absent.value.place).hint("write values: { … } for a row that should be there"));
            None
        }
        (Some(_), Some(absent)) => {
            conflict("a row cannot have values and be absent", &absent.key.place, "keep one of the two", out)
        }
        (None, None) => {
            let detail = format!("a row of \"{}\" needs \"values\" or \"absent: true\"", of.written);
            out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&node.place).hint("add values: { … }"));
            None
        }
    }
}

fn may_be_absent(
    of: &Declared<'_>,
    fields: &Fields<'_>,
    absent: &Entry,
    out: &mut Diagnostics,
) -> Option<Option<Columns>> {
    if let Some(computed) = fields.entry("computed") {
        let detail = "a row that should be absent has no computed columns";
        return conflict(detail, &computed.key.place, "leave computed out", out);
    }
    let hint = match of.mode {
        Mode::Upsert => return Some(None),
        Mode::Insert => "use mode: upsert for it",
        Mode::Sync => "leave the row out; what is not declared is deleted",
    };
    let detail = format!("\"absent\" does not go with mode: {}", of.mode.word());
    conflict(&detail, &absent.key.place, hint, out)
}

fn conflict<T>(detail: &str, place: &Place, hint: &str, out: &mut Diagnostics) -> Option<T> {
    out.push(Diagnostic::error(codes::CONFLICT, detail).at(place).hint(hint));
    None
}

fn columns(entries: &[Entry], mut read: impl FnMut(&Entry) -> Option<Written>) -> Option<Columns> {
    let read: Vec<Option<_>> = entries
        .iter()
        .map(|entry| {
            let value = Spot { value: read(entry)?, place: entry.value.place.clone() };
            Some((entry.key.value.clone(), value))
        })
        .collect();
    let mut columns: Columns = read.into_iter().collect::<Option<_>>()?;
    columns.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(columns)
}
