//! Reads a plan, line by line, and checks its digest on the way.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use serde::Deserialize;

use super::derived::Making;
use super::head::{Head, Header, MovesHead, PointsHead, PromotionHead, ReferencesHead, RowsHead, UnchangedHead};
use super::points::Moved;
use super::rule::Facts;
use super::slot::{NotThat, Slot};
use super::{points, rows, units};
use crate::diff::{Change, ChangeDetail, UnitPoints};
use crate::model::{Digest, ReferenceTarget, UnitFacts};
use crate::plan::pins::Pins;
use crate::plan::saved::{FORMAT_MAJOR, LoadError, SavedPlan};
use crate::plan::step::RowsKept;

/// The longest line that is read, in bytes.
const LINE_BYTES: u64 = 64 << 20;
/// The most lines.
const LINES: u64 = 100_000_000;

/// Reads a plan; its steps are not derived yet.
///
/// # Errors
/// What is no plan, with the line where that shows; a plan of another format, or one that was changed.
pub(crate) fn read_plan(from: &mut dyn BufRead) -> Result<SavedPlan, LoadError> {
    let mut source = Source { from, hasher: blake3::Hasher::new(), line: Vec::new(), number: 0 };
    if !source.next()? {
        return Err(LoadError::NotAPlan("the file is empty".to_owned()));
    }
    let header = source.header()?;
    let mut reading = Reading::of(header);
    while source.next()? {
        let before = source.hasher.clone();
        source.hasher.update(&source.line);
        if source.line.first() == Some(&b'[') {
            let slots = serde_json::from_slice(&source.line).map_err(|error| source.wrong(&error))?;
            reading.line(slots).map_err(|wrong| source.not_that(wrong))?;
            continue;
        }
        let head: Head = serde_json::from_slice(&source.line).map_err(|error| source.wrong(&error))?;
        reading.close().map_err(|wrong| source.not_that(wrong))?;
        if let Head::End(end) = head {
            let real = Digest::from_bytes(*before.finalize().as_bytes());
            if real != end.digest || end.lines != source.number - 1 {
                return Err(LoadError::Edited { said: end.digest.to_string(), real: real.to_string() });
            }
            if source.next()? {
                return Err(source.not_that(NotThat("the end of the file")));
            }
            return reading.plan(real, end.connected_as).map_err(|wrong| source.not_that(wrong));
        }
        reading.head(head).map_err(|wrong| source.not_that(wrong))?;
    }
    Err(LoadError::NotAPlan(format!("it ends after line {}, without the line that ends a plan", source.number)))
}

struct Source<'r> {
    from: &'r mut dyn BufRead,
    hasher: blake3::Hasher,
    line: Vec<u8>,
    number: u64,
}

impl Source<'_> {
    /// Reads the next line, if there is one.
    fn next(&mut self) -> Result<bool, LoadError> {
        self.line.clear();
        let read = self.from.take(LINE_BYTES).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| LoadError::NotAPlan(error.to_string()))?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if read as u64 == LINE_BYTES && self.line.last() != Some(&b'\n') {
            return Err(LoadError::NotAPlan(format!("line {} is longer than {LINE_BYTES} bytes", self.number)));
        }
        if self.number > LINES {
            return Err(LoadError::NotAPlan(format!("it has more than {LINES} lines")));
        }
        Ok(true)
    }

    fn header(&mut self) -> Result<Header, LoadError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: Option<String>,
        }
        self.hasher.update(&self.line);
        let found = match serde_json::from_slice::<Version>(&self.line) {
            Ok(version) => version.format_version,
            // A plan of the first format was one value on many lines.
            Err(_) if self.line == b"{\n" => self.older()?,
            Err(error) => return Err(self.wrong(&error)),
        };
        let found = found.ok_or_else(|| LoadError::NotAPlan("it has no format_version".to_owned()))?;
        match found.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            None => Err(LoadError::NotAPlan("it has no format_version".to_owned())),
            Some(major) if major > FORMAT_MAJOR => Err(LoadError::NewerFormat { found }),
            Some(major) if major < FORMAT_MAJOR => Err(LoadError::OlderFormat { found }),
            Some(_) => serde_json::from_slice(&self.line).map_err(|error| self.wrong(&error)),
        }
    }

    fn older(&mut self) -> Result<Option<String>, LoadError> {
        while self.next()? {
            let text = String::from_utf8_lossy(&self.line);
            if let Some(version) = text.strip_prefix("  \"format_version\": \"") {
                return Ok(version.split('"').next().map(str::to_owned));
            }
        }
        Ok(None)
    }

    fn wrong(&self, error: &serde_json::Error) -> LoadError {
        // Where in the line, and not the line of a text that has one.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        LoadError::NotAPlan(format!("line {}, character {}: {what}", self.number, error.column()))
    }

    fn not_that(&self, NotThat(expected): NotThat) -> LoadError {
        LoadError::NotAPlan(format!("line {}: it should have {expected}", self.number))
    }
}

