//! Brings a corpus into the information-unit schema, through its functions only.
//!
//! ```text
//! fn_iu_create ─▶ fn_iu_amend (those that were there) ─▶ fn_iu_place ─▶ fn_iu_three_axis_envelope_refresh
//! ```
//!
//! - All of it happens in the caller's transaction; each kind of call goes out as one pipeline.
//! - The status of every answer is checked; a refusal names the file.
//! - What no function can change (the kind of a unit that exists) is a refusal too, and not silently left.
//! - A unit whose file is gone stays: deciding that is not this loader's business.

use std::collections::BTreeMap;

use serde_json::Value;

use super::corpus::UnitFile;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// How many units were touched how. Each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// New units.
    pub created: usize,
    /// Units with another title or body.
    pub amended: usize,
    /// Units with another place only.
    pub moved: usize,
    /// Units that were as their file says.
    pub unchanged: usize,
}

/// Why a corpus was not loaded. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A call failed.
    #[error("{file}: {function} failed")]
    Failed {
        /// The unit's file.
        file: String,
        /// The function.
        function: &'static str,
        /// What the store said.
        source: StoreError,
    },
    /// A function said no.
    #[error("{file}: {function} refused \"{address}\": {answer}")]
    Refused {
        /// The unit's file.
        file: String,
        /// The function.
        function: &'static str,
        /// The unit.
        address: String,
        /// Its status, and what it said beside it.
        answer: String,
    },
    /// The file says something of an existing unit that no function changes.
    #[error("{file}: \"{address}\" has the {column} \"{found}\", and no function makes it \"{wanted}\"")]
    Fixed {
        /// The unit's file.
        file: String,
        /// The unit.
        address: String,
        /// The column.
        column: &'static str,
        /// Its value.
        found: String,
        /// What the file says.
        wanted: String,
    },
    /// The store failed outside of a call for one unit.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Loads units as an actor.
///
/// # Errors
/// The first failure or refusal; roll the transaction back then.
pub async fn load(tx: &mut dyn Tx, units: &[UnitFile], actor: &str) -> Result<Loaded, LoadError> {
    check_fixed(tx, units).await?;
    let created = each(tx, units, CREATE, |unit| create(unit, actor)).await?;
    let there: Vec<UnitFile> =
        units.iter().zip(&created).filter(|(_, status)| *status != "created").map(|(unit, _)| unit.clone()).collect();
    let amended = each(tx, &there, AMEND, |unit| amend(unit, actor)).await?;
    let placed = each(tx, units, PLACE, |unit| place(unit, actor)).await?;
    // The three-axis cache follows the units only when it is told to.
    let refresh = Query::new(Sql::new("SELECT upserted_count FROM public.fn_iu_three_axis_envelope_refresh($1)"));
    tx.query(&refresh.bind(Param::Text(actor.to_owned()))).await?;
    let mut amended = amended.iter();
    let mut loaded = Loaded::default();
    for (created, placed) in created.iter().zip(&placed) {
        let is_amended = created != "created" && amended.next().is_some_and(|status| status == "amended");
        let counter = match (created.as_str(), is_amended, placed.as_str()) {
            ("created", _, _) => &mut loaded.created,
            (_, true, _) => &mut loaded.amended,
            (_, false, "placed") => &mut loaded.moved,
            (_, false, _) => &mut loaded.unchanged,
        };
        *counter += 1;
    }
    Ok(loaded)
}

/// A function and the statuses that mean it did what it was asked for.
struct Call {
    function: &'static str,
    good: &'static [&'static str],
}

const CREATE: Call = Call { function: "fn_iu_create", good: &["created", "exists_complete"] };
const AMEND: Call = Call { function: "fn_iu_amend", good: &["amended", "unchanged"] };
const PLACE: Call = Call { function: "fn_iu_place", good: &["placed", "unchanged"] };

fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}

