//! JSON Lines: an object on each line.
//!
//! Values are read as the text that they are, so that every digit of a number stays.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DataText, Mistakes, place};
use crate::model::{DeclaredRow, Diagnostic, Place, RowSet, Spot, TableName, Written};
use crate::spec::codes;
use crate::spec::rows::{FromFile, push};

const MAX_DEPTH: usize = 64;

/// Reads all rows, those of the same columns in one set.
pub(super) fn read(data: &DataText<'_>, from: &FromFile, mistakes: &mut Mistakes<'_>) -> Vec<RowSet> {
    let (mut sets, mut rows, mut start) = (Vec::<RowSet>::new(), 0, 0);
    for (index, written) in data.text.split_inclusive('\n').enumerate() {
        let text = written.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
        let line = Line { file: &data.file, number: index + 1, start: start + lead(written), text };
        start += written.len();
        if text.trim().is_empty() {
            continue;
        }
        rows += 1;
        if mistakes.is_enough(rows, &line.whole()) {
            break;
        }
        if let Some(set) = line.row(from, mistakes) {
            push(&mut sets, set);
        }
    }
    sets
}

/// How long a byte order mark is, where there is one.
fn lead(written: &str) -> usize {
    written.len() - written.trim_start_matches('\u{feff}').len()
}

/// One line.
struct Line<'t> {
    file: &'t Arc<str>,
    number: usize,
    /// The byte at which it begins.
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn row(&self, from: &FromFile, mistakes: &mut Mistakes<'_>) -> Option<RowSet> {
        let Pairs(pairs) = self.parse(self.text, mistakes)?;
        let key = &from.set.key;
        let mut complete = self.unique(&pairs, mistakes);
        for column in key.iter().filter(|column| !pairs.iter().any(|(name, _)| name == *column)) {
            complete = false;
            let detail = format!("line {} has no \"{column}\", which is in the key", self.number);
            let hint = "give it a value, or null";
            mistakes.push(Diagnostic::error(codes::DATA_FILE, detail).at(&self.whole()).hint(hint));
        }
        let mut cells = Vec::<(bool, String, Spot<Written>)>::with_capacity(pairs.len());
        for (name, raw) in pairs {
            let of_key = key.contains(&name);
            let value =
                self.value(raw, 0, mistakes).filter(|value| !of_key || self.may_be_key(&name, value, raw, mistakes));
            match value {
                Some(value) => cells.push((!of_key, name, Spot { value, place: self.place(raw) })),
                None => complete = false,
            }
        }
        // The key's columns first, each part sorted.
        cells.sort_by(|(not_key, name, _), (other, theirs, _)| (not_key, name).cmp(&(other, theirs)));
        let columns = cells.iter().filter(|(not_key, ..)| *not_key).map(|(_, name, _)| name.clone()).collect();
        let row = DeclaredRow { cells: cells.into_iter().map(|(_, _, cell)| cell).collect(), place: self.whole() };
        complete.then(|| RowSet { columns, rows: vec![row], ..from.set.clone() })
    }

    fn parse<'r, T: Deserialize<'r>>(&self, text: &'r str, mistakes: &mut Mistakes<'_>) -> Option<T> {
        match serde_json::from_str(text) {
            Ok(found) => Some(found),
            Err(error) => {
                let before: usize = text.chars().take(error.column().saturating_sub(1)).map(char::len_utf8).sum();
                let at = self.offset(text) + before;
                // Without the end of the message: its line is always the first.
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or_default();
                let detail = format!("line {}: {reason}", self.number);
                let hint = "write one JSON object on each line";
                mistakes.push(Diagnostic::error(codes::NOT_JSON, detail).at(&self.span(at, at + 1)).hint(hint));
                None
            }
        }
    }

    fn unique(&self, pairs: &[(String, &RawValue)], mistakes: &mut Mistakes<'_>) -> bool {
        let mut complete = true;
        for (index, (name, raw)) in pairs.iter().enumerate() {
            if pairs.iter().take(index).any(|(other, _)| other == name) {
                complete = false;
                let detail = format!("line {} has the key \"{name}\" twice", self.number);
                let place = self.place(raw);
                mistakes.push(Diagnostic::error(codes::DUPLICATE_KEY, detail).at(&place).hint("keep one of the two"));
            }
        }
        complete
    }

    fn value(&self, raw: &RawValue, depth: usize, mistakes: &mut Mistakes<'_>) -> Option<Written> {
        let text = raw.get();
        if depth >= MAX_DEPTH {
            let detail = format!("line {} is nested more than {MAX_DEPTH} levels deep", self.number);
            mistakes.push(Diagnostic::error(codes::BUDGET, detail).at(&self.place(raw)));
            return None;
        }
        match text.bytes().next() {
            Some(b'n') => Some(Written::Null),
            Some(b'"') => self.parse(text, mistakes).map(Written::Text),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parse(text, mistakes)?;
                let read: Vec<_> = items.into_iter().map(|item| self.value(item, depth + 1, mistakes)).collect();
                read.into_iter().collect::<Option<_>>().map(Written::List)
            }
            Some(b'{') => {
                let Pairs(pairs) = self.parse(text, mistakes)?;
                let unique = self.unique(&pairs, mistakes);
                let read: Vec<_> = pairs
                    .into_iter()
                    .map(|(name, item)| Some((name, self.value(item, depth + 1, mistakes)?)))
                    .collect();
                read.into_iter().collect::<Option<_>>().filter(|_| unique).map(Written::Map)
            }
            Some(_) | None => Some(Written::Plain(text.to_owned())),
        }
    }

    fn may_be_key(&self, column: &str, value: &Written, raw: &RawValue, mistakes: &mut Mistakes<'_>) -> bool {
        let may = is_key(value);
        if !may {
            let wanted = "a text, a number, null or another row ({\"row\": …, \"key\": {…}})";
            let detail = format!("the key column \"{column}\" must be {wanted}");
            mistakes.push(Diagnostic::error(codes::WRONG_TYPE, detail).at(&self.place(raw)));
        }
        may
    }

    /// Where a part of the line begins, in the file. Raw values are slices of the line.
    fn offset(&self, part: &str) -> usize {
        self.start + (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize).min(self.text.len())
    }

    fn place(&self, raw: &RawValue) -> Place {
        let at = self.offset(raw.get());
        self.span(at, at + raw.get().len())
    }

    fn whole(&self) -> Place {
        self.span(self.start, self.start + self.text.len())
    }

    fn span(&self, start: usize, end: usize) -> Place {
        let column = self.text.get(..start - self.start).unwrap_or_default().chars().count() + 1;
        place(self.file, (self.number, column), start, end)
    }
}

fn is_key(value: &Written) -> bool {
    match value {
        Written::Null | Written::Plain(_) | Written::Text(_) => !value.is_apply_time(),
        Written::Map(_) => value
            .as_reference()
            .is_some_and(|(table, key)| TableName::parse(table).is_ok() && key.iter().all(|(_, value)| is_key(value))),
        Written::Json(_) | Written::Spelled(_) | Written::List(_) | Written::ApplyTime => false,
    }
}

/// The members of an object in their order, also those that come twice.
struct Pairs<'r>(Vec<(String, &'r RawValue)>);

impl<'r> Deserialize<'r> for Pairs<'r> {
    fn deserialize<D: Deserializer<'r>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'r> Visitor<'r> for Members {
            type Value = Pairs<'r>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Pairs<'r>, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
