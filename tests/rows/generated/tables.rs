//! Tables out of choices: keys, foreign keys between them, columns, triggers, and rows that break none of it.

use super::draw::Draw;
use super::schema::{Checked, Column, Cover, Key, Made, OnDelete, Reference, Row, Table, Trigger};
use super::values::Kind;

const NAMES: [&str; 4] = ["title", "Weight", "order", "v 3"];

const KINDS: [(usize, Kind); 13] = [
    (6, Kind::Text),
    (4, Kind::Int),
    (3, Kind::Numeric),
    (2, Kind::Bool),
    (2, Kind::Date),
    (3, Kind::Timestamptz),
    (3, Kind::Json),
    (3, Kind::Texts),
    (2, Kind::Mood),
    (3, Kind::Code),
    (3, Kind::Level),
    (2, Kind::Citext),
    (2, Kind::Uuid),
];

/// Tables; each has choices of its own, so that one of them can become simpler alone.
pub fn tables(choices: &[Vec<u8>], has_odd_names: bool) -> Vec<Table> {
    let mut draws: Vec<Draw> = choices.iter().map(|bytes| Draw::new(bytes)).collect();
    let mut out: Vec<Table> =
        draws.iter_mut().enumerate().map(|(index, draw)| bare(index, draw, has_odd_names)).collect();
    for (index, draw) in draws.iter_mut().enumerate() {
        let references = references(index, draw, &out);
        out[index].references = references;
    }
    let counts: Vec<u8> = draws.iter_mut().map(|draw| 1 + draw.tag(4)).collect();
    for (index, draw) in draws.iter_mut().enumerate() {
        out[index].seeds = (0..counts[index]).map(|row| seed(row, draw, &out[index], &counts)).collect();
    }
    out
}

fn bare(index: usize, draw: &mut Draw, has_odd_names: bool) -> Table {
    let is_odd = has_odd_names && draw.chance(15);
    let schema = if is_odd { "v1.2" } else { draw.pick(&[(3, "public"), (1, "app")]) };
    let name = if is_odd { format!("T \"{index}\".x") } else { format!("t{index}") };
    let keys = keys(draw);
    let columns = 1 + draw.below(3);
    let values: Vec<Column> = (0..columns).map(|place| column(NAMES[place], draw)).collect();
    let texts = values.iter().position(|column| column.kind == Kind::Text);
    let generated = texts.filter(|_| draw.chance(25));
    let triggers = triggers(draw, texts);
    Table { schema, name, keys, references: Vec::new(), values, generated, triggers, seeds: Vec::new() }
}

fn keys(draw: &mut Draw) -> Vec<Key> {
    let one = |name, kind| vec![(name, kind)];
    let made = draw.pick(&[(7, Made::ByHand), (2, Made::Always), (2, Made::ByDefault)]);
    let columns = match made {
        Made::Always | Made::ByDefault => one("id", Kind::Int),
        Made::ByHand => match draw.below(9) {
            0 | 1 => one("id", Kind::Int),
            2 => one("id", Kind::Text),
            3 | 4 => vec![("a", Kind::Text), ("b", Kind::Int)],
            5 => one("id", Kind::Uuid),
            6 => one("id", Kind::Citext),
            7 => vec![("a", Kind::Numeric), ("b", Kind::Citext)],
            _ => one("id", Kind::Numeric),
        },
    };
    let mut out = vec![Key { columns, cover: Cover::Primary, made }];
    if made != Made::ByHand || draw.chance(45) {
        let cover = draw.pick(&[(5, Cover::Unique), (2, Cover::Deferrable), (1, Cover::Lower), (1, Cover::Living)]);
        let columns = match draw.below(5) {
            _ if cover == Cover::Lower => one("slug", Kind::Text),
            0 | 1 => one("slug", Kind::Text),
            2 => one("slug", Kind::Citext),
            3 => one("slug", Kind::Int),
            _ => vec![("slug", Kind::Text), ("locale", Kind::Int)],
        };
        out.push(Key { columns, cover, made: Made::ByHand });
    }
    out
}

