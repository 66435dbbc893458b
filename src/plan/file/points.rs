//! Vector sets that change, a line for each of their units.
//!
//! ```text
//! [12, [["~text","~sha256",93]]]                                       a unit that moves: its number, its chunks
//! ["@id","address","title", [["~text","~sha256",93,"@point"]], [0,"~input"]]   any other
//! ```
//!
//! A chunk is the digest of its text as embedded, the SHA-256 of its own text (`0` where that is the unit's content hash), where
//! its vectors come from (a number of tokens to embed, null for a point that is kept, `["copy", id]`, `["image", run]`), and
//! its point and the digest in it where these do not follow from the unit. A list at the end of the line is the place of the
//! unit's reason among those of the head, the digest of its input (null where it leaves, `0` where it follows), and the points
//! that go.

use super::derived::{Made, Making};
use super::head::{LedgerRule, PointsHead};
use super::slot::{NotThat, Slot};
use crate::diff::{Change, ChangeDetail, ChunkPlan, ChunkSource, LedgerWrite, Reason, UnitPoints, VectorChange};
use crate::model::{Digest, PointId, UnitFacts};

/// A unit that the plan moves, by its number in the order of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved<'a> {
    pub number: u32,
    pub unit: &'a UnitFacts,
    pub to: &'a str,
}

/// The head of a set's change; `None` for one that lines cannot say.
pub(super) fn head<'m>(
    at: u32,
    change: &Change,
    making: &Making<'_>,
    moved: &dyn Fn(&str) -> Option<Moved<'m>>,
) -> Option<PointsHead> {
    let ChangeDetail::VectorSet(set) = &change.detail else { return None };
    let whole = |unit: &UnitPoints| (0u32..).zip(&unit.chunks).all(|(place, chunk)| place == chunk.ordinal);
    if !set.units.iter().all(whole) {
        return None;
    }
    let mut reasons: Vec<Reason> = Vec::new();
    for unit in &set.units {
        if !reasons.contains(&unit.reason) {
            reasons.push(unit.reason.clone());
        }
    }
    let ledger = if ledger(set, making, moved).as_ref() == Some(&set.ledger) {
        LedgerRule::Chunks
    } else {
        LedgerRule::These(set.ledger.clone())
    };
    Some(PointsHead {
        at,
        change: without_units(change, set),
        count: u32::try_from(set.units.len()).unwrap_or(u32::MAX),
        reasons,
        ledger,
    })
}

fn without_units(change: &Change, set: &VectorChange) -> Change {
    let VectorChange { set, recipe, collection, units: _, kept, foreign, tokens, ledger: _, skipped_empty, back } = set;
    let set = VectorChange {
        set: set.clone(),
        recipe: *recipe,
        collection: collection.clone(),
        units: Vec::new(),
        kept: *kept,
        foreign: *foreign,
        tokens: *tokens,
        ledger: Vec::new(),
        skipped_empty: skipped_empty.clone(),
        back: back.clone(),
    };
    Change {
        address: change.address.clone(),
        declared_at: change.declared_at.clone(),
        reasons: change.reasons.clone(),
        detail: ChangeDetail::VectorSet(Box::new(set)),
    }
}

/// What a ledger holds when it holds every chunk of the units, nothing without a ledger; `None` where a key cannot be made.
fn ledger<'m>(
    set: &VectorChange,
    making: &Making<'_>,
    moved: &dyn Fn(&str) -> Option<Moved<'m>>,
) -> Option<Vec<LedgerWrite>> {
    let mut out = Vec::new();
    if !making.binding.ledger.as_ref().is_some_and(|ledger| ledger.sets.contains(&set.set)) {
        return Some(out);
    }
    for unit in &set.units {
        let count = u32::try_from(unit.chunks.len()).unwrap_or(u32::MAX);
        let plain = UnitFacts { id: unit.unit.clone(), address: unit.address.clone(), ..UnitFacts::default() };
        let made = match moved(&unit.unit) {
            Some(found) => making.of(found.unit, found.to),
            None => making.of(&plain, ""),
        };
        for chunk in &unit.chunks {
            out.push(LedgerWrite {
                unit: unit.unit.clone(),
                key: made.key(chunk.ordinal)?,
                id: chunk.id,
                ordinal: chunk.ordinal,
                count,
                sha256: chunk.sha256.clone(),
                exists: true,
            });
        }
    }
    Some(out)
}

