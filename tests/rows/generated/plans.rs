//! Plans out of choices, over tables that are there: mostly what somebody would want, and at times what cannot be.

use super::super::Grammar;
use super::draw::Draw;
use super::schema::{
    Case, Column, Cover, Declared, Made, Mode, NOBODY, Named, OnDelete, Place, Reference, Rows, State, Table, Target,
};
use super::tables::seed_tag;
use super::values::{BROKEN, Kind};

/// A row of the plan as far as other rows need to know it.
#[derive(Debug, Clone, Copy)]
struct Outline {
    by: usize,
    tag: u8,
    /// The seed that it is, where it is one.
    seed: Option<u8>,
    is_absent: bool,
}

/// The plan of a database.
pub fn plan(tables: Vec<Table>, choices: &[Vec<u8>], is_wild: bool, grammar: Grammar) -> Case {
    let mut draws: Vec<Draw> = choices.iter().map(|bytes| Draw::new(bytes)).collect();
    let modes: Vec<(Mode, Place)> =
        draws.iter_mut().enumerate().map(|(index, draw)| mode(index, draw, &tables, grammar)).collect();
    let mut outlines: Vec<Vec<Outline>> = Vec::new();
    for (index, draw) in draws.iter_mut().enumerate() {
        outlines.push(outline(index, draw, &tables, &modes[index], grammar));
    }
    let mut plan = Vec::new();
    for (index, draw) in draws.iter_mut().enumerate() {
        let (mode, place) = modes[index].clone();
        // A file has a header, and so a row.
        let place = if outlines[index].is_empty() { Place::Plan } else { place };
        let rotates = draw.chance(30);
        let mut writer = Writer { tables: &tables, outlines: &outlines, table: index, is_wild, rotates, grammar, draw };
        let rows = outlines[index].iter().map(|outline| writer.row(*outline, &mode, place)).collect();
        plan.push(Rows { table: index, mode, place, rows });
    }
    Case { tables, plan }
}

fn mode(index: usize, draw: &mut Draw, tables: &[Table], grammar: Grammar) -> (Mode, Place) {
    let table = &tables[index];
    if grammar == Grammar::Lists {
        return (Mode::List, Place::Plan);
    }
    let place = draw.pick(&[(6, Place::Plan), (2, Place::Csv), (1, Place::JsonLines)]);
    let mode = match draw.below(8) {
        0..=2 if place == Place::Plan => Mode::List,
        0..=3 => Mode::Upsert,
        4 | 5 => Mode::Insert,
        // Where rows are held by others, a whole table is mostly no plan.
        _ if (0..4).any(|seed| is_held(index, seed, tables)) && !draw.chance(25) => Mode::Upsert,
        _ => {
            let within = draw.chance(50).then(|| (draw.below(table.values.len()), draw.tag(4)));
            let is_plain = |column: &Column| !matches!(column.kind, Kind::Json | Kind::Texts);
            let within = within.filter(|(column, _)| is_plain(&table.values[*column]));
            Mode::Sync { within, max_delete: if draw.chance(20) { 0 } else { 10 } }
        }
    };
    (mode, place)
}

/// Which rows a plan is about.
fn outline(
    index: usize,
    draw: &mut Draw,
    tables: &[Table],
    (mode, place): &(Mode, Place),
    grammar: Grammar,
) -> Vec<Outline> {
    let table = &tables[index];
    let seeds = u8::try_from(table.seeds.len()).expect("a few seeds");
    let count = if index == 0 { 1 + draw.tag(3) } else { draw.tag(4) };
    let mut by = key_of(table, draw, grammar);
    let mut out: Vec<Outline> = Vec::new();
    for number in 0..count {
        // The rows of a file have one key, and those of a whole table.
        if *place == Place::Plan && !matches!(mode, Mode::Sync { .. }) {
            by = key_of(table, draw, grammar);
        }
        let is_seed = draw.chance(55);
        let mut seed = is_seed.then(|| draw.tag(seeds));
        let is_taken = |seed: u8| out.iter().any(|other| other.seed == Some(seed));
        if seed.is_some_and(is_taken) && !draw.chance(3) {
            seed = (0..seeds).find(|seed| !is_taken(*seed));
        }
        let wants_absent = draw.chance(if seed.is_some() { 30 } else { 5 });
        let is_free = seed.is_none_or(|seed| !is_held(index, seed, tables)) || draw.chance(25);
        let can_be_absent = matches!(mode, Mode::List | Mode::Upsert) && *place == Place::Plan;
        let tag = seed.map_or(seeds + 4 * number + 1, |seed| seed_tag(by, seed));
        out.push(Outline { by, tag, seed, is_absent: wants_absent && is_free && can_be_absent });
    }
    out
}

