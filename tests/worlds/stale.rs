//! Whether a saved plan is stale: what it stands on is another thing now.

use std::collections::BTreeMap;

use super::oracle::{Plan, Resource, judge};
use super::world::{Declared, Doc, Live, Mode, Project, Row, State, Table, World};

/// What an apply of a saved plan should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// What moved, for people.
    Stale(&'static str),
    Fresh,
    /// What moved is shown to the reader of a plan, and nothing follows from it: both are right.
    Either,
}

/// What is expected of a plan that was made then and is applied now.
pub fn staleness(project: Project, then: &World, now: &World) -> Expected {
    let files = then.files(project);
    let judged = |world: &World| judge(files, world.recorded(project), &world.live).plan;
    match (judged(then), judged(now)) {
        (Plan::Changes(then), Plan::Changes(now)) => {
            let of = then.keys().chain(now.keys()).find(|resource| then.get(resource) != now.get(resource));
            if let Some(resource) = of {
                return Expected::Stale(match resource {
                    Resource::Row(..) => "a row",
                    Resource::Set(_) => "a unit or a point",
                    Resource::Promotion(_) | Resource::Move(_) => "a promoted unit",
                    Resource::Protection => "what is protected",
                });
            }
        }
        (Plan::Refused(_), _) | (_, Plan::Refused(_)) => return Expected::Stale("a promoted unit"),
    }
    if stands_on(project, then, &then.live) != stands_on(project, then, &now.live) {
        return Expected::Stale("a row");
    }
    let same = then.live == now.live && then.recorded(project) == now.recorded(project);
    let unseen = || shown(project, then, &then.live) == shown(project, then, &now.live);
    if same || (then.recorded(project) == now.recorded(project) && unseen()) {
        Expected::Fresh
    } else {
        Expected::Either
    }
}

/// A value, and a note where that is declared.
type Values = (u8, Option<Option<u8>>);

/// Values that a plan shows and changes, or finds right: of declared columns alone.
fn stands_on(project: Project, world: &World, live: &Live) -> BTreeMap<(Table, u8), Option<Values>> {
    let mut out = BTreeMap::new();
    for (table, rows) in &world.files(project).tables {
        for (key, declared) in &rows.rows {
            let row = live.tables.get(&(*table, *key));
            let shown = row.map(|row| match (declared, rows.mode) {
                (Declared::Present { note, .. }, Mode::Upsert | Mode::Sync) => (row.value, note.map(|_| row.note)),
                (Declared::Present { .. }, Mode::Insert) => (0, None),
                (Declared::Absent, _) => (row.value, Some(row.note)),
            });
            out.insert((*table, *key), shown);
        }
        let undeclared = live.tables.iter().filter(|((of, key), _)| of == table && !rows.rows.contains_key(key));
        if rows.mode == Mode::Sync {
            out.extend(undeclared.map(|(at, row)| (*at, Some((row.value, Some(row.note))))));
        }
    }
    out
}

/// Everything that a plan shows, or may have to be careful about.
type Shown<'a> = (BTreeMap<(Table, u8), &'a Row>, BTreeMap<u8, &'a Doc>, Vec<String>, Option<&'a BTreeMap<u8, u8>>);

fn shown<'a>(project: Project, world: &World, live: &'a Live) -> Shown<'a> {
    let (files, recorded) = (world.files(project), world.recorded(project));
    let declared = |table: &Table, key: &u8| {
        let of_files =
            files.tables.get(table).is_some_and(|rows| rows.mode == Mode::Sync || rows.rows.contains_key(key));
        of_files || recorded.rows.contains_key(&(*table, *key))
    };
    let rows =
        live.tables.iter().filter(|((table, key), _)| declared(table, key)).map(|(at, row)| (*at, row)).collect();
    let relevant = |(id, doc): &(&u8, &Doc)| {
        let half = doc.slug.is_multiple_of(2);
        let chosen = files.sets.values().any(|set| set.selection.chooses(doc));
        let recorded_in = recorded.sets.values().any(|set| set.units.contains_key(id));
        let promoted = files.promotions.values().any(|promotion| promotion.even == half);
        chosen || recorded_in || promoted || recorded.promotions.values().any(|record| record.units.contains_key(id))
    };
    let docs = live.docs.iter().filter(relevant).map(|(id, doc)| (*id, doc)).collect();
    let sets = live.sets.iter().filter(|(name, _)| files.sets.contains_key(name) || recorded.sets.contains_key(name));
    let points = sets.map(|(name, set)| {
        let states: Vec<&State> = set.points.values().map(|(_, state)| state).collect();
        format!("{name:?} {} {} {states:?} {:?}", set.there, set.index, set.foreign)
    });
    (rows, docs, points.collect(), (files.protect || recorded.protect.is_some()).then_some(&live.frozen))
}