/// The head whose lines are being read.
enum Open {
    Moves(MovesHead, u32),
    Rows(RowsHead, Places),
    Points(Box<PointsHead>, Vec<UnitPoints>),
    References(ReferencesHead, u32),
    Unchanged(UnchangedHead, RowsKept),
}

struct Reading {
    header: Header,
    open: Option<Open>,
    /// Changes that are units which move, by their number.
    moved: Vec<Change>,
    moved_at: Vec<u32>,
    /// Where each moved unit is, by id; made for the first ledger that needs it.
    by_id: BTreeMap<String, u32>,
    changes: Vec<(u32, Change)>,
    plan: Parts,
}

#[derive(Default)]
struct Parts {
    references: Vec<ReferenceTarget>,
    unchanged: Vec<RowsKept>,
    drift: Vec<crate::diff::Drift>,
    needs: Vec<crate::plan::pins::NeedPin>,
}

const NO_MORE: NotThat = NotThat("no more lines than its head says");
const MORE_LINES: NotThat = NotThat("more lines before it, as the head of these says");

impl Reading {
    fn of(header: Header) -> Reading {
        Reading {
            header,
            open: None,
            moved: Vec::new(),
            moved_at: Vec::new(),
            by_id: BTreeMap::new(),
            changes: Vec::new(),
            plan: Parts::default(),
        }
    }

    fn head(&mut self, head: Head) -> Result<(), NotThat> {
        match head {
            Head::Moves(head) => self.open = Some(Open::Moves(head, 0)),
            Head::Rows(mut head) => {
                let places = Places::of(std::mem::take(&mut head.at))?;
                match rows::has_lines(&head) {
                    true => self.open = Some(Open::Rows(head, places)),
                    false => self.rows_without_lines(&head, places)?,
                }
            }
            Head::Points(head) => self.open = Some(Open::Points(head, Vec::new())),
            Head::Promotion(head) => self.promotion(head)?,
            Head::Change(placed) => self.changes.push((placed.at, placed.change)),
            Head::Drift(drift) => self.plan.drift.push(drift),
            Head::Needs(need) => match self.plan.needs.last_mut() {
                Some(last) if (&last.kind, &last.why) == (&need.kind, &need.why) => last.pairs.extend(need.pairs),
                Some(_) | None => self.plan.needs.push(need),
            },
            Head::References(head) => self.open = Some(Open::References(head, 0)),
            Head::Unchanged(head) => {
                let (table, key) = (head.table.clone(), head.key.clone());
                let (columns, times) = (head.columns.clone(), head.times.clone());
                self.open = Some(Open::Unchanged(head, RowsKept { table, key, columns, times, rows: Vec::new() }));
            }
            Head::End(_) => return Err(NotThat("no end here")),
        }
        Ok(())
    }

    fn line(&mut self, slots: Vec<Slot<'_>>) -> Result<(), NotThat> {
        let Some(mut open) = self.open.take() else { return Err(NotThat("a head before it")) };
        match &mut open {
            Open::Moves(head, done) => {
                below(*done, head.count)?;
                self.moved_at.push(head.at.saturating_add(*done));
                self.moved.push(units::read(head, slots)?);
                *done += 1;
            }
            Open::Rows(head, places) => {
                let number = places.done;
                let at = places.next().ok_or(NO_MORE)?;
                self.changes.push((at, rows::read(head, number, slots, self.facts(head, number))?));
            }
            Open::Points(head, units) => {
                below(u32::try_from(units.len()).unwrap_or(u32::MAX), head.count)?;
                let making = making(&self.header.pins, &head.change)?;
                let moved = |number: u64| usize::try_from(number).ok().and_then(|number| self.moved(number));
                units.push(points::read(head, slots, &making, &moved)?);
            }
            Open::References(head, done) => {
                below(*done, head.count)?;
                let values = slots.into_iter().map(Slot::into_text).collect::<Result<Vec<_>, _>>()?;
                self.plan.references.push(ReferenceTarget {
                    table: head.table.clone(),
                    columns: head.columns.clone(),
                    values,
                });
                *done += 1;
            }
            Open::Unchanged(head, kept) => {
                below(u32::try_from(kept.rows.len()).unwrap_or(u32::MAX), head.count)?;
                kept.rows.push(slots.into_iter().map(Slot::into_cell).collect::<Result<_, _>>()?);
            }
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends the lines of a head.
    fn close(&mut self) -> Result<(), NotThat> {
        let all = |done: usize, count: u32| if done == count as usize { Ok(()) } else { Err(MORE_LINES) };
        match self.open.take() {
            None => Ok(()),
            Some(Open::Moves(head, done)) => all(done as usize, head.count),
            Some(Open::Rows(_, places)) => all(places.done as usize, places.count),
            Some(Open::References(head, done)) => all(done as usize, head.count),
            Some(Open::Unchanged(head, kept)) => {
                all(kept.rows.len(), head.count)?;
                self.plan.unchanged.push(kept);
                Ok(())
            }
            Some(Open::Points(head, units)) => {
                all(units.len(), head.count)?;
                if self.by_id.len() < self.moved.len() {
                    let ids = self.moved.iter().filter_map(|change| Some(unit(change)?.0.id.clone()));
                    self.by_id = ids.zip(0..).collect();
                }
                let (at, about) = (head.at, head.change.clone());
                let making = making(&self.header.pins, &about)?;
                let moved = |id: &str| self.by_id.get(id).and_then(|number| self.moved(*number as usize));
                let change = points::change(*head, units, &making, &moved)?;
                self.changes.push((at, change));
                Ok(())
            }
        }
    }

    fn moved(&self, number: usize) -> Option<Moved<'_>> {
        let (unit, to) = unit(self.moved.get(number)?)?;
        Some(Moved { number: u32::try_from(number).ok()?, unit, to })
    }

    fn facts(&self, head: &RowsHead, number: u32) -> Option<Facts<'_>> {
        let number = head.units?.checked_add(number)?;
        let ordinal = (number - head.units?) as usize + 1;
        let found = self.moved(number as usize)?;
        Some(Facts { unit: found.unit, ordinal })
    }

