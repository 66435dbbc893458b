//! The units that a plan stands on, digested in PostgreSQL: once when it is planned, and again inside the transaction that decides.
//! No unit is read for it.

use std::collections::BTreeSet;

use super::Request;
use super::units::{choose, from, unit_columns};
use crate::diff::used_selections;
use crate::model::{Digest, Observed, Selection, SharedAddress, UnitPart, UnitParts, UnitSource};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Addresses that are named where two units share one; more are not looked for.
const SHARED: &str = "100";

/// Digests the units that the plan's selections choose as they live, and finds addresses that two of them have.
pub(super) async fn stand_on(
    tx: &mut dyn Tx,
    request: &Request<'_>,
    observed: &mut Observed,
) -> Result<(), StoreError> {
    let selections = used_selections(request.selecting);
    let chosen = ChosenUnits::as_they_live(&request.binding.units, &selections);
    observed.stands_on = chosen.parts(tx).await?;
    observed.shared = chosen.shared(tx).await?;
    Ok(())
}

/// Addresses that two units have where the writes of a plan were tried.
pub(super) async fn shared_after(tx: &mut dyn Tx, request: &Request<'_>) -> Result<Vec<SharedAddress>, StoreError> {
    let selections = used_selections(request.selecting);
    ChosenUnits::as_they_live(&request.binding.units, &selections).shared(tx).await
}

/// Units that any of some selections chooses as they live.
#[derive(Debug, Clone, Copy)]
pub struct ChosenUnits<'a> {
    /// How units are read.
    pub source: &'a UnitSource,
    /// The selections.
    pub selections: &'a [&'a Selection],
    /// The binding's own fields that are digested; all where it is `None`.
    pub fields: Option<&'a BTreeSet<String>>,
    /// Ids of units that are left out.
    pub without: &'a BTreeSet<String>,
    /// Whether the rows are locked against change until the transaction ends.
    pub lock: bool,
}

/// A unit of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitSeen {
    /// Its address.
    pub address: String,
    /// Its id.
    pub id: String,
    /// Its digest.
    pub digest: Option<Digest>,
}

static NONE: BTreeSet<String> = BTreeSet::new();

impl<'a> ChosenUnits<'a> {
    /// All of them, with all that is read of them, and not locked.
    pub fn as_they_live(source: &'a UnitSource, selections: &'a [&'a Selection]) -> ChosenUnits<'a> {
        ChosenUnits { source, selections, fields: None, without: &NONE, lock: false }
    }

    /// Digests them in parts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn parts(&self, tx: &mut dyn Tx) -> Result<UnitParts, StoreError> {
        if self.selections.is_empty() {
            return Ok(UnitParts::new());
        }
        let sql = Sql::new(
            "SELECT p.part, pg_catalog.count(*), pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(p.seen, ''::bytea \
             ORDER BY p.seen)), 'hex') FROM (SELECT u.part, u.seen FROM (",
        );
        let mut query = self.seen(sql);
        query.sql = query.sql.text(") u");
        if !self.without.is_empty() {
            let place = query.params.len() + 1;
            query.sql = query.sql.text(" LEFT JOIN pg_catalog.unnest(").param(place);
            query.sql = query.sql.text("::text[]) x(id) ON x.id = u.id WHERE x.id IS NULL");
            query = query.bind(Param::Texts(self.without.iter().cloned().collect()));
        }
        query.sql = query.sql.text(") p GROUP BY p.part");
        let part = |record: &Record| {
            let digest = record.text(2).and_then(Digest::from_text)?;
            Some((u16::try_from(record.int(0)?).ok()?, UnitPart { count: u64::try_from(record.int(1)?).ok()?, digest }))
        };
        Ok(tx.query(&query).await?.iter().filter_map(part).collect())
    }

    /// Reads those of some parts, by address.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_parts(&self, tx: &mut dyn Tx, parts: &BTreeSet<u16>) -> Result<Vec<UnitSeen>, StoreError> {
        if self.selections.is_empty() || parts.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = self.seen(Sql::new("SELECT u.address, u.id, pg_catalog.encode(u.seen, 'hex') FROM ("));
        let place = query.params.len() + 1;
        query.sql = query.sql.text(") u WHERE u.part = ANY (").param(place).text("::integer[])");
        let query = query.bind(Param::Texts(parts.iter().map(u16::to_string).collect()));
        let unit = |record: &Record| {
            let digest = record.text(2).and_then(Digest::from_text);
            Some(UnitSeen { address: record.text(0)?.to_owned(), id: record.text(1)?.to_owned(), digest })
        };
        let mut units: Vec<UnitSeen> = tx.query(&query).await?.iter().filter_map(unit).collect();
        units.retain(|unit| !self.without.contains(&unit.id));
        units.sort();
        Ok(units)
    }

