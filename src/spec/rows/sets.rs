//! Sets of rows: joined by what they have in common, and searched for rows that are declared twice.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::{
    DeclaredRow, Diagnostic, Diagnostics, Place, RowOrigin, RowSet, RowState, Spot, TableName, Written,
};
use crate::spec::codes;

/// What the rows of a set have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    table: TableName,
    key: Vec<String>,
    columns: Vec<String>,
    state: RowState,
    origin: RowOrigin,
    computed: Vec<String>,
}

impl Shape {
    fn of(set: &RowSet) -> Shape {
        let RowSet { table, key, columns, state, origin, computed, rows: _ } = set;
        Shape {
            table: table.value.clone(),
            key: key.clone(),
            columns: columns.clone(),
            state: *state,
            origin: origin.clone(),
            computed: computed.iter().map(|spot| spot.value.clone()).collect(),
        }
    }
}

fn is_same_shape(a: &RowSet, b: &RowSet) -> bool {
    let RowSet { table, key, columns, state, origin, computed, rows: _ } = a;
    fn names(computed: &[Spot<String>]) -> impl Iterator<Item = &String> {
        computed.iter().map(|spot| &spot.value)
    }
    table.value == b.table.value
        && *key == b.key
        && *columns == b.columns
        && *state == b.state
        && *origin == b.origin
        && names(computed).eq(names(&b.computed))
}

/// Adds rows: to the last set where it is theirs too, as it is for most rows of a list.
pub(in crate::spec) fn push(sets: &mut Vec<RowSet>, set: RowSet) {
    match sets.last_mut() {
        Some(last) if is_same_shape(last, &set) => last.rows.extend(set.rows),
        Some(_) | None => sets.push(set),
    }
}

/// One set for each shape, sorted by it; the rows stay in the order in which they come.
pub(in crate::spec) fn join(sets: Vec<RowSet>) -> Vec<RowSet> {
    let mut joined = BTreeMap::<Shape, RowSet>::new();
    for set in sets {
        let shape = Shape::of(&set);
        match joined.get_mut(&shape) {
            Some(known) => known.rows.extend(set.rows),
            None => drop(joined.insert(shape, set)),
        }
    }
    joined.into_values().collect()
}

/// Reports rows that are declared more than once. Sets come joined, so those of one table and key stand together.
pub(in crate::spec) fn report_twice(sets: &[RowSet], out: &mut Diagnostics) {
    for group in sets.chunk_by(|a, b| a.table.value == b.table.value && a.key == b.key) {
        let mut rows: Vec<(u64, KeyedRow<'_>)> = group.iter().flat_map(keyed).collect();
        rows.sort_by(|(a, row), (b, other)| (a, row.place()).cmp(&(b, other.place())));
        for alike in rows.chunk_by(|(a, _), (b, _)| a == b).filter(|alike| alike.len() > 1) {
            report_alike(alike, out);
        }
    }
}

/// A row of a set.
#[derive(Clone, Copy)]
struct KeyedRow<'s> {
    set: &'s RowSet,
    row: &'s DeclaredRow,
}

impl<'s> KeyedRow<'s> {
    fn key(self) -> impl Iterator<Item = &'s Spot<Written>> {
        self.row.cells.iter().take(self.set.key.len())
    }

    fn place(self) -> &'s Place {
        &self.row.place
    }

    fn is_same(self, other: KeyedRow<'_>) -> bool {
        self.key().zip(other.key()).all(|(a, b)| a.value.is_same_key(&b.value))
    }
}

/// Rows with digests of their keys: sorting these costs no look at the keys themselves.
fn keyed(set: &RowSet) -> impl Iterator<Item = (u64, KeyedRow<'_>)> {
    set.rows.iter().map(move |row| {
        let mut hasher = DefaultHasher::new();
        let row = KeyedRow { set, row };
        row.key().for_each(|cell| digest(&cell.value, &mut hasher));
        (hasher.finish(), row)
    })
}

/// The same for values that are the same in a key; the order of a reference's columns does not count.
fn digest(value: &Written, hasher: &mut DefaultHasher) {
    if let Some(text) = value.scalar() {
        return text.hash(hasher);
    }
    let of = |(column, value): &(String, Written)| {
        let mut hasher = DefaultHasher::new();
        column.hash(&mut hasher);
        digest(value, &mut hasher);
        hasher.finish()
    };
    let key = value.as_reference().map(|(_, key)| key.iter().map(of).fold(0, u64::wrapping_add));
    key.hash(hasher);
}

fn report_alike(alike: &[(u64, KeyedRow<'_>)], out: &mut Diagnostics) {
    for (at, (_, row)) in alike.iter().enumerate() {
        let Some((_, first)) = alike.iter().take(at).find(|(_, first)| first.is_same(*row)) else { continue };
        let detail = format!("this row of \"{}\" is already there at {}", row.set.table.value, first.place());
        let hint = "put all values of a row into one entry";
        out.push(Diagnostic::error(codes::ROW_TAKEN, detail).at(row.place()).hint(hint));
    }
}
