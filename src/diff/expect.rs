//! What an author expects of a selection, against what it chooses.
//!
//! One diagnostic says all that is known: both counts, the hash found, and which units differ from the set that an
//! applied promotion recorded, or else which units there are, where they are few.

use super::codes;
use super::ids::set_hash;
use super::resolve::{PromotionRecord, some_of};
use crate::model::{Diagnostic, Expectation, SetHash, Spot, UnitFacts};

/// Units that are listed one by one.
const LISTED: usize = 20;

pub(super) struct ExpectCheck<'a> {
    /// The selection's name.
    pub name: &'a str,
    pub expect: &'a Spot<Expectation>,
    /// What it chooses.
    pub units: &'a [UnitFacts],
    /// The hash, where it is known already.
    pub hash: Option<&'a str>,
    pub recipe: Option<&'a SetHash>,
    /// The promotion that recorded a set, and the set.
    pub previous: Option<(String, PromotionRecord)>,
    /// The binding's name.
    pub binding: &'a str,
}

impl ExpectCheck<'_> {
    pub fn run(&self) -> Option<Diagnostic> {
        let Expectation { count, hash } = &self.expect.value;
        let found = self.units.len() as u64;
        let live = match (self.hash, self.recipe) {
            (Some(hash), _) => hash.to_owned(),
            (None, Some(recipe)) => set_hash(recipe, self.units.iter()).unwrap_or_default(),
            (None, None) if hash.is_some() => {
                let detail = format!("the binding \"{}\" does not say how a set is hashed", self.binding);
                let diagnostic = Diagnostic::error(codes::NOT_IN_BINDING, detail).at(&self.expect.place);
                return Some(diagnostic.hint("expect a count alone, or give the binding promotion.set_hash"));
            }
            (None, None) => String::new(),
        };
        let wrong_count = count.filter(|count| *count != found);
        let wrong_hash = hash.as_ref().filter(|hash| !live.starts_with(hash.as_str()));
        if wrong_count.is_none() && wrong_hash.is_none() {
            return None;
        }
        let mut parts = Vec::new();
        if let Some(count) = wrong_count {
            parts.push(format!("{count} units expected, {found} found"));
        }
        match wrong_hash {
            Some(hash) => parts.push(format!("hash {hash} expected, {live} found")),
            None if !live.is_empty() => parts.push(format!("its hash is {live}")),
            None => {}
        }
        parts.extend(self.difference());
        let detail = format!("\"{}\" chooses another set: {}", self.name, parts.join("; "));
        let hint = "review the set again, then change what is expected; or narrow the selection";
        Some(Diagnostic::error(codes::UNEXPECTED_UNITS, detail).at(&self.expect.place).hint(hint))
    }

    fn difference(&self) -> Vec<String> {
        let Some((name, record)) = &self.previous else { return vec![format!("chosen: {}", list(self.units.iter()))] };
        let added = self.units.iter().filter(|unit| !record.units.iter().any(|known| known.id == unit.id));
        let missing = record.units.iter().filter(|known| !self.units.iter().any(|unit| unit.id == known.id));
        let other = self
            .units
            .iter()
            .filter(|unit| record.units.iter().any(|known| known.id == unit.id && known.anchor != unit.anchor));
        let (added, missing, other): (Vec<_>, Vec<_>, Vec<_>) = (added.collect(), missing.collect(), other.collect());
        let mut out = Vec::new();
        for (what, units) in [("added", added), ("missing", missing), ("with another version", other)] {
            if !units.is_empty() {
                out.push(format!("{what} since promotion \"{name}\": {}", list(units.into_iter())));
            }
        }
        if out.is_empty() {
            out.push(format!("the same units as promotion \"{name}\" recorded"));
        }
        out
    }
}

fn list<'a>(units: impl Iterator<Item = &'a UnitFacts>) -> String {
    let mut names: Vec<&str> = units.map(|unit| unit.address.as_str()).collect();
    names.sort_unstable();
    match names.len() {
        0 => "none".to_owned(),
        1..=LISTED => names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
        _ => some_of(&names),
    }
}