/// Writes the line of one unit.
pub(super) fn line(
    head: &PointsHead,
    unit: &UnitPoints,
    making: &Making<'_>,
    moved: Option<Moved<'_>>,
    write: &mut dyn FnMut(&[Slot<'_>]),
) {
    let UnitPoints { unit: id, address, title, input, reason, chunks, delete } = unit;
    let moved = moved.filter(|found| (&found.unit.address, &found.unit.title) == (address, title));
    let made = moved.map(|found| making.of(found.unit, found.to));
    let mut slots = match moved {
        Some(found) => vec![Slot::Number(u64::from(found.number))],
        None => vec![Slot::text(id), Slot::text(address), Slot::text(title)],
    };
    let hash = moved.map(|found| found.unit.content_hash.as_str());
    let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    slots.push(Slot::List(chunks.iter().map(|chunk| chunk_slot(chunk, count, hash, made.as_ref())).collect()));
    let reason = head.reasons.iter().position(|known| known == reason).unwrap_or(0) as u64;
    let follows = made.as_ref().is_some_and(|made| input.as_ref() == Some(&made.input()));
    if reason > 0 || !follows || !delete.is_empty() {
        let input = match input {
            Some(_) if follows => Slot::Number(0),
            Some(digest) => Slot::digest(digest),
            None => Slot::Null,
        };
        let mut more = vec![Slot::Number(reason), input];
        more.extend(delete.iter().map(Slot::id));
        slots.push(Slot::List(more));
    }
    write(&slots);
}

fn chunk_slot<'c>(chunk: &'c ChunkPlan, count: u32, hash: Option<&str>, made: Option<&Made<'_>>) -> Slot<'c> {
    let ChunkPlan { ordinal, id, text, sha256, digest, source } = chunk;
    let own = if hash == Some(sha256) { Slot::Number(0) } else { Slot::text(sha256) };
    let source = match source {
        ChunkSource::Kept => Slot::Null,
        ChunkSource::Embed { tokens } => Slot::Number(*tokens),
        ChunkSource::Copy { from } => Slot::List(vec![Slot::text("copy"), Slot::id(from)]),
        ChunkSource::Image { run } => Slot::List(vec![Slot::text("image"), Slot::text(run)]),
    };
    let mut slots = vec![Slot::digest(text), own, source];
    let point = made.and_then(|made| made.point(*ordinal, count, text, sha256));
    if point.is_none_or(|(found, stands)| (&found, &stands) != (id, digest)) {
        slots.push(Slot::id(id));
        slots.extend(digest.iter().map(Slot::digest));
    }
    Slot::List(slots)
}

/// Reads the line of one unit.
pub(super) fn read<'m>(
    head: &PointsHead,
    slots: Vec<Slot<'_>>,
    making: &Making<'_>,
    moved: &dyn Fn(u64) -> Option<Moved<'m>>,
) -> Result<UnitPoints, NotThat> {
    let mut slots = slots.into_iter();
    let mut next = || slots.next().ok_or(NotThat("another value"));
    let first = next()?;
    let (found, id, address, title) = match first {
        Slot::Number(number) => {
            let found = moved(number).ok_or(NotThat("the number of a unit that moves"))?;
            (Some(found), found.unit.id.clone(), found.unit.address.clone(), found.unit.title.clone())
        }
        other => (None, other.into_text()?, next()?.into_text()?, next()?.into_text()?),
    };
    let made = found.map(|found| making.of(found.unit, found.to));
    let hash = found.map(|found| found.unit.content_hash.as_str());
    let listed = next()?.into_list()?;
    let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
    let chunks = (0u32..).zip(listed).map(|(ordinal, slot)| chunk(ordinal, count, slot, hash, made.as_ref()));
    let chunks = chunks.collect::<Result<Vec<_>, _>>()?;
    let mut reason = 0;
    let mut delete: Vec<PointId> = Vec::new();
    let follows = |made: Option<&Made<'_>>| made.map(Made::input).ok_or(NotThat("the digest of a unit's input"));
    let input = match slots.next() {
        None => Some(follows(made.as_ref())?),
        Some(more) => {
            let mut more = more.into_list()?.into_iter();
            let mut next = || more.next().ok_or(NotThat("a reason and an input"));
            reason = next()?.number()?;
            let input = match next()? {
                Slot::Null => None,
                Slot::Number(0) => Some(follows(made.as_ref())?),
                digest => Some(digest.into_digest()?),
            };
            delete = more.map(Slot::into_id).collect::<Result<_, _>>()?;
            input
        }
    };
    if slots.next().is_some() {
        return Err(NotThat("the end of the line"));
    }
    let reason = usize::try_from(reason).ok().and_then(|at| head.reasons.get(at));
    let reason = reason.cloned().ok_or(NotThat("the place of a reason in the head"))?;
    Ok(UnitPoints { unit: id, address, title, input, reason, chunks, delete })
}

fn chunk(
    ordinal: u32,
    count: u32,
    slot: Slot<'_>,
    hash: Option<&str>,
    made: Option<&Made<'_>>,
) -> Result<ChunkPlan, NotThat> {
    let mut slots = slot.into_list()?.into_iter();
    let mut next = || slots.next().ok_or(NotThat("a text, a hash and a source"));
    let text: Digest = next()?.into_digest()?;
    let sha256 = match next()? {
        Slot::Number(0) => hash.ok_or(NotThat("a hash"))?.to_owned(),
        own => own.into_text()?,
    };
    let source = match next()? {
        Slot::Null => ChunkSource::Kept,
        Slot::Number(tokens) => ChunkSource::Embed { tokens },
        Slot::List(pair) => {
            let [kind, from]: [Slot<'_>; 2] = pair.try_into().map_err(|_| NotThat("a kind of source and its name"))?;
            match kind.into_text()?.as_str() {
                "copy" => ChunkSource::Copy { from: from.into_id()? },
                "image" => ChunkSource::Image { run: from.into_text()? },
                _ => return Err(NotThat("copy or image")),
            }
        }
        Slot::Text(_) | Slot::Json(_) => return Err(NotThat("where vectors come from")),
    };
    let (id, digest) = match slots.next() {
        Some(id) => (id.into_id()?, slots.next().map(Slot::into_digest).transpose()?),
        None => {
            let point = made.and_then(|made| made.point(ordinal, count, &text, &sha256));
            point.ok_or(NotThat("the id of a point"))?
        }
    };
    if slots.next().is_some() {
        return Err(NotThat("the end of the chunk"));
    }
    Ok(ChunkPlan { ordinal, id, text, sha256, digest, source })
}

/// Puts a set's change together again.
pub(super) fn change<'m>(
    head: PointsHead,
    units: Vec<UnitPoints>,
    making: &Making<'_>,
    moved: &dyn Fn(&str) -> Option<Moved<'m>>,
) -> Result<Change, NotThat> {
    let PointsHead { at: _, mut change, count: _, reasons: _, ledger: rule } = head;
    let ChangeDetail::VectorSet(set) = &mut change.detail else { return Err(NotThat("a vector set")) };
    set.units = units;
    let writes = match rule {
        LedgerRule::These(writes) => writes,
        LedgerRule::Chunks => {
            ledger(set, making, moved).ok_or(NotThat("a unit with the facts that the ledger's key names"))?
        }
    };
    set.ledger = writes;
    Ok(change)
}
