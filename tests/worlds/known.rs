//! Where Enact is known to say something else than the oracle. A world ends there.
//!
//! Each is a bug, and has a world that meets it ([`reproduction`]): whoever mends one sees that test fail, and takes it out of here.

use std::collections::BTreeMap;

use super::acts::{Act, Kind};
use super::oracle::Resource;
use super::world::{
    Declared, Doc, Files, Live, LiveSet, Mode, Project, Recipe, Recorded, Rollout, Rows, Selection, Set, SetName,
    Status, Table, World,
};

/// A known deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// A saved plan that changes nothing says "No changes" without a look.
    EmptyPlanIsNotCompared,
    /// Rows that a saved plan finds right are not compared again when it is applied.
    UnchangedRowsAreNotCompared,
    /// Where a text has no body, neither another choice for it nor another title that stands for it is seen.
    EmptyBodies,
    /// Another selection that chooses the same units is not written down, nor another recipe where there is no unit.
    SetIsNotWrittenDown,
    /// Another mode that changes no row is not written down, nor that a synced table left the files.
    ModeIsNotWrittenDown,
    /// Where the columns of a primary key do not stand as JSON sorts them, what somebody changed is told as a change of the file.
    KeyOfColumnsOutOfOrder,
    /// A row that lives as it is declared, and of which that is not written down yet, is not taken over.
    SameRowIsNotTakenOver,
    /// A promoted unit that was moved back is moved again by the plan, and is no difference for `verify`.
    MovedBackIsLegal,
}

/// A world as one project sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub files: &'a Files,
    pub recorded: &'a Recorded,
    pub live: &'a Live,
}

/// The deviation that a problem is, where it is known.
pub fn known(kind: &str, of: Option<&Resource>, seen: &Seen<'_>) -> Option<Known> {
    match (kind, of) {
        (kind, None) if kind.starts_with("an empty saved plan is applied") => Some(Known::EmptyPlanIsNotCompared),
        ("a saved plan is applied though a row moved", None) => Some(Known::UnchangedRowsAreNotCompared),
        ("verify of promotion: holds", Some(Resource::Promotion(_))) => Some(Known::MovedBackIsLegal),
        ("verify of row: differs", None) => {
            let left = |table: &Table| !seen.files.tables.contains_key(table);
            Table::ALL.iter().any(left).then_some(Known::ModeIsNotWrittenDown)
        }
        (_, Some(Resource::Set(name))) => {
            let (set, record) = (seen.files.sets.get(name)?, seen.recorded.sets.get(name)?);
            let (recipe, was) = (set.recipe, record.recipe);
            let empty = |id: &u8| seen.live.docs.get(id).is_some_and(|doc| doc.body.is_empty());
            let selection = record.selection.is_some_and(|selection| selection != set.selection);
            if selection || (record.units.is_empty() && recipe != was) {
                return Some(Known::SetIsNotWrittenDown);
            }
            let by_title = recipe.empty_title && !recipe.titled && !recipe.payload_title;
            let other = recipe.empty_title != was.empty_title;
            ((by_title || other) && record.units.keys().any(empty)).then_some(Known::EmptyBodies)
        }
        (kind, Some(Resource::Row(Table::Rates, _)))
            if kind.starts_with("plan of row: update, file_changed instead of") =>
        {
            Some(Known::KeyOfColumnsOutOfOrder)
        }
        ("plan of row: nothing instead of take over", Some(Resource::Row(table, key))) => {
            let was = seen.recorded.rows.get(&(*table, *key));
            let now = seen.files.tables.get(table).and_then(|rows| rows.rows.get(key));
            let noted = |row: Option<&Declared>| matches!(row, Some(Declared::Present { note: Some(_), .. }));
            (was.is_none() || noted(was) != noted(now)).then_some(Known::SameRowIsNotTakenOver)
        }
        ("an apply leaves a difference", Some(Resource::Row(table, _))) => {
            let declared = seen.files.tables.get(table).is_some_and(|rows| rows.mode == Mode::Sync);
            (declared != seen.recorded.synced.contains(table)).then_some(Known::ModeIsNotWrittenDown)
        }
        (_, _) => None,
    }
}

