//! What is written down of a set's points, as a stream by ascending id.

use std::collections::{BTreeSet, VecDeque};

use crate::model::{Digest, PointId};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Points in one page.
const PAGE: i64 = 1_000;

/// What is written down of one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub id: PointId,
    pub digest: Option<Digest>,
    pub unit: String,
    pub ordinal: u32,
    pub sha256: String,
}

/// The stream. One page is held.
pub(super) struct Recorded<'a> {
    set: &'a str,
    page: VecDeque<Written>,
    after: Option<PointId>,
    ended: bool,
}

impl<'a> Recorded<'a> {
    pub fn new(set: &'a str) -> Recorded<'a> {
        Recorded { set, page: VecDeque::new(), after: None, ended: false }
    }

    /// Goes on to an id; gives what is written down under it. Ids that are passed are not live.
    pub async fn up_to(
        &mut self,
        tx: &mut dyn Tx,
        id: &PointId,
        missing: &mut BTreeSet<PointId>,
    ) -> Result<Option<Written>, StoreError> {
        while self.fill(tx).await? {
            match self.page.pop_front() {
                Some(written) if written.id < *id => {
                    missing.insert(written.id);
                }
                Some(written) if written.id == *id => return Ok(Some(written)),
                Some(written) => {
                    self.page.push_front(written);
                    return Ok(None);
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Goes on to the end.
    pub async fn rest(&mut self, tx: &mut dyn Tx, missing: &mut BTreeSet<PointId>) -> Result<(), StoreError> {
        while self.fill(tx).await? {
            missing.extend(self.page.drain(..).map(|written| written.id));
        }
        Ok(())
    }

    /// Reads the next page where this one is used up; `false` at the end.
    async fn fill(&mut self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        if self.page.is_empty() && !self.ended {
            let records = tx.query(&self.query()).await?;
            self.ended = (records.len() as i64) < PAGE;
            self.page.extend(records.iter().filter_map(written));
            self.after = self.page.back().map(|last| last.id);
        }
        Ok(!self.page.is_empty())
    }

    fn query(&self) -> Query {
        let sql = Sql::new(
            "SELECT m.id::text, pg_catalog.encode(m.digest, 'hex'), m.unit, m.ordinal, \
                            pg_catalog.encode(m.sha256, 'hex') FROM enact.managed_point m WHERE m.set_name = $1",
        );
        let set = Param::Text(self.set.to_owned());
        match &self.after {
            None => Query::new(sql.text(" ORDER BY m.id LIMIT $2")).bind(set).bind(Param::Int(PAGE)),
            Some(after) => Query::new(sql.text(" AND m.id > $3::uuid ORDER BY m.id LIMIT $2"))
                .bind(set)
                .bind(Param::Int(PAGE))
                .bind(Param::Text(after.to_string())),
        }
    }
}

fn written(record: &Record) -> Option<Written> {
    Some(Written {
        id: PointId::from_text(record.text(0)?)?,
        digest: record.text(1).and_then(Digest::from_text),
        unit: record.text(2)?.to_owned(),
        ordinal: record.int(3).and_then(|ordinal| u32::try_from(ordinal).ok())?,
        sha256: record.text(4)?.to_owned(),
    })
}
