//! The table of what is wanted, what is written down and what lives, as a pure function: what `plan` says of each resource, what
//! `verify` and `drift` say, and what an apply leaves.
//!
//! | wanted | written down | live | plan | verify, drift |
//! | --- | --- | --- | --- | --- |
//! | yes | no | no / same / other | create / taken over / update | holds |
//! | yes | as wanted | as written down | nothing | holds |
//! | yes | as wanted | other or gone | update or create | difference |
//! | yes | other | as written down | update | holds |
//! | yes | other | other than both | update, a conflict | difference |
//! | yes | other | as wanted | taken over | difference |
//! | no | yes | there | forget | holds |
//! | no | yes | gone | forget | difference |
//!
//! What the kinds add to it:
//!
//! - Rows: in the mode `insert` a row that is there is right; in the mode `sync` what is not declared is deleted, and is a difference.
//!   An absent row is not written down.
//! - Points: a plan counts fingerprints. A payload that somebody wrote over without moving its point to another bucket is found by
//!   `verify` alone, unless the plan has found points missing or in other buckets: then it reads them all.
//! - Points of others are left alone. One that says that it is of the set is a difference for `verify`.
//! - Promotions move what they once chose as often as it is moved back. A unit that is gone is a difference that no plan mends.
//!
//! *Not here:* anything of Enact's own code.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{
    Declared, Doc, Files, Foreign, Live, LiveSet, Mode, Place, Point, Recipe, Recorded, RecordedPromotion, RecordedSet,
    Rollout, Row, Selection, Set, SetName, State, Status, Table,
};

/// What has an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Row(Table, u8),
    Set(SetName),
    Promotion(u8),
    /// A document that moves.
    Move(u8),
    Protection,
}

/// What a plan does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    Update(Why),
    Delete,
    TakeOver,
    Forget,
    /// Points that are written, and those that go.
    Points {
        written: usize,
        deleted: usize,
    },
    Move,
    /// It is written down.
    Guard,
}

/// Who moved, what tells most last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing is written down of it.
    ValuesDiffer,
    FileChanged,
    ChangedOutside,
    Conflict,
}

/// What a plan says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The input is refused, with one of these codes.
    Refused(BTreeSet<&'static str>),
    Changes(BTreeMap<Resource, Action>),
}

/// What the commands say of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub plan: Plan,
    /// What `verify` names.
    pub differs: BTreeSet<Resource>,
}

/// Judges.
pub fn judge(files: &Files, recorded: &Recorded, live: &Live) -> Verdict {
    let (moves, refused) = moves(files, recorded, live);
    let mut changes = BTreeMap::new();
    rows(files, recorded, live, &mut changes);
    promotions(files, recorded, &moves, &mut changes);
    let after = after(live, &moves);
    for (name, set) in &files.sets {
        let seen = seen(set, recorded.sets.get(name), &live.sets[name]);
        changes.extend(points(set, &seen, &after).map(|action| (Resource::Set(*name), action)));
    }
    let left = recorded.sets.iter().filter(|(name, set)| !files.sets.contains_key(name) && !set.forgotten);
    changes.extend(left.map(|(name, _)| (Resource::Set(*name), Action::Forget)));
    match (files.protect, &recorded.protect) {
        (true, sealed) if sealed.as_ref() != Some(&live.frozen) => {
            changes.insert(Resource::Protection, Action::Guard);
        }
        (false, Some(_)) => {
            changes.insert(Resource::Protection, Action::Forget);
        }
        (true | false, _) => {}
    }
    let plan = if refused.is_empty() { Plan::Changes(changes) } else { Plan::Refused(refused) };
    Verdict { plan, differs: differs(recorded, live) }
}

fn rows(files: &Files, recorded: &Recorded, live: &Live, changes: &mut BTreeMap<Resource, Action>) {
    let mut of = |table, key, action| changes.insert(Resource::Row(table, key), action);
    for (table, declared) in &files.tables {
        for (key, wanted) in &declared.rows {
            let (is, was) = (live.tables.get(&(*table, *key)), recorded.rows.get(&(*table, *key)));
            let action = match (wanted, is) {
                (Declared::Absent, Some(_)) => Some(Action::Delete),
                (Declared::Absent, None) => was.map(|_| Action::Forget),
                (Declared::Present { .. }, None) => Some(Action::Create),
                (Declared::Present { .. }, Some(_)) if declared.mode == Mode::Insert => None,
                (Declared::Present { .. }, Some(row)) if wanted.is(row) => {
                    (was != Some(wanted)).then_some(Action::TakeOver)
                }
                (Declared::Present { .. }, Some(row)) => Some(Action::Update(why(wanted, was, row))),
            };
            action.map(|action| of(*table, *key, action));
        }
        for (of_table, key) in live.tables.keys() {
            if of_table == table && declared.mode == Mode::Sync && !declared.rows.contains_key(key) {
                of(*table, *key, Action::Delete);
            }
        }
    }
    for (table, key) in recorded.rows.keys() {
        let declared = files.tables.get(table);
        let goes = declared.is_some_and(|rows| rows.mode == Mode::Sync) && live.tables.contains_key(&(*table, *key));
        if !goes && declared.is_none_or(|rows| !rows.rows.contains_key(key)) {
            of(*table, *key, Action::Forget);
        }
    }
}

