//! Vector sets, from collections that the ledger covers.
//!
//! The ledger has the key of every point; the proof is that a namespace gives the points' ids from these keys (UUID version 5,
//! RFC 9562 section 5.5). Namespaces that the RFC names are tried, and those that the user gives.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::policy::{Fit, fit, unproven};
use super::{Known, Live, LiveSet, Recognised, Wanted, nowhere, spot};
use crate::model::{
    Address, Binding, Condition, Distance, LedgerRow, MaxDelete, PayloadIndex, PointId, PointIds, Rollout, Selection,
    Spot, UnitFacts, UnitsRef, VectorParams, VectorSet, VectorSpec,
};
use crate::points::{CHUNK_FIELDS, PARTS_FIELD};

const PREDEFINED: [Uuid; 5] =
    [Uuid::NAMESPACE_URL, Uuid::NAMESPACE_DNS, Uuid::NAMESPACE_OID, Uuid::NAMESPACE_X500, Uuid::nil()];
pub(super) fn add(live: &Live, known: &Known<'_>, wanted: &Wanted, out: &mut Recognised) {
    for (name, set) in &live.sets {
        let address = Address::vector_set(name);
        if !wanted.wants(&address) {
            continue;
        }
        let read = if known.environment.may_write(name) {
            SetReader { name, set, live, known, wanted }.add(&address, out)
        } else {
            Err(("the environment does not allow writing it".to_owned(), Some("see collections in enact.yaml")))
        };
        if let Err((why, hint)) = read {
            out.leave_out(address, &why, hint);
        }
    }
}

/// Why a set cannot be written, and what would help.
type Why = (String, Option<&'static str>);

struct SetReader<'a> {
    name: &'a str,
    set: &'a LiveSet,
    live: &'a Live,
    known: &'a Known<'a>,
    wanted: &'a Wanted,
}

