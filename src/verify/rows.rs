//! Declared rows against what the last apply wrote down of them. Pure.

use super::read::Facts;
use super::result::Check;
use crate::model::{
    Address, ColumnDiffers, RecordedTable, RecordedValue, RowDifference, RowDiffers, TableNow, TableRead,
};

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// Compares the rows of each table.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    facts.rows.iter().flat_map(of_table).collect()
}

fn of_table(recorded: &RecordedTable) -> Vec<Check> {
    let RecordedTable { table, rows, now } = recorded;
    let title = format!("rows of {table}: are as the last apply left them");
    let count = usize::try_from(*rows).unwrap_or(usize::MAX);
    match now {
        TableNow::Gone => vec![Check::of(title, count, vec![format!("there is no table \"{table}\" any more")])],
        TableNow::Hidden { why } => vec![Check::skipped(title, count, why.clone())],
        TableNow::Read(read) => {
            let mut checks = vec![Check::of(title, count, differences(recorded, read))];
            checks.extend(unseen(recorded, read));
            checks
        }
    }
}

fn differences(recorded: &RecordedTable, read: &TableRead) -> Vec<String> {
    let TableRead { gone_columns, hidden_columns: _, hides_rows: _, different, rows, undeclared, undeclared_rows } =
        read;
    let table = &recorded.table;
    let mut what: Vec<String> =
        gone_columns.iter().map(|column| format!("{table} has no column \"{column}\" any more")).collect();
    let shown: Vec<&RowDifference> = rows.iter().filter(|row| row.differs()).collect();
    what.extend(shown.iter().flat_map(|row| said(recorded, row)));
    what.extend(more(*different, shown.len(), "differ"));
    let undeclared_row = |key| format!("{} came beside the declared rows", Address::row(table, key));
    what.extend(undeclared_rows.iter().map(undeclared_row));
    what.extend(more(*undeclared, undeclared_rows.len(), "came beside the declared rows"));
    what
}

fn more(all: u64, shown: usize, what: &str) -> Option<String> {
    let more = all.saturating_sub(shown as u64);
    (more > 0).then(|| format!("{} more {what}", crate::diff::counted(more, "row")))
}

fn said(recorded: &RecordedTable, row: &RowDifference) -> Vec<String> {
    let address = Address::row(&recorded.table, &row.key);
    match &row.what {
        RowDiffers::Gone => vec![format!("{address} is gone")],
        RowDiffers::Columns(columns) => {
            let one = |ColumnDiffers { column, recorded, live }: &ColumnDiffers| {
                let is = live.as_ref().map_or_else(|| "NULL".to_owned(), |text| shown(text));
                match recorded {
                    RecordedValue::Null => format!("{address}: {column} was NULL and is {is}"),
                    RecordedValue::Any => format!("{address}: {column} had a time and is {is}"),
                    RecordedValue::Text(text) => format!("{address}: {column} was {} and is {is}", shown(text)),
                    RecordedValue::Digest(digest) => {
                        format!("{address}: {column} is {is}; what was applied is known by its digest (md5 {digest})")
                    }
                }
            };
            columns.iter().map(one).collect()
        }
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// What could not be judged.
fn unseen(recorded: &RecordedTable, read: &TableRead) -> Vec<Check> {
    let table = &recorded.table;
    let mut out = Vec::new();
    if !read.hidden_columns.is_empty() {
        let why = format!("this role may not read {}", read.hidden_columns.join(", "));
        out.push(Check::skipped(format!("rows of {table}: columns of other roles"), read.hidden_columns.len(), why));
    }
    if read.hides_rows {
        let why = "row-level security may hide rows from this role, so that a missing one is no difference";
        out.push(Check::skipped(format!("rows of {table}: none is gone"), 0, why));
    }
    out
}