impl Known {
    pub const ALL: [Known; 8] = [
        Known::EmptyPlanIsNotCompared,
        Known::UnchangedRowsAreNotCompared,
        Known::EmptyBodies,
        Known::SetIsNotWrittenDown,
        Known::ModeIsNotWrittenDown,
        Known::KeyOfColumnsOutOfOrder,
        Known::SameRowIsNotTakenOver,
        Known::MovedBackIsLegal,
    ];

    /// What meets it, in the world of [`reproduction`].
    fn acts(self) -> Vec<Act> {
        let act = |kind, a, b, c| Act { kind, a, b, c };
        let other_row = act(Kind::WriteRow, 0, 0, 2);
        match self {
            Known::EmptyPlanIsNotCompared => vec![act(Kind::Late, 0, 0, 0), other_row],
            Known::UnchangedRowsAreNotCompared => {
                vec![act(Kind::Declare, 0, 1, 1), act(Kind::Late, 0, 0, 0), other_row]
            }
            Known::EmptyBodies => vec![act(Kind::WriteTitle, 0, 3, 0)],
            Known::SetIsNotWrittenDown => vec![act(Kind::Select, 0, 1, 0)],
            Known::ModeIsNotWrittenDown => {
                vec![act(Kind::SetMode, 1, 2, 0), act(Kind::WriteRow, 1, 3, 0), act(Kind::Apply, 0, 0, 0)]
            }
            Known::KeyOfColumnsOutOfOrder => vec![act(Kind::WriteRow, 1, 0, 2)],
            Known::SameRowIsNotTakenOver => vec![act(Kind::WriteRow, 0, 1, 1), act(Kind::Declare, 0, 1, 1)],
            Known::MovedBackIsLegal => {
                vec![act(Kind::Promote, 0, 1, 0), act(Kind::Apply, 0, 0, 0), act(Kind::MoveDoc, 1, 0, 0)]
            }
        }
    }
}

/// A small world, and what happens in it: one row, one row of a synced table, and a set over one document without a body beside a draft.
pub fn reproduction(known: Known) -> (World, Vec<Act>) {
    let mut world = World::default();
    let row = |note| (0, Declared::Present { value: 1, note });
    let rows = |mode, note| Rows { mode, rows: BTreeMap::from([row(note)]) };
    let selection = Selection { even: None, status: Some(Status::Published) };
    let recipe = Recipe { wide: true, titled: false, empty_title: true, payload_title: false, payload_status: false };
    let set = Set { selection, recipe, rollout: Rollout::Auto, keyed: false, index: false };
    let main = Files {
        tables: BTreeMap::from([
            (Table::Settings, rows(Mode::Upsert, Some(Some(1)))),
            (Table::Rates, rows(Mode::Sync, None)),
        ]),
        sets: BTreeMap::from([(SetName::Texts, set)]),
        ..Files::default()
    };
    let wiki = Files { tables: BTreeMap::from([(Table::Settings, wiki_rows())]), ..Files::default() };
    world.files = BTreeMap::from([(Project::Main, main), (Project::Wiki, wiki)]);
    world.recorded = Project::ALL.map(|project| (project, Recorded::default())).into();
    let doc = |slug, body, status| Doc { slug, title: 1, body, status };
    world.live.docs.insert(0, doc(0, Vec::new(), Status::Published));
    world.live.docs.insert(1, doc(1, vec![1], Status::Draft));
    world.live.sets.insert(SetName::Texts, LiveSet::default());
    (world, known.acts())
}

fn wiki_rows() -> Rows {
    Rows { mode: Mode::Upsert, rows: BTreeMap::from([(6, Declared::Present { value: 1, note: None })]) }
}
