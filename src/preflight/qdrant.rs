//! Qdrant: the server, its key, and each collection with its limits against what the plan will do.
//!
//! A collection that takes the place of a live one is made with its limits, so they hold whatever the rollout, and a plan that
//! goes beyond them stops. One that replaces nothing gets the server's own limits, which cannot be asked for. Enact selects
//! by id alone, so limits on filters never matter.

use super::codes;
use super::found::{Area, Found};
use super::needs::{Needs, SetNeed, SetWay};
use super::postgres::unreachable;
use crate::diff::counted;
use crate::model::{CollectionFacts, CollectionLimits, Environment};
use crate::observe::PAGE;
use crate::store::{KeyFacts, POINTS_PER_READ, POINTS_PER_WRITE, ServerFacts, StoreError, VectorStore};

/// What probing needs beside the needs.
#[derive(Debug, Clone, Copy)]
pub struct QdrantScope<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// The deadline that requests carry, in seconds.
    pub timeout_seconds: u64,
}

/// Probes.
///
/// # Errors
/// Those of the store.
pub async fn probe_qdrant(
    vectors: &dyn VectorStore,
    needs: &Needs,
    scope: QdrantScope<'_>,
) -> Result<Vec<Found>, StoreError> {
    let server = vectors.server().await?;
    let whom = key_name(&server.key);
    let mut out = vec![version(&server)];
    out.extend(key(&server.key, needs));
    let collections = vectors.collections().await?;
    let aliases = vectors.aliases().await?;
    let plural = |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let counted = format!(
        "{} and {} can be listed",
        plural(collections.len(), "collection", "collections"),
        plural(aliases.len(), "alias", "aliases")
    );
    out.push(Found::ok(Area::Qdrant, "collections", counted));
    for (set, need) in &needs.sets {
        out.extend(allowed(set, need, scope.environment));
        let live = vectors.collection(set).await?;
        out.push(shape(set, need, live.as_ref()));
        out.extend(live.as_ref().and_then(|facts| sharding(set, need, facts)));
        out.extend(live.iter().flat_map(|facts| limits(set, need, facts, scope.timeout_seconds)));
    }
    Ok(out.into_iter().map(|found| found.as_whom(whom)).collect())
}

/// What is said of a server that could not be reached.
pub fn unreachable_qdrant(error: &StoreError) -> Found {
    unreachable(Area::Qdrant, "Qdrant", error)
}

fn key_name(key: &KeyFacts) -> &'static str {
    match key {
        KeyFacts::None => "anonymous",
        KeyFacts::Opaque | KeyFacts::Manage => "the API key",
        KeyFacts::ReadOnly => "a read-only token",
        KeyFacts::Collections(_) => "a token for some collections",
    }
}

fn version(server: &ServerFacts) -> Found {
    let tls = if server.url.starts_with("https") { "TLS" } else { "no TLS" };
    let what = format!("server {}", server.url);
    let found = format!("Qdrant {} over gRPC, {tls}", server.version);
    if server.keeps_metadata {
        return Found::ok(Area::Qdrant, what, found);
    }
    let found = format!(
        "{found}; it keeps no metadata of collections, so a store that was restored from a backup is noticed by its points alone"
    );
    Found::warning(Area::Qdrant, what, found).change("upgrade Qdrant to 1.16 or newer")
}

