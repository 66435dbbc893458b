//! What happens to a world: an act does something to the model of it, and says what has to be done to the real one.
//!
//! An act is a kind and three numbers that choose among what is there, so that any part of a list of acts is a list of acts.

use super::words::{doc_id, slug_text, title_text, write_doc};
use super::world::{
    Declared, Doc, Files, Foreign, LiveSet, Mode, Place, Project, Promotion, Rollout, Row, Rows, SetName, State,
    Status, Table, World,
};

/// One act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    pub kind: Kind,
    pub a: u8,
    pub b: u8,
    pub c: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    // Files.
    Declare,
    Undeclare,
    DeclareAbsent,
    SetMode,
    ToggleTable,
    ToggleSet,
    Select,
    ChangeRecipe,
    ChangeRollout,
    ToggleIndex,
    Promote,
    DropPromotion,
    ToggleProtect,
    // Behind Enact's back.
    WriteRow,
    DeleteRow,
    WriteBody,
    WriteTitle,
    Rename,
    AddDoc,
    DeleteDoc,
    MoveDoc,
    WriteFrozen,
    LosePoint,
    AddPoint,
    CopyPoint,
    ForgePoint,
    ExchangePoints,
    OverwritePoint,
    StripPoint,
    LoseIndex,
    LoseAlias,
    LoseCollection,
    // Enact.
    Apply,
    Revert,
    /// A plan is saved now and applied after the next act.
    Late,
}

/// What has to be done to the real world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A project's files are other ones.
    Files(Project),
    Sql(String),
    Points(SetName, Hand),
    Apply(Project),
    Revert,
    /// Whether also where the plan changes nothing.
    Late(Project, bool),
}

/// What a hand does on the vector server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    Lose(Place),
    Add(u8),
    /// A copy of a point under another id.
    Copy(Place, u8),
    Forge(Place),
    Exchange(Place, Place),
    /// The first gets the payload of the second.
    Overwrite(Place, Place),
    Strip(Place),
    Index,
    Alias,
    Collection,
}

/// Keys of the wiki's own rows.
const WIKI_KEYS: u8 = 6;
const DOCS: u8 = 8;

