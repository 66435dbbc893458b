//! The points of one set against what its units own. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::read::SetFacts;
use super::result::{Check, counted};
use crate::diff::shape_differences;
use crate::model::{CollectionFacts, CollectionMetadata, Digest, OwnedChunk, Ownership, PointId};
use crate::points::{GENERATION_KEY, PointFacts, PointIdentity};

/// Compares one set.
pub(super) fn checks(name: &str, set: &SetFacts) -> Vec<Check> {
    let title = |what: &str| format!("vector set \"{name}\": {what}");
    let Some(collection) = &set.collection else {
        let gone = vec![format!("Qdrant has no collection or alias \"{name}\"")];
        return vec![Check::of(title("there is a collection behind the name"), 1, gone)];
    };
    let (owners, unclear) = owners(set);
    let missing = owners.iter().filter(|(id, _)| !set.points.contains_key(*id));
    let missing: Vec<String> = missing.map(|(id, (unit, at, _))| said(id, &unit.address, *at)).collect();
    let ours: Vec<Ours<'_>> = set.points.iter().filter_map(|(id, point)| ours(name, id, point)).collect();
    let owned = owners.len() + counted(set.as_applied.points);
    let said_ours = ours.len() + counted(set.as_applied.made);
    let mut checks = vec![
        Check::of(title("ownership is readable and gives each point one owner"), owned, unclear),
        written_by(
            title("the collection was written by the run that the database remembers"),
            set,
            &collection.metadata,
        ),
        Check::of(title("every owned point is there"), owned, missing),
    ];
    checks.push(Check::of(title("every point of Enact has an owner"), said_ours, ownerless(name, set, &owners)));
    let disagreeing = disagreeing(&ours, &owners);
    checks.push(Check::of(title("payloads say what their owner's record says"), said_ours, disagreeing));
    checks.push(Check::of(title("ids and texts follow from payloads"), said_ours, unlike(&ours)));
    checks.push(Check::of(title("no chunk of a unit is there twice"), said_ours, twice(&ours)));
    let unshaped = owners.iter().filter(|(id, _)| set.unshaped.contains(*id));
    let unshaped = unshaped.map(|(id, (unit, at, _))| format!("{} lacks a vector", said(id, &unit.address, *at)));
    checks.push(Check::of(title("every owned point has its vectors"), owned, unshaped.collect()));
    checks.extend(shape(
        title("the collection has the vectors and payload indexes that were applied"),
        set,
        collection,
    ));
    let foreign = counted(set.as_applied.foreign);
    if foreign > 0 {
        checks.push(Check::skipped(title("foreign points"), foreign, "they are not Enact's and are left alone"));
    }
    checks
}

/// Nothing where an older Enact wrote the set down, which did not keep its shape.
fn shape(title: String, set: &SetFacts, collection: &CollectionFacts) -> Option<Check> {
    let record = set.record.as_ref().filter(|record| !record.vectors.is_empty())?;
    let differs = shape_differences(&record.vectors, &record.payload_indexes, collection);
    Some(Check::of(title, record.vectors.len() + record.payload_indexes.len(), differs.all().collect()))
}

type Owners<'a> = BTreeMap<&'a PointId, (&'a Ownership, u32, (&'a str, &'a OwnedChunk))>;

/// Which chunk of which unit owns each point, and points with two owners.
fn owners(set: &SetFacts) -> (Owners<'_>, Vec<String>) {
    let mut out: Owners<'_> = BTreeMap::new();
    let mut unclear = Vec::new();
    for (unit, owned) in &set.owned {
        for (at, chunk) in (0u32..).zip(&owned.chunks) {
            if let Some((other, ..)) = out.insert(&chunk.id, (owned, at, (unit, chunk))) {
                unclear.push(format!("{} is owned by \"{}\" too", said(&chunk.id, &owned.address, at), other.address));
            }
        }
    }
    (out, unclear)
}

fn said(id: &PointId, address: &str, ordinal: u32) -> String {
    format!("point {id} (\"{address}\", chunk {ordinal})")
}

fn written_by(name: String, set: &SetFacts, metadata: &CollectionMetadata) -> Check {
    match metadata {
        CollectionMetadata::Kept(_) => Check::of(name, 1, generation(set, metadata.get(GENERATION_KEY))),
        CollectionMetadata::NotKept { server } => {
            Check::skipped(name, 1, format!("Qdrant {server} keeps no metadata of collections"))
        }
    }
}

fn generation(set: &SetFacts, stamped: Option<&str>) -> Vec<String> {
    match (&set.record, stamped) {
        // Adopting writes nothing into the collection.
        (Some(record), _) if record.adopted => Vec::new(),
        (Some(record), Some(stamped)) if record.generation == stamped => Vec::new(),
        (Some(record), Some(stamped)) => {
            vec![format!(
                "the database remembers run {}, the collection was written by run {stamped}",
                record.generation
            )]
        }
        (Some(record), None) => {
            vec![format!("the database remembers run {}, the collection bears no stamp", record.generation)]
        }
        (None, _) => vec!["the database's record of the set is not there or cannot be read".to_owned()],
    }
}

/// A point that says it is of this set.
struct Ours<'a> {
    id: &'a PointId,
    parts: &'a PointIdentity,
    sha256: &'a str,
    text_sha256: Option<&'a str>,
    digest: Option<&'a Digest>,
}