    /// Rows of which everything follows from the units that they are about, or the one row that the head says.
    fn rows_without_lines(&mut self, head: &RowsHead, places: Places) -> Result<(), NotThat> {
        if places.count as usize > self.moved.len().max(1) {
            return Err(NotThat("lines for its rows"));
        }
        for (at, number) in places.zip(0..) {
            let change = rows::read(head, number, Vec::new(), self.facts(head, number))?;
            self.changes.push((at, change));
        }
        Ok(())
    }

    fn promotion(&mut self, head: PromotionHead) -> Result<(), NotThat> {
        let PromotionHead { at, mut change, units, count } = head;
        let ChangeDetail::Promotion { record, .. } = &mut change.detail else { return Err(NotThat("a promotion")) };
        let last = units.checked_add(count).ok_or(NotThat("units of moves before it"))?;
        let those = self.moved.get(units as usize..last as usize).ok_or(NotThat("units of moves before it"))?;
        record.units = those.iter().filter_map(|change| Some(unit(change)?.0.clone())).collect();
        self.changes.push((at, change));
        Ok(())
    }

    fn plan(self, digest: Digest, connected_as: Option<String>) -> Result<SavedPlan, NotThat> {
        let Reading { header, moved, moved_at, mut changes, plan: parts, .. } = self;
        changes.extend(moved_at.into_iter().zip(moved));
        changes.sort_by_key(|(at, _)| *at);
        if changes.iter().zip(0u32..).any(|((at, _), expected)| *at != expected) {
            return Err(NotThat("before it one change for each place"));
        }
        let Header { mut environment, mut baseline, mut pins, .. } = header;
        environment.connected_as = connected_as;
        baseline.references = parts.references;
        pins.needs = parts.needs;
        pins.rows.unchanged = parts.unchanged;
        Ok(SavedPlan {
            format_version: header.format_version,
            digest,
            made_by: header.made_by,
            summary: header.summary,
            author: header.author,
            partial: header.partial,
            environment,
            files: header.files,
            changes: changes.into_iter().map(|(_, change)| change).collect(),
            findings: header.findings,
            drift: parts.drift,
            steps: Vec::new(),
            links: header.links,
            baseline,
            pins,
            guards: header.guards,
        })
    }
}

fn unit(change: &Change) -> Option<(&UnitFacts, &str)> {
    match &change.detail {
        ChangeDetail::Lifecycle { unit, to, .. } => Some((unit, to)),
        _ => None,
    }
}

fn below(done: u32, count: u32) -> Result<(), NotThat> {
    if done < count { Ok(()) } else { Err(NO_MORE) }
}

/// The places of a head's changes, in order.
struct Places {
    runs: std::vec::IntoIter<(u32, u32)>,
    /// The next place of the run that is open, and how many follow it.
    open: Option<(u32, u32)>,
    done: u32,
    count: u32,
}

impl Places {
    fn of(at: Vec<(u32, u32)>) -> Result<Places, NotThat> {
        let sum = at.iter().try_fold(0u32, |sum, (first, more)| {
            first.checked_add(*more)?;
            sum.checked_add(*more)?.checked_add(1)
        });
        let count = sum.ok_or(NotThat("places that can be counted"))?;
        Ok(Places { runs: at.into_iter(), open: None, done: 0, count })
    }
}

impl Iterator for Places {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (place, more) = self.open.take().or_else(|| self.runs.next())?;
        self.open = more.checked_sub(1).map(|more| (place + 1, more));
        self.done += 1;
        Some(place)
    }
}

fn making<'a>(pins: &'a Pins, change: &'a Change) -> Result<Making<'a>, NotThat> {
    let ChangeDetail::VectorSet(set) = &change.detail else { return Err(NotThat("a vector set")) };
    let pin = pins.sets.get(&set.set).ok_or(NotThat("a set whose making the first line says"))?;
    Ok(Making { set: &set.set, recipe: &set.recipe, pin, binding: &pins.binding })
}