    /// Addresses that two of them have.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn shared(&self, tx: &mut dyn Tx) -> Result<Vec<SharedAddress>, StoreError> {
        if self.selections.is_empty() {
            return Ok(Vec::new());
        }
        let sql = Sql::new(
            "SELECT u.address, pg_catalog.min(u.id), pg_catalog.max(u.id), pg_catalog.min(u.by) FROM (SELECT (",
        );
        let sql = sql.trusted(&self.source.id).text(")::text AS id, coalesce((").trusted(&self.source.address);
        let mut query = Query::new(sql.text(")::text, '') AS address, CASE"));
        for (at, selection) in self.selections.iter().enumerate() {
            query.sql = query.sql.text(" WHEN (true");
            query = choose(query, self.source, &selection.conditions);
            let place = query.params.len() + 1;
            query.sql = query.sql.text(") THEN ").param(place);
            query = query.bind(Param::Int(i64::try_from(at).unwrap_or(i64::MAX)));
        }
        query.sql = query.sql.text(" END AS by");
        let mut query = self.among(query);
        query.sql = query
            .sql
            .text(") u GROUP BY u.address HAVING pg_catalog.min(u.id) <> pg_catalog.max(u.id) ORDER BY 1 LIMIT ");
        query.sql = query.sql.text(SHARED);
        let pair = |record: &Record| {
            let by = record.int(3).and_then(|by| usize::try_from(by).ok());
            let ids = (record.text(1)?.to_owned(), record.text(2)?.to_owned());
            Some(SharedAddress { address: record.text(0)?.to_owned(), ids, by })
        };
        Ok(tx.query(&query).await?.iter().filter_map(pair).collect())
    }

    /// Adds a query of id, address, part and digest of each.
    fn seen(&self, sql: Sql) -> Query {
        let used = self.used();
        let address = |sql: Sql| sql.text("coalesce((").trusted(&self.source.address).text(")::text, '')");
        let of_address = |sql: Sql, of: &'static str| {
            let sql = sql.text("pg_catalog.get_byte(pg_catalog.sha256(pg_catalog.convert_to(");
            address(sql).text(", 'UTF8')), ").text(of)
        };
        let sql = sql.text("SELECT (").trusted(&self.source.id).text(")::text AS id, ");
        let sql = of_address(address(sql).text(" AS address, "), "0) * 4 + ");
        let sql = of_address(sql, "1) / 64 AS part, pg_catalog.sha256(pg_catalog.convert_to(ROW(");
        let mut query = self.among(Query::new(unit_columns(sql, &used).text(")::text, 'UTF8')) AS seen")));
        if self.lock && !self.source.lock.is_empty() {
            let sql = query.sql.text(" FOR SHARE OF ");
            query.sql = sql.list(&self.source.lock, |sql, alias| sql.ident(alias));
        }
        query
    }

    /// Adds where they are read from, and that one of the selections chooses them.
    fn among(&self, mut query: Query) -> Query {
        query.sql = from(query.sql, self.source).text(" AND (false");
        for selection in self.selections {
            query.sql = query.sql.text(" OR (true");
            query = choose(query, self.source, &selection.conditions);
            query.sql = query.sql.text(")");
        }
        query.sql = query.sql.text(")");
        query
    }

    fn used(&self) -> UnitSource {
        let mut source = self.source.clone();
        if let Some(fields) = self.fields {
            source.fields.retain(|name, _| fields.contains(name));
            source.anchor = source.anchor.filter(|_| fields.contains("anchor"));
        }
        source
    }
}