fn key_of(table: &Table, draw: &mut Draw, grammar: Grammar) -> usize {
    match table.keys.get(1) {
        // An index over an expression or of some rows is a key in the whole grammar alone.
        Some(key) if grammar == Grammar::Lists && matches!(key.cover, Cover::Lower | Cover::Living) => 0,
        Some(_) if table.keys[0].made != Made::ByHand => usize::from(!draw.chance(20)),
        Some(_) => usize::from(draw.chance(40)),
        None => 0,
    }
}

/// Whether a seed keeps others that do not go with it.
fn is_held(index: usize, seed: u8, tables: &[Table]) -> bool {
    tables.iter().any(|table| {
        table.references.iter().enumerate().any(|(place, reference)| {
            let holds = matches!(reference.on_delete, OnDelete::NoAction | OnDelete::Restrict);
            let tag = Some(seed_tag(reference.to_key, seed));
            reference.to == index && holds && table.seeds.iter().any(|row| row.references[place] == tag)
        })
    })
}

/// Writes the rows of one table.
struct Writer<'a, 'b> {
    tables: &'a [Table],
    outlines: &'a [Vec<Outline>],
    table: usize,
    is_wild: bool,
    /// Whether rows that are there give their second keys to each other.
    rotates: bool,
    grammar: Grammar,
    draw: &'a mut Draw<'b>,
}

impl Writer<'_, '_> {
    fn wild(&mut self) -> bool {
        self.is_wild && self.draw.chance(12)
    }

    fn row(&mut self, outline: Outline, mode: &Mode, place: Place) -> Declared {
        let table = &self.tables[self.table];
        let Outline { by, tag, seed, is_absent } = outline;
        let odd = place == Place::Plan && self.draw.chance(35);
        if is_absent {
            return Declared { by, tag, state: State::Absent, odd };
        }
        let names_all = place != Place::Plan;
        let keys = (0..table.keys.len()).map(|key| self.other_key(key, outline, names_all)).collect();
        let references = (0..table.references.len()).map(|place| self.target(place, seed, names_all)).collect();
        let within = match mode {
            Mode::Sync { within, .. } => *within,
            Mode::List | Mode::Upsert | Mode::Insert => None,
        };
        let mut values = Vec::new();
        for (place, column) in table.values.iter().enumerate() {
            values.push(match within {
                Some((of, tag)) if of == place => Named::Tag(tag),
                Some(_) | None => self.value(place, column, seed, names_all),
            });
        }
        Declared { by, tag, state: State::Present { keys, references, values }, odd }
    }

    /// A key that does not find the row: of a new row it has to be named, of an old one it may be.
    fn other_key(&mut self, key: usize, outline: Outline, names_all: bool) -> Named {
        let table = &self.tables[self.table];
        let of = &table.keys[key];
        if key == outline.by || (names_all && of.made != Made::ByHand) {
            return Named::No;
        }
        match outline.seed {
            None if of.made != Made::ByHand && !self.draw.chance(20) => Named::No,
            None if of.made != Made::ByHand => Named::Tag(hand_picked(outline.tag)),
            None => Named::Tag(outline.tag),
            Some(seed) if key == 0 => {
                if names_all {
                    Named::Tag(seed_tag(0, seed))
                } else {
                    Named::No
                }
            }
            Some(seed) => {
                if let Some(next) = self.next_in_turn(outline).filter(|_| !names_all) {
                    return Named::Tag(seed_tag(key, next));
                }
                let moves = !names_all && self.draw.chance(12);
                let other = self.freed(key).unwrap_or(seed);
                let tag = if moves { other } else { seed_tag(key, seed) };
                if moves || names_all || self.draw.chance(20) { Named::Tag(tag) } else { Named::No }
            }
        }
    }

