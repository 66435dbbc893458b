//! Seals: digests of what is protected, made by the stores as far as they can.
//!
//! | what | how it is digested |
//! | --- | --- |
//! | unit | SHA-256 of the whole rows behind it (the binding's `units.lock`) and of its ledger rows, in the database; its points by id and payload, and by the bits of their vectors |
//! | rows of a table or a query | two sums over the MD5 of each row's text, so that order and memory do not matter |
//! | collection | blake3 over its points by ascending id: id, payload, bits of the vectors |
//!
//! The digests of single rows and points are kept where there are at most 500, so that what moved can be named.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{body, read_only};
use super::{UnitFilter, read_units};
use crate::model::{
    Binding, Digest, FilterValue, Guarded, ItemsSeal, Ledger, PointId, PointsSeal, Seal, TableName, UnitSeal,
    UnitSource, canonical_json,
};
use crate::points::{unit_of, without_buckets};
use crate::store::{NamedVector, Param, Point, Query, Record, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Up to this many rows or points are digested one by one.
const NAMED: usize = 500;
/// Points in one page.
const PAGE: u32 = 500;

/// Where seals are read.
pub struct Sealing<'a> {
    /// The binding.
    pub binding: &'a Binding,
    /// The vector store.
    pub vectors: &'a dyn VectorStore,
    /// Collections that stand for a set's own one, because they take its place or have taken it.
    pub instead: &'a BTreeMap<String, String>,
    /// Units that the plan itself brings into a selection.
    pub exempt: &'a BTreeSet<String>,
}