/// Who moved, of the column that tells most.
fn why(wanted: &Declared, was: Option<&Declared>, row: &Row) -> Why {
    let Declared::Present { value, note } = wanted else { return Why::ValuesDiffer };
    let (old_value, old_note) = match was {
        Some(Declared::Present { value, note }) => (Some(*value), *note),
        Some(Declared::Absent) | None => (None, None),
    };
    let of_note = note.filter(|note| *note != row.note).map(|note| who(note, old_note, row.note));
    let of_value = (*value != row.value).then(|| who(*value, old_value, row.value));
    of_value.into_iter().chain(of_note).max().unwrap_or(Why::ValuesDiffer)
}

/// Who moved a column that is not as wanted.
fn who<T: PartialEq>(wanted: T, was: Option<T>, is: T) -> Why {
    match was {
        None => Why::ValuesDiffer,
        Some(was) if was == wanted => Why::ChangedOutside,
        Some(was) if was == is => Why::FileChanged,
        Some(_) => Why::Conflict,
    }
}

/// Documents that move, by the promotion that moves them; and why the plan is refused.
fn moves(files: &Files, recorded: &Recorded, live: &Live) -> (BTreeMap<u8, u8>, BTreeSet<&'static str>) {
    let (mut moves, mut refused) = (BTreeMap::new(), BTreeSet::new());
    for (name, promotion) in &files.promotions {
        let drafts = live.docs.iter().filter(|(_, doc)| doc.status == Status::Draft);
        for (id, doc) in drafts {
            let moved = match recorded.promotions.get(name) {
                Some(record) => record.units.get(id).map(|body| *body == doc.body),
                None => (promotion.even == doc.slug.is_multiple_of(2)).then_some(true),
            };
            let Some(as_reviewed) = moved else { continue };
            if !as_reviewed {
                refused.insert("E060");
            }
            if moves.insert(*id, *name).is_some() {
                refused.insert("E042");
            }
        }
    }
    (moves, refused)
}

fn promotions(files: &Files, recorded: &Recorded, moves: &BTreeMap<u8, u8>, changes: &mut BTreeMap<Resource, Action>) {
    let made: BTreeSet<u8> = moves.values().copied().filter(|name| !recorded.promotions.contains_key(name)).collect();
    changes.extend(made.into_iter().map(|name| (Resource::Promotion(name), Action::Create)));
    changes.extend(moves.keys().map(|id| (Resource::Move(*id), Action::Move)));
    let left = recorded.promotions.keys().filter(|name| !files.promotions.contains_key(name));
    changes.extend(left.map(|name| (Resource::Promotion(*name), Action::Forget)));
}

/// The documents as a plan leaves them.
fn after(live: &Live, moves: &BTreeMap<u8, u8>) -> BTreeMap<u8, Doc> {
    let mut docs = live.docs.clone();
    docs.iter_mut().filter(|(id, _)| moves.contains_key(id)).for_each(|(_, doc)| doc.status = Status::Published);
    docs
}

/// What tells points apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    /// What it is made of.
    Made(Place, Point),
    /// The slug of its document, and its place there.
    Key(u8, u32),
}

/// What a plan finds of a set.
struct Seen<'a> {
    record: Option<&'a RecordedSet>,
    live: &'a LiveSet,
    /// Points that it finds right.
    right: BTreeMap<Place, &'a Point>,
    /// Points that are written down and there, right or not.
    there: BTreeMap<Place, &'a Point>,
}

fn seen<'a>(set: &Set, record: Option<&'a RecordedSet>, live: &'a LiveSet) -> Seen<'a> {
    let was = record.map(|record| written(record, set.keyed)).unwrap_or_default();
    let missing = was.keys().any(|place| !live.points.contains_key(place));
    let touched =
        missing || live.points.values().any(|(_, state)| matches!(state, State::Overwritten | State::Stripped));
    let right = |state: &State| match state {
        State::AsWritten => true,
        State::Overwritten | State::Stripped => false,
        State::Forged | State::Exchanged(_) => !touched,
    };
    let there: BTreeMap<Place, &Point> = live.points.iter().map(|(place, (point, _))| (*place, point)).collect();
    let right = live.points.iter().filter(|(_, (_, state))| right(state)).map(|(place, (point, _))| (*place, point));
    Seen { record, live, right: right.collect(), there }
}

