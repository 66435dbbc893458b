//! Each kind of difference is found, and a set as it was applied has none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::relational::{gates, promotions, reachable, refreshes};
use super::*;
use crate::model::{
    BindingRef, CollectionFacts, CollectionMetadata, Digest, LedgerRow, OwnedChunk, Ownership, PointId, SetRecord,
    UnitFacts, digest_of,
};
use crate::points::{GENERATION_KEY, Parts, PointIdentity, point_facts};
use crate::store::Point;

fn binding() -> Binding {
    crate::spec::load_binding(&BindingRef::Shipped("iu-core".to_owned()))
        .unwrap_or_else(|(found, _)| panic!("{found:?}"))
}

fn sha(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text.as_bytes()))
}

/// A point as an apply writes it.
fn point(unit: &str, chunk: u32, text: &str) -> Point {
    let sha256 = sha(text);
    let digest = |name: &str| Digest::of_bytes(name.as_bytes());
    let authored = Map::from_iter([("title".to_owned(), json!("T")), ("text".to_owned(), json!({ "sha256": sha256 }))]);
    let identity = PointIdentity {
        set: "s".to_owned(),
        unit: unit.to_owned(),
        ordinal: chunk,
        text: digest(text),
        payload: digest_of(&authored),
        policy: digest("policy"),
        embedders: digest("embedders"),
    };
    let mut payload = authored;
    payload.insert("text".to_owned(), Value::from(text));
    let parts = Parts {
        set: "s".to_owned(),
        unit: unit.to_owned(),
        chunk,
        chunks: 1,
        text: identity.text,
        sha256: sha256.clone(),
        policy: identity.policy,
        embedders: identity.embedders,
        digest: None,
    };
    parts.add_to(&identity.id(), &mut payload);
    Point { id: identity.id(), vectors: BTreeMap::new(), payload }
}

/// One set with one unit of one chunk.
fn facts(points: Vec<Point>) -> Facts {
    let own = point("u", 0, "body");
    let chunk =
        OwnedChunk { id: own.id, text: Digest::of_bytes(b"body"), sha256: sha("body"), digest: None, adopted: false };
    let collection = CollectionFacts {
        limits: crate::model::CollectionLimits::default(),
        name: "s@1".to_owned(),
        vectors: BTreeMap::new(),
        multivectors: Default::default(),
        payload_indexes: BTreeMap::new(),
        points: points.len() as u64,
        shards: 1,
        custom_sharding: false,
        strict: false,
        metadata: CollectionMetadata::Kept(BTreeMap::from([(GENERATION_KEY.to_owned(), "1".to_owned())])),
    };
    let set = SetFacts {
        unshaped: Default::default(),
        inputs: BTreeMap::new(),
        recipe: None,
        record: Some(SetRecord {
            forgotten: false,
            selection: None,
            fields: Default::default(),
            empty_body: None,
            vectors: Default::default(),
            payload_indexes: Default::default(),
            embedders: Digest::of_bytes(b"embedders"),
            generation: "1".to_owned(),
            adopted: false,
        }),
        owned: BTreeMap::from([("u".to_owned(), Ownership { address: "A".to_owned(), chunks: vec![chunk] })]),
        collection: Some(collection),
        points: points.into_iter().map(|point| (point.id, point_facts(point.payload))).collect(),
        as_applied: AsApplied::default(),
        units: BTreeSet::from(["u".to_owned()]),
    };
    Facts { sets: BTreeMap::from([("s".to_owned(), set)]), ..Facts::default() }
}

fn failures(facts: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    for check in points::checks("s", &facts.sets["s"]) {
        if let Status::Failed { what } = check.status {
            out.extend(what);
        }
    }
    out
}

#[test]
fn a_set_as_it_was_applied_has_no_difference() {
    assert_eq!(failures(&facts(vec![point("u", 0, "body")])), Vec::<String>::new());
}

