//! What a head says of a column, so that its lines need not: each value that follows from others is in none of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::slot::{NotThat, Slot};
use crate::model::{Cell, UnitFacts};

/// Different values up to which a head lists them.
const LISTED: usize = 64;
/// A column of that many lines for each different value is worth a list.
const LINES_EACH: usize = 4;
/// A shorter fact of a unit may stand in a text by chance.
const FACT_CHARS: usize = 3;

/// Where the value of a column comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// Each line has it.
    Own,
    /// All have this one.
    Same(Cell),
    /// Each line has its place in this list, from 0.
    OneOf(Vec<Cell>),
    /// It is made of the unit that the line is about.
    Like(Vec<Piece>),
    /// It is the key's value of this name.
    Key(String),
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Piece {
    /// As it is.
    Text(String),
    /// A fact of the unit.
    Fact {
        /// Its name; `ordinal` is the unit's place in its promotion, from 1.
        fact: String,
    },
}

/// A unit as pieces see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub unit: &'a UnitFacts,
    pub ordinal: usize,
}

impl<'a> Facts<'a> {
    fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let unit = self.unit;
        match name {
            "id" => Some(Cow::Borrowed(&unit.id)),
            "address" => Some(Cow::Borrowed(&unit.address)),
            "title" => Some(Cow::Borrowed(&unit.title)),
            "content_hash" => Some(Cow::Borrowed(&unit.content_hash)),
            "anchor" => unit.anchor.as_deref().map(Cow::Borrowed),
            "ordinal" => Some(Cow::Owned(self.ordinal.to_string())),
            other => unit.fields.get(other)?.as_deref().map(Cow::Borrowed),
        }
    }

    /// Facts that may stand in a text, the longest first.
    fn candidates(&self) -> Vec<(&'a str, &'a str)> {
        let unit = self.unit;
        let own = [
            ("address", unit.address.as_str()),
            ("id", &unit.id),
            ("content_hash", &unit.content_hash),
            ("anchor", unit.anchor.as_deref().unwrap_or_default()),
            ("title", &unit.title),
        ];
        let fields = unit.fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
        let mut out: Vec<(&str, &str)> =
            own.into_iter().chain(fields).filter(|(_, text)| text.len() >= FACT_CHARS).collect();
        out.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
        out
    }
}

/// What a rule is chosen for: the values of one column, in the order of the lines.
pub(crate) struct Column<'a> {
    pub cells: Vec<Cow<'a, Cell>>,
    /// The unit of each line, where each is about one.
    pub facts: Option<&'a [Facts<'a>]>,
    /// The key of each line, where lines have one, by column.
    pub keys: BTreeMap<&'a str, Vec<&'a Cell>>,
}

impl<'a> Column<'a> {
    /// A column without anything that its values could follow from.
    pub fn of(cells: Vec<Cow<'a, Cell>>) -> Column<'a> {
        Column { cells, facts: None, keys: BTreeMap::new() }
    }

    /// The rule that leaves least to the lines.
    pub fn rule(&self) -> Rule {
        let Some(first) = self.cells.first() else { return Rule::Own };
        if self.cells.iter().all(|cell| cell == first) {
            return Rule::Same(first.clone().into_owned());
        }
        if let Some((name, _)) =
            self.keys.iter().find(|(_, key)| key.iter().zip(&self.cells).all(|(part, cell)| *part == cell.as_ref()))
        {
            return Rule::Key((*name).to_owned());
        }
        if let Some(pieces) = self.like() {
            return Rule::Like(pieces);
        }
        self.listed().map_or(Rule::Own, Rule::OneOf)
    }

    fn listed(&self) -> Option<Vec<Cell>> {
        let mut seen: BTreeMap<&Cell, ()> = BTreeMap::new();
        for cell in &self.cells {
            seen.insert(cell, ());
            if seen.len() > LISTED {
                return None;
            }
        }
        (seen.len() * LINES_EACH <= self.cells.len()).then(|| seen.into_keys().cloned().collect())
    }

    fn like(&self) -> Option<Vec<Piece>> {
        let facts = self.facts?;
        let (first, Cell::Text(text)) = (facts.first()?, self.cells.first()?.as_ref()) else { return None };
        let pieces = pieces(text, *first);
        let mut filled = String::new();
        let fits = |(facts, cell): (&Facts<'_>, &Cow<'_, Cell>)| {
            filled.clear();
            fill(&pieces, *facts, &mut filled).is_some() && matches!(cell.as_ref(), Cell::Text(text) if *text == filled)
        };
        facts.iter().zip(&self.cells).all(fits).then_some(pieces)
    }
}

/// A text with the facts of a unit in their places.
fn pieces(text: &str, facts: Facts<'_>) -> Vec<Piece> {
    let fact = |name: &str| Piece::Fact { fact: name.to_owned() };
    if text == facts.ordinal.to_string() {
        return vec![fact("ordinal")];
    }
    let candidates = facts.candidates();
    let (mut out, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(next) = rest.chars().next() {
        match candidates.iter().find(|(_, value)| rest.starts_with(value)) {
            Some((name, value)) => {
                if !plain.is_empty() {
                    out.push(Piece::Text(std::mem::take(&mut plain)));
                }
                out.push(fact(name));
                rest = &rest[value.len()..];
            }
            None => {
                plain.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

fn fill(pieces: &[Piece], facts: Facts<'_>, out: &mut String) -> Option<()> {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Fact { fact } => out.push_str(&facts.get(fact)?),
        }
    }
    Some(())
}

impl Rule {
    /// What a line holds of a value, if anything.
    pub fn slot<'a>(&self, cell: &'a Cell) -> Option<Slot<'a>> {
        match self {
            Rule::Own => Some(Slot::cell(cell)),
            Rule::OneOf(cells) => {
                let at = cells.binary_search(cell).unwrap_or_else(|_| panic!("BUG: a listed value is not in its list"));
                Some(Slot::Number(at as u64))
            }
            Rule::Same(_) | Rule::Like(_) | Rule::Key(_) => None,
        }
    }

    /// Whether lines hold something of it.
    pub fn in_lines(&self) -> bool {
        matches!(self, Rule::Own | Rule::OneOf(_))
    }

    /// The value, from what a line holds and what it is about.
    pub fn cell<'s>(
        &self,
        slots: &mut impl Iterator<Item = Slot<'s>>,
        facts: Option<Facts<'_>>,
        key: &dyn Fn(&str) -> Option<Cell>,
    ) -> Result<Cell, NotThat> {
        match self {
            Rule::Own => slots.next().ok_or(NotThat("a value"))?.into_cell(),
            Rule::OneOf(cells) => {
                let at = slots.next().ok_or(NotThat("a value"))?.number()?;
                let cell = usize::try_from(at).ok().and_then(|at| cells.get(at));
                cell.cloned().ok_or(NotThat("a place in the list of the head"))
            }
            Rule::Same(cell) => Ok(cell.clone()),
            Rule::Like(pieces) => {
                let mut out = String::new();
                let facts = facts.ok_or(NotThat("a line about a unit"))?;
                fill(pieces, facts, &mut out).ok_or(NotThat("a unit with the facts that the head names"))?;
                Ok(Cell::Text(out))
            }
            Rule::Key(name) => key(name).ok_or(NotThat("a key with the column that the head names")),
        }
    }
}