/// What the key says of itself, against what the plan writes. Every write of a plan takes a key that manages: new collections
/// and aliases do, and so do the metadata and payload indexes of a collection that is written in place. That comes after the
/// decision, where a refusal could no longer go back.
fn key(key: &KeyFacts, needs: &Needs) -> Vec<Found> {
    let writes: Vec<(&String, &SetNeed)> = needs.sets.iter().filter(|(_, need)| need.way != SetWay::Read).collect();
    let failed = |found: String, change: &str, need: Option<&SetNeed>| {
        let place = need.and_then(|need| need.place.as_ref());
        Found::failed(Area::Qdrant, codes::QDRANT_KEY, "key", found).change(change).at(place)
    };
    match key {
        KeyFacts::None => Vec::new(),
        KeyFacts::Opaque => {
            vec![Found::ok(Area::Qdrant, "key", "accepted; whether it may write cannot be known without a write")]
        }
        KeyFacts::Manage => vec![Found::ok(Area::Qdrant, "key", "accepted; it says that it manages")],
        KeyFacts::ReadOnly => match writes.first() {
            None => vec![Found::ok(Area::Qdrant, "key", "accepted; it says that it only reads")],
            Some((_, need)) => {
                vec![failed(
                    "it says that it only reads".to_owned(),
                    "set qdrant.api_key to a key that manages",
                    Some(need),
                )]
            }
        },
        KeyFacts::Collections(may) => {
            let refused = writes.iter().map(|(set, need)| {
                let found = match need.way {
                    SetWay::NewCollection => {
                        format!("it is for some collections; \"{set}\" needs a new one and an alias")
                    }
                    SetWay::Read | SetWay::InPlace => {
                        format!("it is for some collections; \"{set}\" is stamped after the decision, and that takes one that manages")
                    }
                };
                failed(found, "set qdrant.api_key to a key that manages", Some(need))
            });
            let refused: Vec<Found> = refused.collect();
            if refused.is_empty() {
                return vec![Found::ok(Area::Qdrant, "key", format!("accepted; it is for {} collections", may.len()))];
            }
            refused
        }
    }
}

fn allowed(set: &str, need: &SetNeed, environment: &Environment) -> Option<Found> {
    let what = format!("collection {set}");
    if !environment.may_write(set) {
        let found = format!("environment \"{}\" does not allow writing it", environment.name);
        let code = crate::diff::codes::DENIED_COLLECTION;
        let found = Found::failed(Area::Collections, code, what, found);
        return Some(found.change("see collections.allow and collections.deny in enact.yaml").at(need.place.as_ref()));
    }
    let asked = !(environment.allowed_collections.is_empty() && environment.denied_collections.is_empty());
    asked.then(|| Found::ok(Area::Collections, what, "the environment allows writing it"))
}

fn shape(set: &str, need: &SetNeed, live: Option<&CollectionFacts>) -> Found {
    let what = format!("collection {set}");
    let Some(facts) = live else {
        let found = match need.way {
            SetWay::Read => "it is not there",
            SetWay::NewCollection | SetWay::InPlace => "it is not there; the plan makes it",
        };
        return Found::ok(Area::Collections, what, found);
    };
    let behind =
        if facts.name == set { "a collection of that name".to_owned() } else { format!("an alias of {}", facts.name) };
    let strict = if facts.strict { ", strict mode" } else { "" };
    let vectors = facts.vectors.len() as u64;
    let found = format!("{behind}: {}, {}{strict}", counted(facts.points, "point"), counted(vectors, "vector"));
    if facts.shards > 1 {
        let more = format!("{found}, {} shards: counts are inexact while shards move", facts.shards);
        return Found::warning(Area::Collections, what, more)
            .change("do not move shards during an apply")
            .at(need.place.as_ref());
    }
    Found::ok(Area::Collections, what, found)
}

/// Every write into a collection with custom sharding has to name a shard key, and nothing says which.
fn sharding(set: &str, need: &SetNeed, facts: &CollectionFacts) -> Option<Found> {
    if !facts.custom_sharding || need.way == SetWay::Read {
        return None;
    }
    let found = format!("\"{}\" is sharded by keys (sharding_method: custom), which Enact does not write", facts.name);
    let found = Found::failed(Area::Collections, codes::COLLECTION_LIMIT, format!("collection {set}"), found);
    Some(found.change("name a set of its own, with automatic sharding").at(need.place.as_ref()))
}