    /// The row whose second key this one takes, where they go round.
    fn next_in_turn(&self, outline: Outline) -> Option<u8> {
        let turns = |row: &&Outline| row.seed.is_some() && !row.is_absent && row.by == 0;
        let rows: Vec<u8> = self.outlines[self.table].iter().filter(turns).filter_map(|row| row.seed).collect();
        let place = rows.iter().position(|seed| Some(*seed) == outline.seed)?;
        (self.rotates && rows.len() > 1).then(|| rows[(place + 1) % rows.len()])
    }

    /// A value of this key that a row of the plan gives up.
    fn freed(&self, key: usize) -> Option<u8> {
        let absent = self.outlines[self.table].iter().find(|other| other.is_absent);
        absent.and_then(|other| other.seed).map(|seed| seed_tag(key, seed))
    }

    fn target(&mut self, place: usize, seed: Option<u8>, names_all: bool) -> Target {
        let table = &self.tables[self.table];
        let reference = &table.references[place];
        let is_named = names_all || self.draw.chance(if seed.is_none() { 60 } else { 30 });
        if !is_named && (seed.is_some() || reference.nullable) {
            return Target::No;
        }
        if reference.nullable && self.draw.chance(20) {
            return Target::Null;
        }
        if self.wild() {
            return Target::Tag(NOBODY);
        }
        self.there(reference, names_all)
    }

    /// A row that will be there. A file of data refers by the columns of the foreign key.
    fn there(&mut self, reference: &Reference, is_data: bool) -> Target {
        let to = &self.tables[reference.to];
        let outlines = &self.outlines[reference.to];
        let is_gone = |seed: u8| outlines.iter().any(|row| row.is_absent && row.seed == Some(seed));
        let seeds = u8::try_from(to.seeds.len()).expect("a few seeds");
        let mut found: Vec<(u8, u8)> =
            (0..seeds).filter(|seed| !is_gone(*seed)).map(|seed| (seed_tag(0, seed), seed_tag(1, seed))).collect();
        let is_made = to.keys[0].made != Made::ByHand;
        let new = outlines.iter().filter(|row| row.seed.is_none() && !row.is_absent);
        // Of a row whose number the database makes, only the other key is known.
        let natural =
            self.grammar == Grammar::Whole && !is_data && reference.columns.len() == 1 && reference.to_key == 0;
        let is_known = |row: &&Outline| !is_made || row.by == 0 || natural || reference.to_key == 1;
        found.extend(new.filter(is_known).map(|row| (row.tag, row.tag)));
        let old = found.iter().filter(|(first, _)| *first < seeds).count();
        let from = if found.len() > old && self.draw.chance(60) { old } else { 0 };
        let place = from + self.draw.below(found.len() - from);
        let Some((first, second)) = found.get(place).copied() else { return Target::Tag(0) };
        let has_other = to.keys.get(1).is_some_and(|key| matches!(key.cover, Cover::Unique | Cover::Deferrable));
        let is_new = first == second && first >= seeds;
        if natural && has_other && ((is_made && is_new) || self.draw.chance(40)) {
            return Target::Natural { key: 1, tag: second };
        }
        Target::Tag(if reference.to_key == 0 { first } else { second })
    }

    fn value(&mut self, place: usize, column: &Column, seed: Option<u8>, names_all: bool) -> Named {
        let table = &self.tables[self.table];
        let has_to = names_all || (seed.is_none() && column.is_required() && !self.wild());
        if !has_to && !self.draw.chance(55) {
            return Named::No;
        }
        if column.nullable && self.draw.chance(15) {
            return Named::Null;
        }
        if self.wild() {
            return if self.draw.chance(50) { Named::Tag(BROKEN) } else { Named::Null };
        }
        let now = seed.and_then(|seed| table.seeds[usize::from(seed)].values[place]);
        match now {
            Some(now) if self.draw.chance(35) => Named::Tag(now),
            Some(_) | None => Named::Tag(self.draw.tag(10)),
        }
    }
}

/// Of a key that the database makes, a number that its sequence has still before it.
fn hand_picked(tag: u8) -> u8 {
    tag + 150
}