impl SetReader<'_> {
    fn add(&self, address: &Address, out: &mut Recognised) -> Result<(), Why> {
        let Some(ledger) = &self.known.binding.ledger else { return Ok(()) };
        let indexed = |row: &LedgerRow| row.status == ledger.indexed;
        let rows: BTreeMap<&String, &LedgerRow> = self.live.ledger.iter().filter(|(_, row)| indexed(row)).collect();
        let ids = self.ids(&rows, &ledger.key)?;
        let vectors = self.vectors(address, out)?;
        let units = self.units(&rows)?;
        let policy = format!("{}-policy", self.name);
        out.comment(address, "Made before Enact knew of it: enact import takes its points over.");
        self.policy(&policy, address, out);
        let payload = self.payload(address, out);
        let indexes = self.set.facts.payload_indexes.iter().filter(|(field, _)| payload.contains(*field));
        let payload_indexes: BTreeMap<String, Spot<PayloadIndex>> =
            indexes.filter_map(|(field, kind)| Some((field.clone(), spot(index(kind)?)))).collect();
        let set = VectorSet {
            name: self.name.to_owned(),
            units: UnitsRef::Inline(spot(units)),
            chunk_policy: spot(policy),
            vectors,
            payload: payload.into_iter().map(spot).collect(),
            payload_indexes,
            rollout: if self.set.alias { Rollout::Auto } else { Rollout::InPlace },
            ids,
            max_delete: MaxDelete::default(),
            place: nowhere(),
        };
        out.desired.vector_sets.insert(self.name.to_owned(), set);
        Ok(())
    }

    /// The namespace that gives the id of every point that the ledger says is there.
    fn ids(&self, rows: &BTreeMap<&String, &LedgerRow>, template: &str) -> Result<PointIds, Why> {
        if rows.is_empty() {
            return Err(("the ledger has no row of it that is indexed".to_owned(), None));
        }
        let given = self.wanted.namespaces.iter().filter_map(|text| Uuid::parse_str(text).ok());
        let gives = |namespace: &Uuid| {
            rows.keys().all(|key| self.set.points.contains(&PointId::Uuid(Uuid::new_v5(namespace, key.as_bytes()))))
        };
        match given.chain(PREDEFINED).find(gives) {
            Some(namespace) => {
                Ok(PointIds::Key { namespace: namespace.hyphenated().to_string(), template: template.to_owned() })
            }
            None => Err((
                format!(
                    "no namespace that was tried gives the ids of its {} points from the keys in the ledger",
                    rows.len()
                ),
                Some("add --namespace UUID with the namespace that its points were made under"),
            )),
        }
    }

    /// A state that all these units have and no other with a text, else the units one by one.
    fn units(&self, rows: &BTreeMap<&String, &LedgerRow>) -> Result<Selection, Why> {
        let ids: BTreeSet<&str> = rows.values().filter_map(|row| row.unit.as_deref()).collect();
        let units: Vec<&UnitFacts> = ids.iter().filter_map(|id| self.live.units.get(*id)).collect();
        if units.len() < ids.len() {
            return Err((format!("{} units of its points are gone", ids.len() - units.len()), None));
        }
        let states: BTreeSet<&str> = units.iter().map(|unit| unit.lifecycle.as_str()).collect();
        let mut others = self.live.units.values().filter(|unit| !ids.contains(unit.id.as_str()) && !unit.empty_body);
        let conditions = match states.first() {
            Some(state) if states.len() == 1 && others.all(|unit| unit.lifecycle != *state) => {
                ("lifecycle".to_owned(), Condition::In(vec![(*state).to_owned()]))
            }
            _ => {
                let mut addresses: Vec<String> = units.iter().map(|unit| unit.address.clone()).collect();
                addresses.sort();
                ("address".to_owned(), Condition::In(addresses))
            }
        };
        Ok(Selection { conditions: BTreeMap::from([conditions]) })
    }

    fn vectors(&self, address: &Address, out: &mut Recognised) -> Result<BTreeMap<String, Spot<VectorSpec>>, Why> {
        let mut vectors = BTreeMap::new();
        for (name, params) in &self.set.facts.vectors {
            let spec = match params {
                VectorParams::Dense { dimension, distance } => {
                    VectorSpec::Dense { embedder: self.embedder(*dimension)?, distance: measure(distance)? }
                }
                VectorParams::Sparse { .. } => {
                    let text = format!("Vector {name}: the language of its stemmer is not recorded; check it.");
                    out.comment(address, text);
                    VectorSpec::Bm25 { language: "english".to_owned() }
                }
            };
            vectors.insert(name.clone(), spot(spec));
        }
        Ok(vectors)
    }

    fn embedder(&self, dimension: u64) -> Result<String, Why> {
        let fitting = self.known.dimensions.iter().filter(|(_, size)| **size == dimension).map(|(name, _)| name);
        let fitting: Vec<&String> = fitting.collect();
        match fitting.as_slice() {
            [one] => Ok((*one).clone()),
            several if several.iter().any(|name| *name == "default") => Ok("default".to_owned()),
            [] => Err((
                format!(
                    "no embedder of environment \"{}\" makes vectors of {dimension} components",
                    self.known.environment.name
                ),
                Some("add it to enact.yaml"),
            )),
            _ => Err((
                format!("several embedders make vectors of {dimension} components, and none is called default"),
                Some("write the set by hand, with the embedder that its vectors were made by"),
            )),
        }
    }

    fn policy(&self, name: &str, address: &Address, out: &mut Recognised) {
        let policy = match fit(&self.set.cut) {
            Some(Fit { policy, sizes }) => {
                let tried = self.set.cut.len();
                let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                out.comment(
                    address,
                    format!(
                        "The chunk policy cuts {tried} of {tried} texts as the ledger has them; max_chars that do so, of \
                         those tried: {}. What was embedded beside a chunk is not recorded: check text.",
                        sizes.join(", ")
                    ),
                );
                policy
            }
            None => {
                let text = "No chunk policy that was tried cuts the texts as the ledger has them: the points are kept as \
                            they are until their units change.";
                out.comment(address, text);
                unproven()
            }
        };
        out.desired.chunk_policies.insert(name.to_owned(), spot(policy));
    }

    /// The fields that every point has and that Enact can fill.
    fn payload(&self, address: &Address, out: &mut Recognised) -> Vec<String> {
        let points = self.set.points.len() as u64;
        let all = self.set.fields.iter().filter(|(field, _)| field.as_str() != PARTS_FIELD);
        let (known, unknown): (Vec<_>, Vec<_>) =
            all.partition(|(field, count)| **count == points && fills(self.known.binding, field));
        if !unknown.is_empty() {
            let names: Vec<&str> = unknown.iter().map(|(field, _)| field.as_str()).collect();
            let text =
                format!("Not every point has these payload fields, or no binding fills them: {}.", names.join(", "));
            out.comment(address, text);
        }
        known.into_iter().map(|(field, _)| field.clone()).collect()
    }
}

fn fills(binding: &Binding, field: &str) -> bool {
    CHUNK_FIELDS.contains(&field) || binding.units.expression(field).is_some() || binding.payload.contains_key(field)
}

fn measure(distance: &str) -> Result<Distance, Why> {
    let all = [Distance::Cosine, Distance::Dot, Distance::Euclid, Distance::Manhattan];
    let found = all.into_iter().find(|one| one.as_str() == distance);
    found.ok_or_else(|| (format!("its distance {distance} is not one that a plan file can name"), None))
}

fn index(kind: &str) -> Option<PayloadIndex> {
    use PayloadIndex::{Bool, Datetime, Float, Integer, Keyword, Text, Uuid};
    [Keyword, Uuid, Integer, Float, Bool, Datetime, Text].into_iter().find(|index| index.as_str() == kind)
}