impl Act {
    /// Does it to the model; nothing where there is nothing to do it to.
    pub fn done(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, c } = *self;
        use Kind as K;
        match kind {
            K::Declare | K::Undeclare | K::DeclareAbsent | K::SetMode | K::ToggleTable => self.rows(world),
            K::ToggleSet | K::Select | K::ChangeRecipe | K::ChangeRollout | K::ToggleIndex => self.set(world),
            K::Promote | K::DropPromotion | K::ToggleProtect => self.governed(world),
            K::WriteRow | K::DeleteRow => self.row(world),
            K::WriteBody | K::WriteTitle | K::Rename | K::AddDoc | K::DeleteDoc | K::MoveDoc => self.doc(world),
            K::WriteFrozen => {
                world.live.frozen.insert(a % 3, b);
                let sql = "INSERT INTO public.frozen VALUES";
                Some(Deed::Sql(format!("{sql} ({}, {b}) ON CONFLICT (id) DO UPDATE SET value = {b}", a % 3)))
            }
            K::LosePoint
            | K::AddPoint
            | K::CopyPoint
            | K::ForgePoint
            | K::ExchangePoints
            | K::OverwritePoint
            | K::StripPoint
            | K::LoseIndex
            | K::LoseAlias
            | K::LoseCollection => {
                let names: Vec<SetName> =
                    world.live.sets.iter().filter(|(_, set)| set.there).map(|(name, _)| *name).collect();
                let name = *pick(&names, a)?;
                let set = world.live.sets.get_mut(&name)?;
                Some(Deed::Points(name, hand(kind, set, b, c)?))
            }
            K::Apply => Some(Deed::Apply(if a < 200 { Project::Main } else { Project::Wiki })),
            K::Revert => world.grace.then_some(Deed::Revert),
            K::Late => Some(Deed::Late(Project::Main, c.is_multiple_of(16))),
        }
    }

    fn rows(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, c } = *self;
        if a >= 220 {
            let rows = world.files.get_mut(&Project::Wiki)?.tables.get_mut(&Table::Settings)?;
            let key = WIKI_KEYS + b % 2;
            match kind {
                Kind::Undeclare | Kind::DeclareAbsent if rows.rows.len() > 1 => rows.rows.remove(&key).map(drop)?,
                _ => drop(rows.rows.insert(key, declared(c))),
            }
            return Some(Deed::Files(Project::Wiki));
        }
        let table = Table::ALL[usize::from(a % 2)];
        let files = world.files.get_mut(&Project::Main)?;
        if kind == Kind::ToggleTable {
            if files.tables.remove(&table).is_none() {
                let rows = (0..3).map(|key| (key, declared(c.wrapping_add(key * 5)))).collect();
                files.tables.insert(table, Rows { mode: Mode::Upsert, rows });
            }
            return Some(Deed::Files(Project::Main));
        }
        let rows = files.tables.get_mut(&table)?;
        match kind {
            Kind::Declare => drop(rows.rows.insert(b % WIKI_KEYS, declared(c))),
            Kind::Undeclare => {
                let keys: Vec<u8> = rows.rows.keys().copied().collect();
                rows.rows.remove(pick(&keys, b)?);
            }
            Kind::DeclareAbsent if rows.mode == Mode::Upsert => drop(rows.rows.insert(b % WIKI_KEYS, Declared::Absent)),
            Kind::SetMode if rows.rows.values().all(|row| *row != Declared::Absent) => {
                rows.mode = match (table, b % 3) {
                    // The wiki has rows of its own in the other table.
                    (Table::Rates, 0) => Mode::Sync,
                    (_, 1) => Mode::Insert,
                    (_, _) => Mode::Upsert,
                };
            }
            _ => return None,
        }
        (!rows.rows.is_empty()).then_some(Deed::Files(Project::Main))
    }

    fn set(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, c } = *self;
        let project = if a >= 220 { Project::Wiki } else { Project::Main };
        let name = match project {
            Project::Wiki => SetName::Wiki,
            Project::Main if a.is_multiple_of(2) => SetName::Texts,
            Project::Main => SetName::More,
        };
        let files = world.files.get_mut(&project)?;
        if kind == Kind::ToggleSet {
            match files.sets.remove(&name) {
                Some(set) => drop(files.away.insert(name, set)),
                None => drop(files.sets.insert(name, files.away.remove(&name)?)),
            }
            return Some(Deed::Files(project));
        }
        let set = files.sets.get_mut(&name)?;
        let before = set.clone();
        match kind {
            Kind::Select => {
                set.selection.even = [None, Some(true), Some(false)][usize::from(b % 3)];
                set.selection.status = [Some(Status::Published), None, Some(Status::Published)][usize::from(c % 3)];
            }
            Kind::ChangeRecipe => {
                let recipe = &mut set.recipe;
                let fields = [
                    &mut recipe.wide,
                    &mut recipe.titled,
                    &mut recipe.empty_title,
                    &mut recipe.payload_title,
                    &mut recipe.payload_status,
                ];
                let field = fields.into_iter().nth(usize::from(b % 5))?;
                *field = !*field;
            }
            Kind::ChangeRollout => {
                set.rollout = [Rollout::Auto, Rollout::InPlace, Rollout::BlueGreen][usize::from(b % 3)]
            }
            _ => set.index = !set.index,
        }
        (before != *set).then_some(Deed::Files(project))
    }

    fn governed(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, .. } = *self;
        let free = world.promotions;
        let files = world.files.get_mut(&Project::Main)?;
        match kind {
            Kind::Promote => {
                files.promotions.insert(free, Promotion { even: b.is_multiple_of(2) });
                world.promotions += 1;
            }
            Kind::DropPromotion => {
                let names: Vec<u8> = files.promotions.keys().copied().collect();
                files.promotions.remove(pick(&names, a)?);
            }
            _ => files.protect = !files.protect,
        }
        Some(Deed::Files(Project::Main))
    }

    fn row(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, c } = *self;
        let table = Table::ALL[usize::from(a % 2)];
        let most = if table == Table::Settings { WIKI_KEYS + 2 } else { WIKI_KEYS };
        let key = b % most;
        if kind == Kind::DeleteRow {
            world.live.tables.remove(&(table, key))?;
            return Some(Deed::Sql(format!("DELETE FROM {} WHERE {}", table.name(), table.condition(key))));
        }
        let row = Row { value: c % 4, note: [None, Some(1), Some(2)][usize::from(c / 4 % 3)] };
        let sql = table.write(key, &row);
        (world.live.tables.insert((table, key), row.clone()) != Some(row)).then_some(Deed::Sql(sql))
    }

    fn doc(&self, world: &mut World) -> Option<Deed> {
        let Act { kind, a, b, c } = *self;
        let docs = &mut world.live.docs;
        let there: Vec<u8> = docs.keys().copied().collect();
        let slug_is_free =
            |slug: u8, docs: &std::collections::BTreeMap<u8, Doc>| docs.values().all(|doc| doc.slug != slug);
        if kind == Kind::AddDoc {
            let id = (0..DOCS).find(|id| !docs.contains_key(id) && slug_is_free(*id, docs))?;
            let doc = document(id, a, b, c);
            let sql = write_doc(id, &doc);
            docs.insert(id, doc);
            return Some(Deed::Sql(sql));
        }
        let id = *pick(&there, a)?;
        if kind == Kind::DeleteDoc {
            docs.remove(&id);
            return Some(Deed::Sql(format!("DELETE FROM public.documents WHERE id = '{}'", doc_id(id))));
        }
        let free = slug_is_free(b % 12, docs);
        let doc = docs.get_mut(&id)?;
        let before = doc.clone();
        let set = match kind {
            Kind::WriteBody => {
                doc.body = body(b);
                return (before != *doc).then(|| Deed::Sql(write_doc(id, doc)));
            }
            Kind::WriteTitle => {
                doc.title = b % 4;
                format!("title = '{}'", title_text(doc.title))
            }
            Kind::Rename if free => {
                doc.slug = b % 12;
                format!("slug = '{}'", slug_text(doc.slug))
            }
            Kind::MoveDoc => {
                doc.status = [Status::Draft, Status::Published, Status::Archived][usize::from(b % 3)];
                format!("status = '{}'", doc.status.word())
            }
            _ => return None,
        };
        (before != *doc).then(|| Deed::Sql(format!("UPDATE public.documents SET {set} WHERE id = '{}'", doc_id(id))))
    }
}

