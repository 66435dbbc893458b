//! Qdrant: the server, its key, and each collection with its limits against what the plan will do.
//!
//! A new collection gets the server's own limits, which cannot be asked for; those of the live one are the best guess and draw
//! a warning. Into a live collection they hold as they are, and a plan that goes beyond them stops. Enact filters nothing and
//! deletes by id alone, so limits on filters never matter.

use super::codes;
use super::found::{Area, Found};
use super::needs::{Needs, SetNeed, SetWay};
use super::postgres::unreachable;
use crate::diff::counted;
use crate::model::{CollectionFacts, CollectionLimits, Environment};
use crate::observe::PAGE;
use crate::store::{KeyFacts, POINTS_PER_WRITE, ServerFacts, StoreError, VectorStore};

/// The first version that keeps metadata of collections.
const METADATA_SINCE: (u64, u64) = (1, 16);

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
    let mut parts = server.version.split('.').map_while(|part| part.parse::<u64>().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) < METADATA_SINCE => {
            let found = format!(
                "Qdrant {} over gRPC, {tls}; it drops the metadata of collections, so every plan compares in full",
                server.version
            );
            Found::warning(Area::Qdrant, what, found).change("upgrade Qdrant to 1.16 or newer")
        }
        _ => Found::ok(Area::Qdrant, what, format!("Qdrant {} over gRPC, {tls}", server.version)),
    }
}

/// What the key says of itself, against what the plan writes.
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
            let refused = writes
                .iter()
                .filter(|(set, need)| need.way == SetWay::NewCollection || may.get(*set).is_none_or(|write| !write));
            let out: Vec<Found> = refused
                .map(|(set, need)| {
                    let found = match need.way {
                        SetWay::NewCollection => {
                            format!("it is for some collections; \"{set}\" needs a new one and an alias")
                        }
                        SetWay::Read | SetWay::InPlace => format!("it may not write \"{set}\""),
                    };
                    failed(found, "set qdrant.api_key to a key that manages", Some(need))
                })
                .collect();
            if out.is_empty() {
                return vec![Found::ok(Area::Qdrant, "key", format!("accepted; it is for {} collections", may.len()))];
            }
            out
        }
    }
}

fn allowed(set: &str, need: &SetNeed, environment: &Environment) -> Option<Found> {
    let (allow, deny) = (&environment.allowed_collections, &environment.denied_collections);
    let what = format!("collection {set}");
    let denied = deny.iter().any(|name| name == set);
    if denied || (!allow.is_empty() && !allow.iter().any(|name| name == set)) {
        let found = format!("environment \"{}\" does not allow writing it", environment.name);
        let code = crate::diff::codes::DENIED_COLLECTION;
        let found = Found::failed(Area::Collections, code, what, found);
        return Some(found.change("see collections.allow and collections.deny in enact.yaml").at(need.place.as_ref()));
    }
    (!allow.is_empty() || !deny.is_empty())
        .then(|| Found::ok(Area::Collections, what, "the environment allows writing it"))
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
    if let Some(rate) = reads_per_minute {
        out.push(felt(format!("{rate} reads a minute (read_rate_limit)")));
    }
    if let Some(rate) = writes_per_minute {
        out.push(felt(format!("{rate} writes a minute (write_rate_limit)")));
    }
    if *prevent_unoptimized {
        out.push(felt("writes wait until their points are indexed (prevent_unoptimized)".to_owned()));
    }
    out
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
        let found = match (kind, self.need.way) {
            (Use::Write, SetWay::Read) => return None,
            (Use::Write, SetWay::NewCollection) => {
                let found = format!(
                    "{name} is {allowed} and the plan takes {wanted}; a new collection gets the server's own limits"
                );
                Found::warning(Area::Collections, what, found).change("check the server's default strict mode")
            }
            (Use::Read, _) | (Use::Write, SetWay::InPlace) => {
                let found = format!("{name} is {allowed} and the plan takes {wanted}");
                Found::failed(Area::Collections, codes::COLLECTION_LIMIT, what, found).change(change)
            }
        };
        Some(found.at(self.need.place.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::found::Verdict;
    use super::*;

    fn need(way: SetWay) -> SetNeed {
        SetNeed { way, points: 1_000, vector_bytes: 4_000, payload_indexes: 1, place: None }
    }

    fn facts(limits: CollectionLimits) -> CollectionFacts {
        CollectionFacts {
            name: "c@1".to_owned(),
            vectors: BTreeMap::new(),
            payload_indexes: BTreeMap::new(),
            points: 0,
            shards: 1,
            strict: true,
            limits,
            metadata: BTreeMap::new(),
        }
    }

    fn verdicts(limits: CollectionLimits, way: SetWay) -> Vec<(Verdict, String)> {
        let found = super::limits("c", &need(way), &facts(limits), 60);
        found.into_iter().map(|found| (found.probe.verdict, found.probe.found)).collect()
    }

    #[test]
    fn a_limit_that_the_plan_exceeds_stops_a_write_in_place_and_warns_of_a_new_collection() {
        let limits = CollectionLimits { upsert_batch: Some(100), points: Some(5_000), ..CollectionLimits::default() };
        let in_place = verdicts(limits.clone(), SetWay::InPlace);
        let said = "strict mode's upsert_max_batchsize is 100 and the plan takes 256".to_owned();
        assert_eq!(in_place, [(Verdict::Failed, said)]);
        assert_eq!(verdicts(limits.clone(), SetWay::NewCollection)[0].0, Verdict::Warning);
        assert!(verdicts(limits, SetWay::Read).is_empty());
    }

    #[test]
    fn a_limit_on_reads_stops_whatever_the_plan_does() {
        let limits = CollectionLimits { page: Some(500), timeout_seconds: Some(10), ..CollectionLimits::default() };
        let found = verdicts(limits, SetWay::Read);
        assert_eq!(found.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [Verdict::Failed; 2]);
    }

    #[test]
    fn a_token_that_only_reads_stops_a_plan_that_writes() {
        let needs = |way: SetWay| Needs { sets: BTreeMap::from([("c".to_owned(), need(way))]), ..Needs::default() };
        let verdict = |facts: &KeyFacts, way: SetWay| key(facts, &needs(way))[0].probe.verdict;
        assert_eq!(verdict(&KeyFacts::ReadOnly, SetWay::Read), Verdict::Ok);
        assert_eq!(verdict(&KeyFacts::ReadOnly, SetWay::InPlace), Verdict::Failed);
        let some = KeyFacts::Collections(BTreeMap::from([("c".to_owned(), true)]));
        assert_eq!(verdict(&some, SetWay::InPlace), Verdict::Ok);
        assert_eq!(verdict(&some, SetWay::NewCollection), Verdict::Failed);
        assert_eq!(verdict(&KeyFacts::Opaque, SetWay::NewCollection), Verdict::Ok);
    }
}
