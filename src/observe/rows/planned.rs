//! What follows from the rows of a plan, as the database stands when it is applied.

use std::collections::{BTreeMap, BTreeSet};

use super::Met;
use super::changed::{Changed, ChangedRows, after};
use super::followers::follow;
use super::sql::Facts;
use crate::diff::{Change, ChangeDetail, RowChange};
use crate::model::{Address, Followers, LiveRow, Place, RowRef, RowSeen};
use crate::store::{StoreError, Tx};

/// Rows that go or change by the way. `at` says where the live rows stand, by address.
///
/// # Errors
/// Those of the store.
pub(crate) async fn followers_of(
    tx: &mut dyn Tx,
    changes: &[Change],
    at: &BTreeMap<Address, String>,
    tables: &Facts,
) -> Result<Vec<Followers>, StoreError> {
    let rows: Vec<Changed> = changes.iter().filter_map(|change| planned(change, at, tables)).collect();
    let moved = rows.iter().any(|row| row.before.is_some() && !tables[&row.table].referenced_by.is_empty());
    if !moved {
        return Ok(Vec::new());
    }
    let at = rows.iter().enumerate();
    let at = at.filter_map(|(index, row)| Some(((row.table.clone(), row.at()?.clone()), index))).collect();
    let changed = ChangedRows { at, tables: BTreeSet::new(), gone: BTreeMap::new(), incomplete: BTreeSet::new(), rows };
    Ok(follow(tx, tables, &changed).await?.facts())
}

fn planned(change: &Change, at: &BTreeMap<Address, String>, tables: &Facts) -> Option<Changed> {
    let ChangeDetail::Row { table, key, change: row, .. } = &change.detail else { return None };
    let facts = tables.get(table)?;
    let stands = |live: &LiveRow| Some((at.get(&change.address)?.clone(), live.clone()));
    let (live, values) = match row {
        RowChange::Create { values } => (None, Some(values.clone())),
        RowChange::Update { live, fields } => {
            (stands(live), Some(fields.iter().map(|(name, field)| (name.clone(), field.after.clone())).collect()))
        }
        RowChange::Delete { before } => (stands(before), None),
        RowChange::TakeOver { .. } => return None,
    };
    let of = RowRef { set: 0, row: 0 };
    let as_seen = |values: BTreeMap<_, _>| {
        let differs = values.keys().cloned().collect();
        after(facts, &RowSeen { of, key: key.clone(), values, live: live.clone(), differs }, &Met::default())
    };
    let after = values.map(as_seen);
    Some(Changed {
        address: change.address.clone(),
        table: table.clone(),
        key: key.clone(),
        of: None,
        place: Place::default(),
        before: live,
        after,
        guessed: BTreeSet::new(),
        references: BTreeMap::new(),
    })
}