/// A document that is new.
pub fn document(slug: u8, a: u8, b: u8, c: u8) -> Doc {
    let status = [Status::Draft, Status::Published, Status::Published][usize::from(c % 3)];
    Doc { slug, title: a % 4, body: body(b), status }
}

/// None to three paragraphs.
fn body(seed: u8) -> Vec<u8> {
    (0..seed % 4).map(|place| (seed / 4 + place * 7) % 20).collect()
}

/// A row as files declare it.
pub fn declared(seed: u8) -> Declared {
    let note = [None, None, Some(None), Some(Some(1)), Some(Some(2))][usize::from(seed / 4 % 5)];
    Declared::Present { value: seed % 4, note }
}

fn pick<T>(of: &[T], number: u8) -> Option<&T> {
    of.get(usize::from(number) % of.len().max(1))
}

fn hand(kind: Kind, set: &mut LiveSet, b: u8, c: u8) -> Option<Hand> {
    // What was touched once is left alone: what two hands make of it is not in the model.
    let whole = set.points.iter().filter(|(_, (_, state))| *state == State::AsWritten);
    let whole: Vec<Place> = whole.map(|(place, _)| *place).collect();
    let place = pick(&whole, b).copied();
    let other = pick(&whole, c).copied().filter(|other| Some(*other) != place);
    let mut mark = |place: Place, state: State| set.points.get_mut(&place).map(|point| point.1 = state);
    Some(match kind {
        Kind::LosePoint => {
            set.points.remove(&place?)?;
            Hand::Lose(place?)
        }
        Kind::AddPoint => {
            set.foreign.insert(b % 4, Foreign::Plain);
            Hand::Add(b % 4)
        }
        Kind::CopyPoint => {
            set.foreign.insert(4 + c % 4, Foreign::Copy);
            Hand::Copy(place?, 4 + c % 4)
        }
        Kind::ForgePoint => mark(place?, State::Forged).map(|()| Hand::Forge(place.unwrap_or_default()))?,
        Kind::ExchangePoints => {
            mark(place?, State::Exchanged(other?))?;
            mark(other?, State::Exchanged(place?))?;
            Hand::Exchange(place?, other?)
        }
        Kind::OverwritePoint => mark(other.and(place)?, State::Overwritten)
            .map(|()| Hand::Overwrite(place.unwrap_or_default(), other.unwrap_or_default()))?,
        Kind::StripPoint => mark(place?, State::Stripped).map(|()| Hand::Strip(place.unwrap_or_default()))?,
        Kind::LoseIndex if set.index => {
            set.index = false;
            Hand::Index
        }
        Kind::LoseAlias => {
            *set = LiveSet::default();
            Hand::Alias
        }
        Kind::LoseCollection => {
            *set = LiveSet::default();
            Hand::Collection
        }
        _ => return None,
    })
}

/// The files that a world starts with.
pub fn files(project: Project, seed: &[u8; 12], set: impl Fn(u8, u8) -> super::world::Set) -> Files {
    let mut files = Files::default();
    match project {
        Project::Main => {
            let rows = (0..3).map(|key| (key, declared(seed[usize::from(key)]))).collect();
            files.tables.insert(Table::Settings, Rows { mode: Mode::Upsert, rows });
            let rows = (0..2).map(|key| (key, declared(seed[usize::from(key) + 3]))).collect();
            let mode = if seed[5].is_multiple_of(2) { Mode::Sync } else { Mode::Upsert };
            files.tables.insert(Table::Rates, Rows { mode, rows });
            files.sets.insert(SetName::Texts, set(seed[6], seed[7]));
            files.away.insert(SetName::More, set(seed[8], seed[9]));
        }
        Project::Wiki => {
            let rows = (WIKI_KEYS..WIKI_KEYS + 2).map(|key| (key, declared(seed[usize::from(key) - 6]))).collect();
            files.tables.insert(Table::Settings, Rows { mode: Mode::Upsert, rows });
            files.sets.insert(SetName::Wiki, set(seed[10], seed[11]));
        }
    }
    files
}