/// The points of the units that are written down.
pub fn written(record: &RecordedSet, keyed: bool) -> BTreeMap<Place, Point> {
    let RecordedSet { selection, recipe, index, keyed: _, units, forgotten: _ } = record;
    let selection = selection.unwrap_or(Selection { even: None, status: None });
    let rollout = Rollout::Auto;
    let set = Set { selection, recipe: *recipe, rollout, keyed, index: *index };
    places(&set, units.iter().map(|(id, doc)| (*id, doc)))
}

/// The points that a set should have.
pub fn places<'a>(set: &Set, docs: impl Iterator<Item = (u8, &'a Doc)>) -> BTreeMap<Place, Point> {
    let of_doc = |(id, doc): (u8, &'a Doc)| {
        set.points(doc).into_iter().zip(0u32..).map(move |(point, ordinal)| ((id, ordinal), point))
    };
    docs.flat_map(of_doc).collect()
}

fn points(set: &Set, seen: &Seen<'_>, docs: &BTreeMap<u8, Doc>) -> Option<Action> {
    let chosen = docs.iter().filter(|(_, doc)| set.selection.chooses(doc)).map(|(id, doc)| (*id, doc));
    let chosen: BTreeMap<u8, &Doc> = chosen.collect();
    let wanted = places(set, chosen.iter().map(|(id, doc)| (*id, *doc)));
    let (Some(record), true) = (seen.record, seen.live.there) else {
        return Some(Action::Points { written: wanted.len(), deleted: 0 });
    };
    let id = |place: &Place, point: &Point| match set.keyed {
        true => Id::Key(point.slug, place.1),
        false => Id::Made(*place, point.clone()),
    };
    let right: BTreeMap<_, &Point> = seen.right.iter().map(|(place, point)| (id(place, point), *point)).collect();
    let made = wanted.iter().filter(|(place, point)| right.get(&id(place, point)) != Some(point)).count();
    let ids: BTreeSet<_> = wanted.iter().map(|(place, point)| id(place, point)).collect();
    let deleted = seen.there.iter().filter(|(place, point)| !ids.contains(&id(place, point))).count();
    let same_units = record.units.len() == chosen.len()
        && record.units.iter().all(|(id, was)| chosen.get(id).is_some_and(|doc| input(set, doc) == input(set, was)));
    let recipe = Recipe { empty_title: set.recipe.empty_title, ..record.recipe };
    let same_set = recipe == set.recipe && record.selection == Some(set.selection) && !record.forgotten;
    let settled = same_units && same_set && made == 0 && deleted == 0 && seen.live.index == set.index;
    (!settled).then_some(Action::Points { written: made, deleted })
}

/// What a unit's points are made from, beside the recipe.
fn input(set: &Set, doc: &Doc) -> (u8, Vec<u8>, Option<u8>, Option<Status>) {
    let titled = set.recipe.titled || set.recipe.payload_title || (doc.body.is_empty() && set.recipe.empty_title);
    (doc.slug, doc.body.clone(), titled.then_some(doc.title), set.recipe.payload_status.then_some(doc.status))
}

fn differs(recorded: &Recorded, live: &Live) -> BTreeSet<Resource> {
    let mut out = BTreeSet::new();
    for ((table, key), was) in &recorded.rows {
        if !live.tables.get(&(*table, *key)).is_some_and(|row| was.is(row)) {
            out.insert(Resource::Row(*table, *key));
        }
    }
    for (table, key) in live.tables.keys() {
        if recorded.synced.contains(table) && !recorded.rows.contains_key(&(*table, *key)) {
            out.insert(Resource::Row(*table, *key));
        }
    }
    for (name, record) in recorded.sets.iter().filter(|(_, record)| !record.forgotten) {
        if set_differs(record, &live.sets[name], &live.docs) {
            out.insert(Resource::Set(*name));
        }
    }
    for (name, record) in &recorded.promotions {
        let stays = |id: &u8| live.docs.get(id).is_some_and(|doc| doc.status != Status::Draft);
        if !record.units.keys().all(stays) {
            out.insert(Resource::Promotion(*name));
        }
    }
    if recorded.protect.as_ref().is_some_and(|sealed| *sealed != live.frozen) {
        out.insert(Resource::Protection);
    }
    out
}