/// Limits that what the plan does would exceed, or may come to feel.
fn limits(set: &str, need: &SetNeed, facts: &CollectionFacts, timeout_seconds: u64) -> Vec<Found> {
    let CollectionLimits {
        page,
        timeout_seconds: timeout,
        upsert_batch,
        points,
        vector_bytes,
        payload_bytes,
        payload_indexes,
        reads_per_minute,
        writes_per_minute,
        prevent_unoptimized,
    } = &facts.limits;
    let limit = Limit { set, need, live: &facts.name };
    let mut out = Vec::new();
    // Reads go to the live collection whatever the plan does.
    out.extend(limit.over("strict mode's max_query_limit", *page, u64::from(PAGE), Use::Read));
    out.extend(limit.over("strict mode's max_timeout (seconds)", *timeout, timeout_seconds, Use::Read));
    out.extend(limit.over(
        "strict mode's upsert_max_batchsize",
        *upsert_batch,
        u64::from(POINTS_PER_WRITE),
        Use::Write,
    ));
    out.extend(limit.over("strict mode's max_points_count", *points, need.points, Use::Write));
    out.extend(limit.over(
        "strict mode's max_collection_vector_size_bytes",
        *vector_bytes,
        need.vector_bytes,
        Use::Write,
    ));
    out.extend(limit.over("strict mode's max_payload_index_count", *payload_indexes, need.payload_indexes, Use::Write));
    let felt =
        |what: String| Found::warning(Area::Collections, format!("collection {set}"), what).at(need.place.as_ref());
    if let Some(bytes) = payload_bytes {
        out.push(felt(format!("payloads may take {bytes} bytes in all (max_collection_payload_size_bytes)")));
    }
    // Points are read by their ids before they are copied, kept or compared, and each id is one read.
    let by_ids = limit.over("strict mode's read_rate_limit", *reads_per_minute, u64::from(POINTS_PER_READ), Use::Write);
    match (by_ids, reads_per_minute) {
        (Some(refused), _) => out.push(refused),
        (None, Some(rate)) => out.push(felt(format!("{rate} reads a minute (read_rate_limit)"))),
        (None, None) => {}
    }
    if let Some(rate) = writes_per_minute {
        out.push(felt(format!("{rate} writes a minute (write_rate_limit)")));
    }
    if *prevent_unoptimized {
        out.push(unoptimised(set, need, &facts.name));
    }
    out
}

/// Points that are not indexed yet are kept from reads, so what is copied, kept or read back could lack some.
fn unoptimised(set: &str, need: &SetNeed, live: &str) -> Found {
    let what = format!("collection {set}");
    let found = match need.way {
        SetWay::Read => {
            let found = "reads may miss points that are not indexed yet (prevent_unoptimized)";
            Found::warning(Area::Collections, what, found)
        }
        SetWay::NewCollection | SetWay::InPlace => {
            let found = "the plan reads what it writes and copies, and reads may miss points that are not indexed yet \
                         (prevent_unoptimized)";
            let change = format!("turn prevent_unoptimized off for \"{live}\", apply, and turn it on again");
            Found::failed(Area::Collections, codes::COLLECTION_LIMIT, what, found).change(change)
        }
    };
    found.at(need.place.as_ref())
}

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
}

struct Limit<'a> {
    set: &'a str,
    need: &'a SetNeed,
    live: &'a str,
}

