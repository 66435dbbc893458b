//! Points kept in PostgreSQL: those that an in-place write brings, and those that it takes away.
//!
//! Both are committed before the transaction that decides begins, so that a run that died can be finished without
//! embedding again, and undone without asking anybody.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::error::ApplyError;
use super::image;
use crate::model::PointId;
use crate::store::{Param, Point, Query, Record, Relational, Sql, StoreError};

/// Points in one statement.
const BATCH: usize = 256;

/// Which points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spool {
    /// Those that the run brings.
    Staged,
    /// Those that it overwrites or deletes, as they were.
    Before,
}

impl Spool {
    fn table(self) -> &'static str {
        match self {
            Spool::Staged => "enact.staged_point",
            Spool::Before => "enact.before_image",
        }
    }
}

/// The spool of one run and collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpoolOf<'a> {
    pub spool: Spool,
    pub run: &'a str,
    pub collection: &'a str,
}

impl SpoolOf<'_> {
    fn bound(&self, sql: Sql) -> Query {
        Query::new(sql).bind(Param::Text(self.run.to_owned())).bind(Param::Text(self.collection.to_owned()))
    }

    /// Keeps points durably; those that are kept already stay as they are.
    pub async fn keep(&self, store: &mut dyn Relational, points: &[Point]) -> Result<(), StoreError> {
        for batch in points.chunks(BATCH) {
            let rows: Value = batch.iter().map(|point| json!([point.id.to_string(), image::encode(point)])).collect();
            let sql = Sql::new("INSERT INTO ").text(self.spool.table()).text(
                " (run_id, collection, point_id, point) SELECT $1, $2, e.v->>0, e.v->1 \
                 FROM pg_catalog.jsonb_array_elements($3) e(v) ON CONFLICT DO NOTHING",
            );
            store.query(&self.bound(sql).bind(Param::Json(rows))).await?;
        }
        Ok(())
    }

    /// The ids that are kept.
    pub async fn ids(&self, store: &mut dyn Relational) -> Result<BTreeSet<PointId>, StoreError> {
        let sql = Sql::new("SELECT point_id FROM ").text(self.spool.table());
        let records = store.query(&self.bound(sql.text(" WHERE run_id = $1 AND collection = $2"))).await?;
        Ok(records.iter().filter_map(|record| record.text(0)).filter_map(PointId::from_text).collect())
    }

    /// The statement for one page of points after an id, by id as text.
    pub fn page(&self, after: &str) -> Query {
        let sql = Sql::new("SELECT point_id, point FROM ").text(self.spool.table()).text(
            " WHERE run_id = $1 AND collection = $2 AND point_id COLLATE \"C\" > $3 ORDER BY point_id COLLATE \"C\" LIMIT $4",
        );
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        self.bound(sql).bind(Param::Text(after.to_owned())).bind(Param::Int(limit))
    }

    /// The points of a page; the id to go on after, `None` after the last page.
    pub fn points(&self, records: &[Record]) -> Result<(Vec<Point>, Option<String>), ApplyError> {
        let mut points = Vec::with_capacity(records.len());
        for record in records {
            let text = record.text(0).unwrap_or_default();
            let unreadable = || ApplyError::Journal {
                run: self.run.to_owned(),
                why: format!("the point {text} that was kept for \"{}\" cannot be read", self.collection),
            };
            let read = PointId::from_text(text).and_then(|id| image::decode(id, record.json(1)?));
            points.push(read.ok_or_else(unreadable)?);
        }
        let last = records.last().and_then(|record| record.text(0)).map(str::to_owned);
        Ok((points, last.filter(|_| records.len() == BATCH)))
    }
}