fn ours<'a>(set: &str, id: &'a PointId, point: &'a PointFacts) -> Option<Ours<'a>> {
    match point {
        PointFacts::Ours { parts, sha256, text_sha256, digest } if parts.set == set => {
            Some(Ours { id, parts, sha256, text_sha256: text_sha256.as_deref(), digest: digest.as_ref() })
        }
        PointFacts::Ours { .. } | PointFacts::Foreign(_) | PointFacts::Unreadable => None,
    }
}

/// Points that say they are of this set and that nobody owns, and owned points that do not say so.
fn ownerless(name: &str, set: &SetFacts, owners: &Owners<'_>) -> Vec<String> {
    let line = |(id, point): (&PointId, &PointFacts)| match (owners.get(id), point) {
        (None, PointFacts::Ours { parts, .. }) if parts.set == name => {
            Some(format!("point {id} says it is chunk {} of unit {}, which does not own it", parts.ordinal, parts.unit))
        }
        (None, PointFacts::Ours { .. } | PointFacts::Foreign(_) | PointFacts::Unreadable) => None,
        (Some((_, _, (_, chunk))), PointFacts::Foreign(found)) if chunk.digest.as_ref() == Some(found) => None,
        (Some((unit, at, (_, chunk))), PointFacts::Foreign(_)) if chunk.adopted => {
            Some(format!("{} is no longer what was adopted", said(id, &unit.address, *at)))
        }
        (Some((unit, at, _)), PointFacts::Foreign(_)) => {
            Some(format!("{} does not say what it is made of", said(id, &unit.address, *at)))
        }
        (Some((unit, at, _)), PointFacts::Unreadable) => {
            Some(format!("{} says what it is made of in a form that cannot be read", said(id, &unit.address, *at)))
        }
        (Some((unit, at, _)), PointFacts::Ours { parts, .. }) => (parts.set != name)
            .then(|| format!("{} says it is of vector set \"{}\"", said(id, &unit.address, *at), parts.set)),
    };
    set.points.iter().filter_map(line).collect()
}

fn disagreeing(ours: &[Ours<'_>], owners: &Owners<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for one in ours {
        let Some((owned, at, (unit, chunk))) = owners.get(one.id) else { continue };
        let mut differs = Vec::new();
        if one.parts.unit != *unit {
            differs.push(format!("unit {}", one.parts.unit));
        }
        if one.parts.ordinal != *at {
            differs.push(format!("chunk {}", one.parts.ordinal));
        }
        if chunk.digest.as_ref() != one.digest {
            differs.push("another digest".to_owned());
        }
        if one.parts.text != chunk.text && !chunk.adopted {
            differs.push("another text digest".to_owned());
        }
        if one.sha256 != chunk.sha256 {
            differs.push("another chunk digest".to_owned());
        }
        if !differs.is_empty() {
            out.push(format!("{} says {}", said(one.id, &owned.address, *at), differs.join(", ")));
        }
    }
    out
}

/// Points whose id is not the one of their payload, or whose text is not the one of their digest.
fn unlike(ours: &[Ours<'_>]) -> Vec<String> {
    let mut out = Vec::new();
    for one in ours {
        let what = format!("point {} (unit {}, chunk {})", one.id, one.parts.unit, one.parts.ordinal);
        if one.text_sha256.is_some_and(|found| found != one.sha256) {
            out.push(format!("{what} holds another text than its digest says"));
        }
        if one.digest.is_some_and(|digest| one.parts.digest() != *digest) {
            out.push(format!("{what} was changed: its payload makes another digest"));
        }
        if one.digest.is_none() && one.parts.id() != *one.id {
            out.push(format!("{what} was changed: its payload makes another id"));
        }
    }
    out
}

fn twice(ours: &[Ours<'_>]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = ours.iter().filter(|one| !seen.insert((&one.parts.unit, one.parts.ordinal)));
    again.map(|one| format!("unit {}, chunk {}: point {} too", one.parts.unit, one.parts.ordinal, one.id)).collect()
}