impl Sealing<'_> {
    /// Seals what is protected. With an earlier seal, its units are read whatever selects them now.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn read(&self, tx: &mut dyn Tx, of: &Guarded, before: Option<&Seal>) -> Result<Seal, StoreError> {
        match of {
            Guarded::Units { selection, sets } => {
                let pinned: BTreeSet<String> = match before {
                    Some(Seal::Units(units)) => units.keys().cloned().collect(),
                    Some(Seal::Items(_)) | None => BTreeSet::new(),
                };
                let source = &self.binding.units;
                let filter = UnitFilter { selections: vec![selection.clone()], ids: pinned.clone(), lock: false };
                let units = read_units(tx, source, &filter).await?;
                let chosen: BTreeMap<String, String> = units
                    .values()
                    .filter(|unit| {
                        let joins = !self.exempt.contains(&unit.id) && selection.matches(|field| unit.field(field));
                        pinned.contains(&unit.id) || joins
                    })
                    .map(|unit| (unit.id.clone(), unit.address.clone()))
                    .collect();
                self.units(tx, &chosen, sets).await.map(Seal::Units)
            }
            Guarded::Table { table, filter, key } => {
                let (sql, params) = table_rows(table, filter, key);
                items(tx, &sql, &params).await.map(Seal::Items)
            }
            Guarded::Query { query } => {
                let sql = Sql::new("SELECT enact_row.enact_first::text AS k, enact_row::text AS r FROM (\n")
                    .trusted(body(query))
                    .text("\n) AS enact_row(enact_first)");
                items(tx, &sql, &[]).await.map(Seal::Items)
            }
            Guarded::Collection { collection } => seal_collection(self.vectors, collection).await.map(Seal::Items),
        }
    }

    async fn units(
        &self,
        tx: &mut dyn Tx,
        chosen: &BTreeMap<String, String>,
        sets: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, UnitSeal>, StoreError> {
        let ids: Vec<String> = chosen.keys().cloned().collect();
        let rows = pairs(read_only(tx, &unit_rows(&self.binding.units, &ids)).await?);
        let ledger = match &self.binding.ledger {
            Some(ledger) => pairs(read_only(tx, &ledger_rows(ledger, &ids)).await?),
            None => BTreeMap::new(),
        };
        let mut out: BTreeMap<String, UnitSeal> = chosen
            .iter()
            .filter_map(|(id, address)| {
                let seal = UnitSeal {
                    address: address.clone(),
                    rows: rows.get(id)?.clone(),
                    ledger: ledger.get(id).cloned(),
                    points: BTreeMap::new(),
                };
                Some((id.clone(), seal))
            })
            .collect();
        for (set, collection) in sets {
            let read = self.instead.get(set).unwrap_or(collection);
            for (unit, points) in self.points_of(read, chosen, read == collection).await? {
                if let Some(seal) = out.get_mut(&unit) {
                    seal.points.insert(set.clone(), points);
                }
            }
        }
        Ok(out)
    }

    /// Points of units in one collection. A copy in another collection is compared without its vectors: a server may
    /// normalise them again.
    async fn points_of(
        &self,
        collection: &str,
        chosen: &BTreeMap<String, String>,
        with_vectors: bool,
    ) -> Result<BTreeMap<String, PointsSeal>, StoreError> {
        let mut payloads: BTreeMap<String, BTreeMap<PointId, String>> = BTreeMap::new();
        let mut from: Option<PointId> = None;
        loop {
            let page = self.vectors.points(collection, from.as_ref(), PAGE, WithVectors::No).await?;
            for point in page.points {
                if let Some(unit) = unit_of(&point.payload).filter(|unit| chosen.contains_key(*unit)) {
                    payloads
                        .entry(unit.to_owned())
                        .or_default()
                        .insert(point.id, canonical_json(&without_buckets(&point.payload)));
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let bits = if with_vectors { Some(self.vector_bits(collection, &payloads).await?) } else { None };
        let seal = |(unit, points): (String, BTreeMap<PointId, String>)| {
            let seal = PointsSeal {
                count: points.len() as u64,
                payloads: Digest::of_bytes(canonical_json(&points_json(&points)).as_bytes()).short(),
                vectors: bits.as_ref().and_then(|bits| bits.get(&unit).cloned()),
            };
            (unit, seal)
        };
        Ok(payloads.into_iter().map(seal).collect())
    }

    /// Digests the vectors of each unit's points, by ascending id. Whole units are read together, up to about a page of points.
    async fn vector_bits(
        &self,
        collection: &str,
        units: &BTreeMap<String, BTreeMap<PointId, String>>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let mut out = BTreeMap::new();
        let mut units = units.iter().peekable();
        while units.peek().is_some() {
            let (mut ids, mut together) = (Vec::new(), Vec::new());
            while let Some((unit, points)) = units.next_if(|_| ids.len() < PAGE as usize) {
                ids.extend(points.keys().copied());
                together.push((unit, points));
            }
            let mut found: BTreeMap<PointId, Vec<u8>> = BTreeMap::new();
            for batch in ids.chunks(PAGE as usize) {
                for point in self.vectors.retrieve(collection, batch, WithVectors::Yes).await? {
                    let mut bytes = Vec::new();
                    write_vectors(&point, &mut bytes);
                    found.insert(point.id, bytes);
                }
            }
            for (unit, points) in together {
                let bytes: Vec<u8> = points.keys().filter_map(|id| found.get(id)).flatten().copied().collect();
                out.insert(unit.clone(), Digest::of_bytes(&bytes).short());
            }
        }
        Ok(out)
    }
}

/// Seals a table, all of it.
///
/// # Errors
/// Those of the store.
pub async fn seal_table(tx: &mut dyn Tx, table: &TableName) -> Result<ItemsSeal, StoreError> {
    let (sql, params) = table_rows(table, &BTreeMap::new(), &[]);
    items(tx, &sql, &params).await
}

/// Seals a collection, a page at a time.
///
/// # Errors
/// Those of the store.
pub async fn seal_collection(vectors: &dyn VectorStore, collection: &str) -> Result<ItemsSeal, StoreError> {
    let mut seal = ItemsSeal::default();
    let mut each = BTreeMap::new();
    let mut chain = Digest::of_bytes(b"");
    let mut from: Option<PointId> = None;
    loop {
        let page = vectors.points(collection, from.as_ref(), PAGE, WithVectors::Yes).await?;
        for point in page.points {
            let mut bytes = canonical_json(&without_buckets(&point.payload)).into_bytes();
            write_vectors(&point, &mut bytes);
            let digest = Digest::of_bytes(&bytes);
            chain = Digest::of_bytes(format!("{chain} {} {digest}", point.id).as_bytes());
            seal.count += 1;
            if each.len() <= NAMED {
                each.insert(point.id.to_string(), digest.short());
            }
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    seal.digest = chain.to_string();
    seal.each = (each.len() <= NAMED).then_some(each);
    Ok(seal)
}

fn points_json(points: &BTreeMap<PointId, String>) -> Vec<(String, &String)> {
    points.iter().map(|(id, payload)| (id.to_string(), payload)).collect()
}

fn write_vectors(point: &Point, out: &mut Vec<u8>) {
    for (name, vector) in &point.vectors {
        out.extend(name.as_bytes());
        let values = match vector {
            NamedVector::Dense(values) => values,
            NamedVector::Sparse(sparse) => {
                sparse.indices.iter().for_each(|index| out.extend(index.to_le_bytes()));
                &sparse.values
            }
        };
        values.iter().for_each(|value| out.extend(value.to_bits().to_le_bytes()));
    }
}

fn pairs(records: Vec<Record>) -> BTreeMap<String, String> {
    records.iter().filter_map(|record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned()))).collect()
}

fn unit_rows(source: &UnitSource, ids: &[String]) -> Query {
    let sql = Sql::new("SELECT (")
        .trusted(&source.id)
        .text(")::text, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat_ws(pg_catalog.chr(10), ")
        .list(&source.lock, |sql, alias| sql.ident(alias).text("::text"))
        .text("), 'UTF8')), 'hex') FROM ")
        .trusted(&source.from)
        .text(" WHERE (")
        .trusted(&source.id)
        .text(")::text = ANY ($1)");
    Query::new(sql).bind(Param::Texts(ids.to_vec()))
}

fn ledger_rows(ledger: &Ledger, ids: &[String]) -> Query {
    let sql = Sql::new("SELECT enact_row.")
        .ident(&ledger.unit_column)
        .text(
            "::text, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(enact_row::text, ",
        )
        .text("pg_catalog.chr(10) ORDER BY enact_row.")
        .ident(&ledger.key_column)
        .text("::text COLLATE \"C\"), 'UTF8')), 'hex') FROM ")
        .table(&ledger.table)
        .text(" AS enact_row WHERE enact_row.")
        .ident(&ledger.unit_column)
        .text("::text = ANY ($1) GROUP BY 1");
    Query::new(sql).bind(Param::Texts(ids.to_vec()))
}

fn table_rows(table: &TableName, filter: &BTreeMap<String, FilterValue>, key: &[String]) -> (Sql, Vec<Param>) {
    let mut params = Vec::new();
    let sql = match key {
        [] => Sql::new("SELECT enact_row::text AS k"),
        columns => Sql::new("SELECT pg_catalog.concat_ws(', ', ")
            .list(columns, |sql, column| sql.text("enact_row.").ident(column).text("::text"))
            .text(") AS k"),
    };
    let mut sql = sql.text(", enact_row::text AS r FROM ").table(table).text(" AS enact_row WHERE true");
    for (column, wanted) in filter {
        sql = sql.text(" AND enact_row.").ident(column);
        sql = match &wanted.value {
            None => sql.text(" IS NULL"),
            Some(value) => {
                params.push(Param::Text(value.clone()));
                sql.text(" = ").param(params.len()).text("::text::").trusted(&wanted.type_name)
            }
        };
    }
    (sql, params)
}

async fn items(tx: &mut dyn Tx, source: &Sql, params: &[Param]) -> Result<ItemsSeal, StoreError> {
    let bound = |sql: Sql| params.iter().fold(Query::new(sql), |query, param| query.bind(param.clone()));
    let sum = |sql: Sql, part: &'static str| {
        sql.text(", coalesce(pg_catalog.sum(('x' || ").text(part).text(")::bit(64)::bigint::numeric), 0)::text")
    };
    let all = sum(sum(Sql::new("SELECT pg_catalog.count(*)"), "pg_catalog.left(h, 16)"), "pg_catalog.right(h, 16)")
        .text(" FROM (SELECT pg_catalog.md5(r) AS h FROM (")
        .sql(source)
        .text(") AS s) AS d");
    let records = read_only(tx, &bound(all)).await?;
    let Some(record) = records.first() else { return Ok(ItemsSeal::default()) };
    let count = record.int(0).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    let sums = format!("{count} {} {}", record.text(1).unwrap_or("0"), record.text(2).unwrap_or("0"));
    let mut seal = ItemsSeal { count, digest: Digest::of_bytes(sums.as_bytes()).to_string(), each: None };
    if count <= NAMED as u64 {
        let each = Sql::new("SELECT coalesce(k, 'NULL'), pg_catalog.left(pg_catalog.md5(pg_catalog.string_agg(r, ")
            .text("pg_catalog.chr(10) ORDER BY r COLLATE \"C\")), 12) FROM (")
            .sql(source)
            .text(") AS s GROUP BY 1");
        seal.each = Some(pairs(read_only(tx, &bound(each)).await?));
    }
    Ok(seal)
}