fn column(name: &'static str, draw: &mut Draw) -> Column {
    let kind = draw.pick(&KINDS);
    let nullable = !kind.is_never_null() && !draw.chance(40);
    let default = draw.chance(30).then(|| draw.tag(8));
    Column { name, kind, nullable, default }
}

fn triggers(draw: &mut Draw, texts: Option<usize>) -> Vec<Trigger> {
    let mut out = Vec::new();
    for percent in [45, 15] {
        if draw.chance(percent) {
            let trigger = match (draw.below(9), texts) {
                (0 | 1, _) => Trigger::Fill { always: false },
                (2, _) => Trigger::Fill { always: true },
                (3 | 4, _) => Trigger::Touch,
                (5..=7, Some(column)) => Trigger::Rewrite(column),
                _ => Trigger::Audit,
            };
            let is_other = |one: &Trigger| std::mem::discriminant(one) != std::mem::discriminant(&trigger);
            if out.iter().all(is_other) {
                out.push(trigger);
            }
        }
    }
    out
}

fn references(index: usize, draw: &mut Draw, tables: &[Table]) -> Vec<Reference> {
    let mut out: Vec<Reference> = Vec::new();
    for percent in [if index == 0 { 35 } else { 75 }, 20] {
        if !draw.chance(percent) {
            continue;
        }
        let to = match draw.below(20) {
            0..=13 if index > 0 => draw.below(index),
            14..=16 => index,
            _ if index + 1 < tables.len() => index + 1 + draw.below(tables.len() - index - 1),
            _ => index,
        };
        let covers = |(place, key): (usize, &Key)| {
            matches!(key.cover, Cover::Primary | Cover::Unique).then_some((2 - place, place))
        };
        let to_keys: Vec<(usize, usize)> = tables[to].keys.iter().enumerate().filter_map(covers).collect();
        let to_key = draw.pick(&to_keys);
        let number = out.len();
        let columns = tables[to].keys[to_key].columns.iter();
        let columns = columns.map(|(name, _)| format!("r{number} {name}")).collect();
        let nullable = !draw.chance(40);
        let on_delete = draw.pick(&[
            (4, OnDelete::NoAction),
            (3, OnDelete::Cascade),
            (2, OnDelete::SetNull),
            (1, OnDelete::Restrict),
        ]);
        let on_delete = if on_delete == OnDelete::SetNull && !nullable { OnDelete::NoAction } else { on_delete };
        let checked = draw.pick(&[(6, Checked::AtOnce), (1, Checked::Deferrable), (3, Checked::Deferred)]);
        out.push(Reference { columns, to, to_key, on_delete, checked, nullable });
    }
    out
}

/// Both keys of a row have numbers of their own, so that one taken for the other finds another row.
fn seed(row: u8, draw: &mut Draw, table: &Table, counts: &[u8]) -> Row {
    let keys = (0..table.keys.len()).map(|key| Some(seed_tag(key, row))).collect();
    let mut null = |is_nullable: bool, percent| is_nullable && draw.chance(percent);
    let nulls: Vec<bool> = table.references.iter().map(|reference| null(reference.nullable, 30)).collect();
    let gaps: Vec<bool> = table.values.iter().map(|column| null(column.nullable, 20)).collect();
    let references = table.references.iter().zip(nulls);
    let references = references.map(|(reference, is_null)| {
        let to = draw.tag(counts[reference.to]);
        (!is_null).then(|| seed_tag(reference.to_key, to))
    });
    let references = references.collect();
    let values = gaps.into_iter().map(|is_null| (!is_null).then(|| draw.tag(8))).collect();
    Row { keys, references, values }
}

/// The tag that a key of a seed has: of the first the number of the row, of the second another order of them.
pub fn seed_tag(key: usize, row: u8) -> u8 {
    if key == 0 { row } else { row ^ 1 }
}
