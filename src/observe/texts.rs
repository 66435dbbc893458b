//! Bodies of units, read in batches and cut at once.

use std::collections::BTreeMap;
use std::num::NonZero;

use super::error::ObserveError;
use super::unit_ids::IdType;
use super::units::among;
use crate::chunk::{Chunk, ChunkInput, split};
use crate::model::{ChunkFacts, ChunkPolicy, Digest, UnitFacts, UnitSource};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Bodies read by one statement.
const BATCH: usize = 1_000;

/// Cuts units into chunks under one policy.
pub struct UnitTexts<'a> {
    /// How units are read.
    pub source: &'a UnitSource,
    /// The policy.
    pub policy: &'a ChunkPolicy,
    /// Counts or estimates the tokens of a text.
    pub count_tokens: &'a (dyn Fn(&str) -> u64 + Sync),
}

impl UnitTexts<'_> {
    /// Reads the bodies of these units and gives the facts of their chunks by unit id.
    ///
    /// # Errors
    /// Those of the store, and a unit that cannot be cut.
    pub async fn chunk_facts(
        &self,
        tx: &mut dyn Tx,
        units: &[&UnitFacts],
    ) -> Result<BTreeMap<String, Vec<ChunkFacts>>, ObserveError> {
        let mut out = BTreeMap::new();
        for batch in units.chunks(BATCH) {
            let ids: Vec<String> = batch.iter().map(|unit| unit.id.clone()).collect();
            let bodies = read_bodies(tx, self.source, &ids).await?;
            out.append(&mut self.on_all_cores(batch, &bodies)?);
        }
        Ok(out)
    }

    /// Cutting and counting take longer than reading.
    fn on_all_cores(
        &self,
        batch: &[&UnitFacts],
        bodies: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Vec<ChunkFacts>>, ObserveError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let one = |unit: &&UnitFacts| {
            let body = bodies.get(&unit.id).map_or("", String::as_str);
            let chunks = cut(self.policy, unit, body)?;
            Ok((unit.id.clone(), chunks.iter().map(|chunk| self.facts(chunk)).collect()))
        };
        std::thread::scope(|scope| {
            let parts = batch.chunks(batch.len().div_ceil(cores).max(1));
            let all = |part: &[&UnitFacts]| part.iter().map(one).collect::<Result<BTreeMap<_, _>, ObserveError>>();
            let parts = parts.map(|part| scope.spawn(move || all(part)));
            let mut out = BTreeMap::new();
            for part in parts.collect::<Vec<_>>() {
                match part.join() {
                    Ok(facts) => out.append(&mut facts?),
                    Err(panicked) => std::panic::resume_unwind(panicked),
                }
            }
            Ok(out)
        })
    }

    fn facts(&self, chunk: &Chunk) -> ChunkFacts {
        ChunkFacts {
            ordinal: chunk.ordinal,
            text: Digest::of_bytes(chunk.text.as_bytes()),
            sha256: chunk.sha256(),
            tokens: (self.count_tokens)(&chunk.text),
        }
    }
}

/// Cuts one unit.
///
/// # Errors
/// When the policy refuses it.
pub fn cut(policy: &ChunkPolicy, unit: &UnitFacts, body: &str) -> Result<Vec<Chunk>, ObserveError> {
    let mut fields: BTreeMap<String, String> =
        unit.fields.iter().map(|(name, value)| (name.clone(), value.clone().unwrap_or_default())).collect();
    for name in ["id", "lifecycle", "content_hash"] {
        fields.entry(name.to_owned()).or_insert_with(|| unit.field(name).unwrap_or_default());
    }
    Ok(split(policy, &ChunkInput { title: &unit.title, address: &unit.address, body, fields: &fields })?)
}

/// Reads bodies by unit id.
///
/// # Errors
/// Those of the store.
pub async fn read_bodies(
    tx: &mut dyn Tx,
    source: &UnitSource,
    ids: &[String],
) -> Result<BTreeMap<String, String>, StoreError> {
    let id_type = IdType::read(tx, source).await?;
    let sql =
        Sql::new("SELECT (").trusted(&source.id).text(")::text, coalesce((").trusted(&source.body).text(")::text, '')");
    let records = tx.query(&Query::new(among(sql, source, id_type)).bind(Param::Texts(ids.to_vec()))).await?;
    Ok(records
        .into_iter()
        .filter_map(|record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned())))
        .collect())
}