impl Limit<'_> {
    fn over(&self, name: &str, allowed: Option<u64>, wanted: u64, kind: Use) -> Option<Found> {
        let allowed = allowed.filter(|allowed| *allowed < wanted)?;
        let what = format!("collection {}", self.set);
        let change = format!("raise it for \"{}\" to {wanted} or more", self.live);
        if (kind, self.need.way) == (Use::Write, SetWay::Read) {
            return None;
        }
        let found = format!("{name} is {allowed} and the plan takes {wanted}");
        let found = Found::failed(Area::Collections, codes::COLLECTION_LIMIT, what, found).change(change);
        Some(found.at(self.need.place.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::found::Verdict;
    use super::*;
    use crate::model::CollectionMetadata;

    fn need(way: SetWay) -> SetNeed {
        SetNeed { way, points: 1_000, vector_bytes: 4_000, payload_indexes: 1, place: None }
    }

    fn facts(limits: CollectionLimits) -> CollectionFacts {
        CollectionFacts {
            name: "c@1".to_owned(),
            vectors: BTreeMap::new(),
            multivectors: Default::default(),
            payload_indexes: BTreeMap::new(),
            points: 0,
            shards: 1,
            custom_sharding: false,
            strict: true,
            limits,
            metadata: CollectionMetadata::Kept(BTreeMap::new()),
        }
    }

    fn verdicts(limits: CollectionLimits, way: SetWay) -> Vec<(Verdict, String)> {
        let found = super::limits("c", &need(way), &facts(limits), 60);
        found.into_iter().map(|found| (found.probe.verdict, found.probe.found)).collect()
    }

    #[test]
    fn a_limit_that_the_plan_exceeds_stops_every_write() {
        let limits = CollectionLimits { upsert_batch: Some(100), points: Some(5_000), ..CollectionLimits::default() };
        let in_place = verdicts(limits.clone(), SetWay::InPlace);
        let said = "strict mode's upsert_max_batchsize is 100 and the plan takes 256".to_owned();
        assert_eq!(in_place, [(Verdict::Failed, said)]);
        assert_eq!(verdicts(limits.clone(), SetWay::NewCollection), in_place, "a new one is made with the same limits");
        assert!(verdicts(limits, SetWay::Read).is_empty());
    }

    #[test]
    fn a_limit_on_reads_stops_whatever_the_plan_does() {
        let limits = CollectionLimits { page: Some(500), timeout_seconds: Some(10), ..CollectionLimits::default() };
        let found = verdicts(limits, SetWay::Read);
        assert_eq!(found.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [Verdict::Failed; 2]);
    }

    #[test]
    fn a_rate_below_one_batch_stops_a_write_and_a_higher_one_is_felt() {
        let rate = |rate| CollectionLimits { reads_per_minute: Some(rate), ..CollectionLimits::default() };
        let of = |rate_limit, way| {
            verdicts(rate(rate_limit), way).into_iter().map(|(verdict, _)| verdict).collect::<Vec<_>>()
        };
        for way in [SetWay::InPlace, SetWay::NewCollection] {
            assert_eq!((of(255, way), of(256, way)), (vec![Verdict::Failed], vec![Verdict::Warning]), "{way:?}");
        }
        assert_eq!(of(1, SetWay::Read), [Verdict::Warning]);
    }

    #[test]
    fn reads_that_may_miss_points_stop_a_write() {
        let limits = CollectionLimits { prevent_unoptimized: true, ..CollectionLimits::default() };
        let of = |way| verdicts(limits.clone(), way)[0].0;
        assert_eq!(
            [SetWay::Read, SetWay::InPlace, SetWay::NewCollection].map(of),
            [Verdict::Warning, Verdict::Failed, Verdict::Failed]
        );
    }

    #[test]
    fn custom_sharding_stops_a_write() {
        let custom = CollectionFacts { custom_sharding: true, ..facts(CollectionLimits::default()) };
        let verdict = |way, facts: &CollectionFacts| sharding("c", &need(way), facts).map(|found| found.probe.verdict);
        assert_eq!(verdict(SetWay::InPlace, &custom), Some(Verdict::Failed));
        assert_eq!(verdict(SetWay::NewCollection, &custom), Some(Verdict::Failed));
        assert_eq!(verdict(SetWay::Read, &custom), None);
        assert_eq!(verdict(SetWay::InPlace, &facts(CollectionLimits::default())), None);
    }

    #[test]
    fn a_token_that_only_reads_stops_a_plan_that_writes() {
        let needs = |way: SetWay| Needs { sets: BTreeMap::from([("c".to_owned(), need(way))]), ..Needs::default() };
        let verdict = |facts: &KeyFacts, way: SetWay| key(facts, &needs(way))[0].probe.verdict;
        assert_eq!(verdict(&KeyFacts::ReadOnly, SetWay::Read), Verdict::Ok);
        assert_eq!(verdict(&KeyFacts::ReadOnly, SetWay::InPlace), Verdict::Failed);
        let some = KeyFacts::Collections(BTreeMap::from([("c".to_owned(), true)]));
        assert_eq!(verdict(&some, SetWay::Read), Verdict::Ok);
        assert_eq!(verdict(&some, SetWay::InPlace), Verdict::Failed);
        assert_eq!(verdict(&some, SetWay::NewCollection), Verdict::Failed);
        assert_eq!(verdict(&KeyFacts::Opaque, SetWay::NewCollection), Verdict::Ok);
    }
}
