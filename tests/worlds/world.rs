//! What a world is: what its files say, what Enact has written down, and what lives. Plain data.

use std::collections::{BTreeMap, BTreeSet};

/// Whose files they are. Both share the database and the vector server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Project {
    Main,
    Wiki,
}

impl Project {
    pub const ALL: [Project; 2] = [Project::Main, Project::Wiki];
}

/// A table whose rows are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// `settings(name, value, note)`; the wiki has rows of its own in it.
    Settings,
    /// `rates(region, code, value, note)`, where `value` is a number.
    Rates,
}

impl Table {
    pub const ALL: [Table; 2] = [Table::Settings, Table::Rates];
}

/// A row that lives; its key is a number that is spelled for the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub value: u8,
    pub note: Option<u8>,
}

/// A row that files declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    Absent,
    /// A column that is not declared is `None`.
    Present {
        value: u8,
        note: Option<Option<u8>>,
    },
}

impl Declared {
    /// Whether a live row is as declared.
    pub fn is(&self, row: &Row) -> bool {
        match self {
            Declared::Absent => false,
            Declared::Present { value, note } => *value == row.value && note.is_none_or(|note| note == row.note),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Upsert,
    Insert,
    Sync,
}

/// What files declare of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub mode: Mode,
    pub rows: BTreeMap<u8, Declared>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Draft,
    Published,
    Archived,
}

/// A row of the documents table; its id is a number that is spelled as a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doc {
    /// The slug is `a/…` where this is even, else `b/…`.
    pub slug: u8,
    pub title: u8,
    /// A number for each paragraph.
    pub body: Vec<u8>,
    pub status: Status,
}

/// Units that are chosen: by the first part of the slug, by the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// `Some(true)` is `a/`.
    pub even: Option<bool>,
    pub status: Option<Status>,
}

impl Selection {
    pub fn chooses(&self, doc: &Doc) -> bool {
        self.even.is_none_or(|even| even == doc.slug.is_multiple_of(2))
            && self.status.is_none_or(|status| status == doc.status)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetName {
    Texts,
    More,
    /// The wiki's.
    Wiki,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    Auto,
    InPlace,
    BlueGreen,
}

/// What points of a set are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipe {
    /// All paragraphs in one chunk, else one in each.
    pub wide: bool,
    /// The title stands in what is embedded.
    pub titled: bool,
    /// A text without a body is indexed by its title, else skipped.
    pub empty_title: bool,
    pub payload_title: bool,
    pub payload_status: bool,
}

/// A declared vector set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub selection: Selection,
    pub recipe: Recipe,
    pub rollout: Rollout,
    /// Ids are keys, else digests of what points are made of. It stays in a world.
    pub keyed: bool,
    /// A payload index on `slug`.
    pub index: bool,
}

/// Drafts of one half of the documents are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    pub even: bool,
}

/// The files of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub tables: BTreeMap<Table, Rows>,
    pub sets: BTreeMap<SetName, Set>,
    /// Sets that are not in the files now, as they come back.
    pub away: BTreeMap<SetName, Set>,
    pub promotions: BTreeMap<u8, Promotion>,
    /// Whether the table `frozen` is protected.
    pub protect: bool,
}

/// A point as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What becomes of an empty body is no part of it: that decides whether there is a point.
    pub recipe: Recipe,
    pub slug: u8,
    /// The title, where it is in the text or in the payload.
    pub title: Option<u8>,
    pub status: Option<Status>,
    /// Paragraphs of the chunk; none where the title stands for it.
    pub chunk: Vec<u8>,
}

/// The document and the place in it.
pub type Place = (u8, u32);

/// What is written down of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSet {
    /// None where the last run went back.
    pub selection: Option<Selection>,
    pub recipe: Recipe,
    pub index: bool,
    pub keyed: bool,
    /// Units as they were when they were indexed.
    pub units: BTreeMap<u8, Doc>,
    /// The collection was left to whoever reads it, when the set left the files.
    pub forgotten: bool,
}

/// What is written down of an applied promotion: the bodies of its documents, which were drafts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPromotion {
    pub units: BTreeMap<u8, Vec<u8>>,
}

/// What the last applies of one project wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    pub rows: BTreeMap<(Table, u8), Declared>,
    pub synced: BTreeSet<Table>,
    pub sets: BTreeMap<SetName, RecordedSet>,
    pub promotions: BTreeMap<u8, RecordedPromotion>,
    pub protect: Option<BTreeMap<u8, u8>>,
}

/// What somebody made of a point of Enact's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    AsWritten,
    /// Its payload has one field more.
    Forged,
    /// It has the whole payload of this point of its set, which has its own.
    Exchanged(Place),
    /// It has the payload of another point, which has it too.
    Overwritten,
    /// What Enact says of it in its payload is gone.
    Stripped,
}

/// Points of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// It has a payload of its own.
    Plain,
    /// A copy of one of Enact's points under another id.
    Copy,
}

/// What the vector server has of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveSet {
    /// Whether its name leads to a collection.
    pub there: bool,
    pub points: BTreeMap<Place, (Point, State)>,
    pub foreign: BTreeMap<u8, Foreign>,
    pub index: bool,
}

/// What both stores hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    pub tables: BTreeMap<(Table, u8), Row>,
    pub docs: BTreeMap<u8, Doc>,
    /// A table that nobody declares.
    pub frozen: BTreeMap<u8, u8>,
    pub sets: BTreeMap<SetName, LiveSet>,
}

/// A world between two acts.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub files: BTreeMap<Project, Files>,
    pub recorded: BTreeMap<Project, Recorded>,
    pub live: Live,
    /// Runs can go back: replaced collections are kept for a while.
    pub grace: bool,
    /// How many promotions there were.
    pub promotions: u8,
}

impl World {
    pub fn files(&self, project: Project) -> &Files {
        &self.files[&project]
    }

    pub fn recorded(&self, project: Project) -> &Recorded {
        &self.recorded[&project]
    }
}

impl Set {
    /// The points that a document should have.
    pub fn points(&self, doc: &Doc) -> Vec<Point> {
        let Recipe { wide, titled, empty_title, payload_title, payload_status } = self.recipe;
        let of_title = doc.body.is_empty();
        let recipe = Recipe { empty_title: false, ..self.recipe };
        let point = |chunk: Vec<u8>| Point {
            recipe,
            slug: doc.slug,
            title: (titled || payload_title || of_title).then_some(doc.title),
            status: payload_status.then_some(doc.status),
            chunk,
        };
        match (of_title, wide) {
            (true, _) if !empty_title => Vec::new(),
            (true, _) => vec![point(Vec::new())],
            (false, true) => vec![point(doc.body.clone())],
            (false, false) => doc.body.iter().map(|paragraph| point(vec![*paragraph])).collect(),
        }
    }
}
