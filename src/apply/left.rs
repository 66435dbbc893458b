//! What an applied run left behind, so that it can be reverted. Reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Address, Digest, Managed, PointId};
use crate::observe::{RecordedSets, read_recorded_before};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// What a run left behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeftBehind {
    /// What Enact owned before, of what the run changed.
    pub managed_before: BTreeMap<Address, Managed>,
    /// The run that last wrote about each resource.
    pub last_writer: BTreeMap<Address, String>,
    /// What was written down of the units of vector sets that it changed, by set and unit id.
    pub units_before: RecordedSets,
    /// Points that the run took away in place, by collection.
    pub images: BTreeMap<String, BTreeSet<PointId>>,
}

/// Reads what a run left behind.
///
/// # Errors
/// Those of the store.
pub async fn read_left_behind(tx: &mut dyn Tx, run: &str, project: &str) -> Result<LeftBehind, StoreError> {
    let mut out = LeftBehind::default();
    let of_run = |sql| Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned()));
    let sql = "SELECT address, digest, attributes FROM enact.managed_before WHERE run_id = $1";
    for record in tx.query(&of_run(sql)).await? {
        let digest = record.text(1).and_then(Digest::from_text);
        let (Some(address), Some(digest)) = (record.text(0), digest) else { continue };
        let attributes = record.json(2).cloned().unwrap_or_default();
        let managed = Managed { digest, attributes, units: Arc::default() };
        out.managed_before.insert(Address::from_text(address), managed);
    }
    let sql = Sql::new("SELECT address, run_id FROM enact.managed WHERE project IN ('', $1)");
    for record in tx.query(&Query::new(sql).bind(Param::Text(project.to_owned()))).await? {
        if let (Some(address), Some(writer)) = (record.text(0), record.text(1)) {
            out.last_writer.insert(Address::from_text(address), writer.to_owned());
        }
    }
    out.units_before = read_recorded_before(tx, run).await?;
    let sql = "SELECT collection, point_id FROM enact.before_image WHERE run_id = $1";
    for record in tx.query(&of_run(sql)).await? {
        if let (Some(collection), Some(id)) = (record.text(0), record.text(1).and_then(PointId::from_text)) {
            out.images.entry(collection.to_owned()).or_default().insert(id);
        }
    }
    Ok(out)
}
