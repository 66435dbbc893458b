//! Where Enact is known to say something else than the oracle. A world ends there.
//!
//! Each is a bug, and has a world that meets it ([`reproduction`]): whoever mends one sees that test fail, and takes it out of here.

use std::collections::BTreeMap;

use super::acts::{Act, Kind};
use super::oracle::Resource;
use super::world::{
    Declared, Doc, Files, LiveSet, Mode, Project, Recipe, Recorded, Rollout, Rows, Selection, Set, SetName, Status,
    Table, World,
};

/// A known deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Another mode that changes no row is not written down.
    ModeIsNotWrittenDown,
    /// A row that lives as it is declared, and of which that is not written down yet, is not taken over.
    SameRowIsNotTakenOver,
}

/// A world as one project sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub files: &'a Files,
    pub recorded: &'a Recorded,
}

/// The deviation that a problem is, where it is known.
pub fn known(kind: &str, of: Option<&Resource>, seen: &Seen<'_>) -> Option<Known> {
    match (kind, of) {
        ("verify of row: differs", None) => {
            let left = |table: &Table| !seen.files.tables.contains_key(table);
            Table::ALL.iter().any(left).then_some(Known::ModeIsNotWrittenDown)
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
    pub const ALL: [Known; 2] = [Known::ModeIsNotWrittenDown, Known::SameRowIsNotTakenOver];

    /// What meets it, in the world of [`reproduction`].
    fn acts(self) -> Vec<Act> {
        let act = |kind, a, b, c| Act { kind, a, b, c };
        match self {
            Known::ModeIsNotWrittenDown => {
                vec![act(Kind::SetMode, 1, 2, 0), act(Kind::WriteRow, 1, 3, 0), act(Kind::Apply, 0, 0, 0)]
            }
            Known::SameRowIsNotTakenOver => vec![act(Kind::WriteRow, 0, 1, 1), act(Kind::Declare, 0, 1, 1)],
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