#[test]
fn a_missing_point_and_an_ownerless_one_are_named() {
    let found = failures(&facts(vec![point("u", 1, "other")]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("(\"A\", chunk 0)") && found[1].contains("which does not own it"), "{found:?}");
}

#[test]
fn an_edited_payload_no_longer_makes_the_id() {
    let mut edited = point("u", 0, "body");
    edited.payload.insert("title".to_owned(), json!("forged"));
    assert!(failures(&facts(vec![edited])).concat().contains("its payload makes another id"));
    let mut edited = point("u", 0, "body");
    edited.payload.insert("text".to_owned(), json!("forged"));
    assert!(failures(&facts(vec![edited])).concat().contains("another text than its digest says"));
}

#[test]
fn a_chunk_that_is_there_twice_is_found() {
    let mut twin = point("u", 0, "body");
    twin.id = PointId::Number(7);
    let found = failures(&facts(vec![point("u", 0, "body"), twin])).join("\n");
    assert!(found.contains("unit u, chunk 0: point"), "{found}");
}

#[test]
fn foreign_points_are_counted_and_not_judged() {
    let mut facts = facts(vec![point("u", 0, "body")]);
    facts.sets.get_mut("s").unwrap().as_applied.foreign = 1;
    assert!(failures(&facts).is_empty());
    let last = points::checks("s", &facts.sets["s"]).pop().unwrap();
    assert_eq!((last.count, matches!(last.status, Status::Skipped { .. })), (1, true));
}

#[test]
fn a_collection_of_another_run_is_noticed() {
    let mut facts = facts(vec![point("u", 0, "body")]);
    facts.sets.get_mut("s").unwrap().record.as_mut().unwrap().generation = "0".to_owned();
    assert!(failures(&facts).concat().contains("the collection was written by run 1"));
}

#[test]
fn a_server_that_keeps_no_metadata_is_not_asked_for_a_stamp() {
    let mut facts = facts(vec![point("u", 0, "body")]);
    let collection = facts.sets.get_mut("s").unwrap().collection.as_mut().unwrap();
    collection.metadata = CollectionMetadata::NotKept { server: "1.15.5".to_owned() };
    let checks = points::checks("s", &facts.sets["s"]);
    let skipped: Vec<&Status> = checks.iter().map(|check| &check.status).filter(|s| **s != Status::Passed).collect();
    let why = "Qdrant 1.15.5 keeps no metadata of collections".to_owned();
    assert_eq!(skipped, [&Status::Skipped { why }]);
}

/// The messages of every failed check.
fn failed(checks: Vec<Check>) -> Vec<String> {
    let what = checks.into_iter().filter_map(|check| match check.status {
        Status::Failed { what } => Some(what),
        Status::Passed | Status::Skipped { .. } => None,
    });
    what.flatten().collect()
}

/// The one set under the name that the binding's ledger covers, with these rows.
fn ledger_facts(rows: &[(&str, &str, &str, &str)]) -> Facts {
    let mut facts = facts(vec![point("u", 0, "body")]);
    let set = facts.sets.remove("s").unwrap();
    facts.sets.insert("iu_core_iu_chunks".to_owned(), set);
    let row = |(key, status, digest, unit): &(&str, &str, &str, &str)| {
        let (digest, unit) = (Some((*digest).to_owned()), Some((*unit).to_owned()));
        ((*key).to_owned(), LedgerRow { status: (*status).to_owned(), digest, unit })
    };
    facts.ledger = Some(LedgerFacts {
        rows: rows.iter().map(row).collect(),
        owned: facts.sets.iter().map(|(name, set)| (name.clone(), set.owned.clone())).collect(),
        keys: BTreeMap::from([(("u".to_owned(), 0), "iu.A#chunk-0000".to_owned())]),
    });
    facts
}

#[test]
fn the_ledger_is_compared_both_ways() {
    let (binding, right) = (binding(), sha("body"));
    let key = "iu.A#chunk-0000";
    let found = |rows: &[(&str, &str, &str, &str)]| failed(ledger::checks(&binding, &ledger_facts(rows)));
    assert!(found(&[(key, "indexed", &right, "u"), ("iu.B#chunk-0000", "indexed", "x", "v")]).is_empty());
    assert_eq!(found(&[]), ["row \"iu.A#chunk-0000\" is missing"]);
    assert_eq!(found(&[(key, "disabled", &right, "u")]), ["row \"iu.A#chunk-0000\" is disabled and should be indexed"]);
    assert_eq!(found(&[(key, "indexed", "x", "u")]), ["row \"iu.A#chunk-0000\" has another digest"]);
    let stray = [(key, "indexed", right.as_str(), "u"), ("iu.A#chunk-0001", "indexed", "x", "u")];
    assert_eq!(found(&stray), ["row \"iu.A#chunk-0001\" has no point"]);
}

fn unit(lifecycle: &str) -> UnitFacts {
    UnitFacts {
        id: "u".to_owned(),
        address: "A".to_owned(),
        title: String::new(),
        lifecycle: lifecycle.to_owned(),
        content_hash: String::new(),
        anchor: None,
        empty_body: false,
        fields: BTreeMap::new(),
    }
}

fn promoted(live: Option<&str>) -> Facts {
    let strayed = vec![("A".to_owned(), "u".to_owned())];
    let promotion = PromotionFacts { to: "enacted".to_owned(), count: 1, strayed };
    Facts {
        promotions: BTreeMap::from([("p".to_owned(), Some(promotion))]),
        units: live.map(|state| ("u".to_owned(), unit(state))).into_iter().collect(),
        ..Facts::default()
    }
}

#[test]
fn a_promoted_unit_that_went_back_or_is_gone_is_named() {
    let binding = binding();
    let found = |live| failed(promotions(&binding, &promoted(live)));
    assert_eq!(found(Some("draft")), ["unit \"A\" is draft, which no transition reaches from enacted"]);
    assert_eq!(found(None), ["unit \"A\" is gone"]);
}

#[test]
fn a_promoted_unit_may_move_on_but_not_back() {
    let binding = binding();
    let legal = reachable(&binding.lifecycle, "enacted");
    assert!(legal.contains("enacted") && legal.contains("retired") && !legal.contains("draft"), "{legal:?}");
}

#[test]
fn an_open_gate_and_a_stale_cache_are_differences() {
    let binding = binding();
    let mut facts = promoted(Some("enacted"));
    facts.gates.insert("iu_core.vector_sync_enabled".to_owned(), Some("true".to_owned()));
    let stale = BTreeMap::from([("current_in_sync".to_owned(), Some("false".to_owned()))]);
    facts.refreshes.insert("three_axis_envelope".to_owned(), RefreshFacts { rows: 1, values: stale });
    assert_eq!(failed(gates(&binding, &facts)), ["it is open (\"true\")"]);
    assert_eq!(failed(refreshes(&binding, &facts)), ["current_in_sync should be true and is false"]);
    facts.promotions.clear();
    assert!(failed(refreshes(&binding, &facts)).is_empty());
}

#[test]
fn an_unfinished_run_is_a_difference() {
    let facts = Facts { unfinished: vec!["0198".to_owned()], ..Facts::default() };
    assert!(compare(&binding(), &facts).has_failed());
}