fn maybe(value: Option<&String>) -> Param {
    value.map_or(Param::Null, |value| Param::Text(value.clone()))
}

fn create(unit: &UnitFile, actor: &str) -> Query {
    let header = &unit.header;
    Query::new(Sql::new("SELECT public.fn_iu_create($1, $2, $3, $4, $5, $6)"))
        .bind(text(&header.address))
        .bind(text(&header.title))
        .bind(text(&unit.body))
        .bind(text(actor))
        .bind(maybe(header.unit_kind.as_ref()))
        .bind(maybe(header.section_type.as_ref()))
}

fn amend(unit: &UnitFile, actor: &str) -> Query {
    Query::new(Sql::new("SELECT public.fn_iu_amend($1, $2, $3, $4)"))
        .bind(text(&unit.header.address))
        .bind(text(&unit.header.title))
        .bind(text(&unit.body))
        .bind(text(actor))
}

fn place(unit: &UnitFile, actor: &str) -> Query {
    let header = &unit.header;
    Query::new(Sql::new("SELECT public.fn_iu_place($1, $2, $3::text::integer, $4, $5, $6)"))
        .bind(text(&header.address))
        .bind(maybe(header.doc_code.as_ref()))
        .bind(header.sort_order.map_or(Param::Null, |order| Param::Text(order.to_string())))
        .bind(maybe(header.section_code.as_ref()))
        .bind(maybe(header.parent.as_ref()))
        .bind(text(actor))
}

/// Calls a function for each unit and gives the statuses.
async fn each(
    tx: &mut dyn Tx,
    units: &[UnitFile],
    call: Call,
    query: impl Fn(&UnitFile) -> Query,
) -> Result<Vec<String>, LoadError> {
    let queries: Vec<Query> = units.iter().map(query).collect();
    let answers = tx.pipeline(&queries).await.map_err(|(at, source)| match units.get(at) {
        Some(unit) => LoadError::Failed { file: unit.file.clone(), function: call.function, source },
        None => LoadError::Store(source),
    })?;
    units.iter().zip(&answers).map(|(unit, rows)| status(unit, &call, rows)).collect()
}

fn status(unit: &UnitFile, call: &Call, rows: &[Record]) -> Result<String, LoadError> {
    let answer = rows.first().and_then(|row| row.json(0)).unwrap_or(&Value::Null);
    let status = answer.get("status").and_then(Value::as_str).unwrap_or("no status");
    let holds = answer.get("invariants_verified").is_none_or(|verified| verified == &Value::Bool(true));
    if call.good.contains(&status) && holds {
        return Ok(status.to_owned());
    }
    let (file, address) = (unit.file.clone(), unit.header.address.clone());
    Err(LoadError::Refused { file, function: call.function, address, answer: answer.to_string() })
}

async fn check_fixed(tx: &mut dyn Tx, units: &[UnitFile]) -> Result<(), LoadError> {
    const THERE: &str = "SELECT canonical_address, unit_kind, section_type FROM public.information_unit WHERE canonical_address = ANY($1)";
    let addresses = units.iter().map(|unit| unit.header.address.clone()).collect();
    let rows = tx.query(&Query::new(Sql::new(THERE)).bind(Param::Texts(addresses))).await?;
    let there: BTreeMap<&str, &Record> = rows.iter().filter_map(|row| Some((row.text(0)?, row))).collect();
    for unit in units {
        let Some(row) = there.get(unit.header.address.as_str()) else { continue };
        let columns = [("unit_kind", &unit.header.unit_kind, 1), ("section_type", &unit.header.section_type, 2)];
        for (column, wanted, at) in columns {
            let found = row.text(at).unwrap_or_default();
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
                return Err(LoadError::Fixed {
                    file: unit.file.clone(),
                    address: unit.header.address.clone(),
                    column,
                    found: found.to_owned(),
                    wanted: wanted.clone(),
                });
            }
        }
    }
    Ok(())
}