fn set_differs(record: &RecordedSet, live: &LiveSet, docs: &BTreeMap<u8, Doc>) -> bool {
    let was = written(record, record.keyed);
    let rollout = Rollout::Auto;
    let selection = record.selection.unwrap_or(Selection { even: None, status: None });
    let set = Set { selection, recipe: record.recipe, rollout, keyed: record.keyed, index: record.index };
    let unit_differs = record.units.iter().any(|(id, was)| {
        docs.get(id).is_none_or(|doc| !selection.chooses(doc) || input(&set, doc) != input(&set, was))
    });
    let joins = |(id, doc): (&u8, &Doc)| {
        record.selection.is_some_and(|selection| selection.chooses(doc)) && !record.units.contains_key(id)
    };
    !live.there
        || live.index != record.index
        || live.points.len() != was.len()
        || was.keys().any(|place| !live.points.get(place).is_some_and(|(_, state)| *state == State::AsWritten))
        || live.foreign.values().any(|foreign| *foreign == Foreign::Copy)
        || unit_differs
        || docs.iter().any(joins)
}

/// What an apply leaves; nothing where the plan is refused.
pub fn applied(files: &Files, recorded: &Recorded, live: &Live) -> Option<(Recorded, Live)> {
    let Plan::Changes(changes) = judge(files, recorded, live).plan else { return None };
    let (mut recorded_after, mut after_apply) = (recorded.clone(), live.clone());
    let (moves, _) = moves(files, recorded, live);
    after_apply.docs = after(live, &moves);
    for (resource, action) in &changes {
        if let Resource::Row(table, key) = resource {
            row_applied(files, (*table, *key), *action, &mut recorded_after, &mut after_apply);
        }
    }
    for name in
        changes.keys().filter_map(|resource| if let Resource::Promotion(name) = resource { Some(name) } else { None })
    {
        let units = moves.iter().filter(|(_, by)| *by == name).map(|(id, _)| (*id, live.docs[id].body.clone()));
        match files.promotions.contains_key(name) {
            true => recorded_after.promotions.insert(*name, RecordedPromotion { units: units.collect() }),
            false => recorded_after.promotions.remove(name),
        };
    }
    for (name, set) in files.sets.iter().filter(|(name, _)| changes.contains_key(&Resource::Set(**name))) {
        set_applied(*name, set, recorded.sets.get(name), &mut recorded_after, &mut after_apply);
    }
    let left = recorded_after.sets.iter_mut().filter(|(name, _)| !files.sets.contains_key(name));
    left.for_each(|(_, record)| record.forgotten = true);
    recorded_after.protect = files.protect.then(|| live.frozen.clone());
    recorded_after.synced =
        files.tables.iter().filter(|(_, rows)| rows.mode == Mode::Sync).map(|(table, _)| *table).collect();
    Some((recorded_after, after_apply))
}

fn row_applied(files: &Files, at: (Table, u8), action: Action, recorded: &mut Recorded, live: &mut Live) {
    let declared = files.tables.get(&at.0).and_then(|rows| rows.rows.get(&at.1));
    match (action, declared) {
        (Action::Create | Action::Update(_) | Action::TakeOver, Some(wanted @ Declared::Present { value, note })) => {
            let row = live.tables.entry(at).or_insert(Row { value: *value, note: None });
            row.value = *value;
            row.note = note.unwrap_or(row.note);
            recorded.rows.insert(at, wanted.clone());
        }
        (Action::Delete, _) => {
            live.tables.remove(&at);
            recorded.rows.remove(&at);
        }
        (_, _) => {
            recorded.rows.remove(&at);
        }
    }
}

fn set_applied(name: SetName, set: &Set, record: Option<&RecordedSet>, recorded: &mut Recorded, live: &mut Live) {
    let units = live.docs.iter().filter(|(_, doc)| set.selection.chooses(doc));
    let units: BTreeMap<u8, Doc> = units.map(|(id, doc)| (*id, doc.clone())).collect();
    let wanted = places(set, units.iter().map(|(id, doc)| (*id, doc)));
    let before = live.sets[&name].clone();
    let seen = seen(set, record, &before);
    let kept = |place: &Place, point: &Point| {
        let state = before
            .points
            .get(place)
            .filter(|_| record.is_some() && before.there && seen.right.get(place) == Some(&point));
        state.map_or(State::AsWritten, |(_, state)| *state)
    };
    let mut points: BTreeMap<Place, (Point, State)> =
        wanted.iter().map(|(place, point)| (*place, (point.clone(), kept(place, point)))).collect();
    // Where one of two exchanged points goes, the other one is in a bucket that is not its own.
    let whole: BTreeSet<Place> =
        points.iter().filter(|(_, (_, state))| matches!(state, State::Exchanged(_))).map(|(place, _)| *place).collect();
    for (_, state) in points.values_mut() {
        if matches!(state, State::Exchanged(other) if !whole.contains(other)) {
            *state = State::Overwritten;
        }
    }
    let now = live.sets.entry(name).or_default();
    *now = LiveSet { there: true, points, foreign: before.foreign.clone(), index: set.index };
    let Set { selection, recipe, rollout: _, keyed, index } = set.clone();
    let record = RecordedSet { selection: Some(selection), recipe, index, keyed, units, forgotten: false };
    recorded.sets.insert(name, record);
}
