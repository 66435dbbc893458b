//! Writes a plan, line by line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::derived::Making;
use super::head::{
    End, Head, Header, MovesHead, PlacedChange, PointsHead, PromotionHead, ReferencesHead, UnchangedHead,
};
use super::points::Moved;
use super::rule::Facts;
use super::slot::Slot;
use super::{points, rows, units};
use crate::diff::{Change, ChangeDetail};
use crate::model::{Digest, UnitFacts};
use crate::plan::pins::{NeedPin, Pins, RowsPin, runs};
use crate::plan::saved::{Baseline, EnvironmentPin, SavedPlan};
use crate::plan::step::RowsKept;

/// Pairs of rows in one line.
const PAIRS: usize = 1_000;

/// Writes a plan and gives the digest of its lines.
///
/// # Errors
/// Those of the sink.
pub(crate) fn write_plan(plan: &SavedPlan, to: &mut dyn Write) -> io::Result<Digest> {
    let mut lines = Lines { to, hasher: blake3::Hasher::new(), count: 0, buffer: Vec::new() };
    lines.value(&header(plan))?;
    lines.facts(plan)?;
    lines.changes(plan)?;
    lines.end(plan.environment.connected_as.clone())
}

fn header(plan: &SavedPlan) -> Header {
    let SavedPlan { baseline, pins, environment, .. } = plan;
    Header {
        format_version: plan.format_version.clone(),
        made_by: plan.made_by.clone(),
        summary: plan.summary.clone(),
        author: plan.author.clone(),
        partial: plan.partial.clone(),
        environment: EnvironmentPin { connected_as: None, ..environment.clone() },
        files: plan.files.clone(),
        findings: plan.findings.clone(),
        links: plan.links.clone(),
        baseline: Baseline { references: Vec::new(), rows: Vec::new(), ..baseline.clone() },
        pins: Pins {
            needs: Vec::new(),
            overlay: BTreeMap::new(),
            rows: RowsPin { unchanged: Vec::new(), ..pins.rows.clone() },
            ..pins.clone()
        },
        guards: plan.guards.clone(),
    }
}

struct Lines<'w> {
    to: &'w mut dyn Write,
    hasher: blake3::Hasher,
    count: u64,
    buffer: Vec<u8>,
}

impl Lines<'_> {
    fn value(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, value)?;
        self.buffer.push(b'\n');
        self.hasher.update(&self.buffer);
        self.count += 1;
        self.to.write_all(&self.buffer)
    }

    fn end(&mut self, connected_as: Option<String>) -> io::Result<Digest> {
        let digest = Digest::from_bytes(*self.hasher.finalize().as_bytes());
        let end = End { lines: self.count, digest, connected_as };
        self.value(&Head::End(end))?;
        self.to.flush()?;
        Ok(digest)
    }

    /// What is no change.
    fn facts(&mut self, plan: &SavedPlan) -> io::Result<()> {
        for NeedPin { kind, why, pairs } in &plan.pins.needs {
            for pairs in pairs.chunks(PAIRS) {
                let (kind, why, pairs) = (kind.clone(), why.clone(), pairs.to_vec());
                self.value(&Head::Needs(NeedPin { kind, why, pairs }))?;
            }
        }
        for alike in plan.baseline.references.chunk_by(|a, b| (&a.table, &a.columns) == (&b.table, &b.columns)) {
            let (table, columns) = (alike[0].table.clone(), alike[0].columns.clone());
            self.value(&Head::References(ReferencesHead { table, columns, count: number(alike.len()) }))?;
            for target in alike {
                self.value(&target.values.iter().map(|value| Slot::text(value)).collect::<Vec<_>>())?;
            }
        }
        for RowsKept { table, key, columns, times, rows } in &plan.pins.rows.unchanged {
            let (table, key, columns, times) = (table.clone(), key.clone(), columns.clone(), times.clone());
            self.value(&Head::Unchanged(UnchangedHead { table, key, columns, times, count: number(rows.len()) }))?;
            for row in rows {
                self.value(&row.iter().map(Slot::cell).collect::<Vec<_>>())?;
            }
        }
        plan.drift.iter().try_for_each(|drift| self.value(&Head::Drift(drift.clone())))
    }

    fn changes(&mut self, plan: &SavedPlan) -> io::Result<()> {
        let changes = &plan.changes;
        let Sorted { moves, rows, others } = Sorted::of(changes);
        let mut moved: Vec<(&UnitFacts, &str)> = Vec::new();
        let mut of: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for (at, count) in moves {
            let alike = &changes[at..at + count];
            let head = units::head(number(at), alike);
            if let ChangeDetail::Lifecycle { promotion, .. } = &alike[0].detail {
                of.entry(promotion).or_insert((number(moved.len()), 0)).1 += number(count);
            }
            self.moves(head, alike)?;
            moved.extend(alike.iter().filter_map(|change| match &change.detail {
                ChangeDetail::Lifecycle { unit, to, .. } => Some((unit, to.as_str())),
                _ => None,
            }));
        }
        for places in rows {
            let alike: Vec<&Change> = places.iter().map(|at| &changes[*at as usize]).collect();
            self.rows(&places, &alike, &moved, &of)?;
        }
        let known: BTreeMap<&str, Moved<'_>> =
            (0u32..).zip(&moved).map(|(number, (unit, to))| (unit.id.as_str(), Moved { number, unit, to })).collect();
        for at in others {
            self.other(plan, number(at), &changes[at], &moved, &known, &of)?;
        }
        Ok(())
    }

    fn moves(&mut self, head: MovesHead, alike: &[Change]) -> io::Result<()> {
        let head = Head::Moves(head);
        self.value(&head)?;
        let Head::Moves(head) = &head else { panic!("BUG: a head of moves is none") };
        for change in alike {
            let mut done = Ok(());
            units::line(head, change, &mut |slots| done = self.value(&slots));
            done?;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        places: &[u32],
        alike: &[&Change],
        moved: &[(&UnitFacts, &str)],
        of: &BTreeMap<&str, (u32, u32)>,
    ) -> io::Result<()> {
        let units = rows::promotion(alike[0]).and_then(|name| of.get(name));
        let units = units.filter(|(_, count)| *count as usize == alike.len());
        let facts = units.map(|(first, count)| {
            let units = &moved[*first as usize..(*first + *count) as usize];
            let facts: Vec<Facts<'_>> =
                units.iter().zip(1..).map(|((unit, _), ordinal)| Facts { unit, ordinal }).collect();
            (*first, facts)
        });
        let facts = facts.as_ref().map(|(first, facts)| (*first, facts.as_slice()));
        let head = Head::Rows(rows::head(runs(places.iter().copied()), alike, facts));
        self.value(&head)?;
        let Head::Rows(head) = &head else { panic!("BUG: a head of rows is none") };
        for change in alike.iter().filter(|_| rows::has_lines(head)) {
            let mut done = Ok(());
            rows::line(head, change, &mut |slots| done = self.value(&slots));
            done?;
        }
        Ok(())
    }

    fn other<'p>(
        &mut self,
        plan: &'p SavedPlan,
        at: u32,
        change: &'p Change,
        moved: &[(&UnitFacts, &str)],
        known: &BTreeMap<&str, Moved<'p>>,
        of: &BTreeMap<&str, (u32, u32)>,
    ) -> io::Result<()> {
        match &change.detail {
            ChangeDetail::Promotion { name, record, .. } => {
                let (units, count) = of.get(name.as_str()).copied().unwrap_or((0, 0));
                let those = moved[units as usize..(units + count) as usize].iter().map(|(unit, _)| *unit);
                if those.eq(&record.units) {
                    let mut change = change.clone();
                    if let ChangeDetail::Promotion { record, .. } = &mut change.detail {
                        record.units.clear();
                    }
                    return self.value(&Head::Promotion(PromotionHead { at, change, units, count }));
                }
            }
            ChangeDetail::VectorSet(set) => {
                if let Some(pin) = plan.pins.sets.get(&set.set) {
                    let making = Making { set: &set.set, recipe: &set.recipe, pin, binding: &plan.pins.binding };
                    let find = |id: &str| known.get(id).copied();
                    if let Some(head) = points::head(at, change, &making, &find) {
                        return self.points(head, change, &making, &find);
                    }
                }
            }
            ChangeDetail::Row { .. }
            | ChangeDetail::Lifecycle { .. }
            | ChangeDetail::Refresh { .. }
            | ChangeDetail::Gate { .. }
            | ChangeDetail::Retention { .. }
            | ChangeDetail::Guard { .. }
            | ChangeDetail::Forget => {}
        }
        self.value(&Head::Change(Box::new(PlacedChange { at, change: change.clone() })))
    }

    fn points<'p>(
        &mut self,
        head: PointsHead,
        change: &Change,
        making: &Making<'_>,
        find: &dyn Fn(&str) -> Option<Moved<'p>>,
    ) -> io::Result<()> {
        let head = Head::Points(Box::new(head));
        self.value(&head)?;
        let (Head::Points(head), ChangeDetail::VectorSet(set)) = (&head, &change.detail) else {
            panic!("BUG: a head of points is none")
        };
        for unit in &set.units {
            let mut done = Ok(());
            points::line(head, unit, making, find(&unit.unit), &mut |slots| done = self.value(&slots));
            done?;
        }
        Ok(())
    }
}

/// Changes by how they are written.
struct Sorted {
    /// Moves that are alike: the first of each run, and how many there are.
    moves: Vec<(usize, usize)>,
    /// Rows that are alike.
    rows: Vec<Vec<u32>>,
    others: Vec<usize>,
}

impl Sorted {
    fn of(changes: &[Change]) -> Sorted {
        let mut rows: BTreeMap<rows::Shape<'_>, Vec<u32>> = BTreeMap::new();
        let (mut moves, mut others, mut at) = (Vec::new(), Vec::new(), 0);
        while at < changes.len() {
            let count = units::alike(&changes[at..]);
            if count > 0 {
                moves.push((at, count));
            } else if let Some(shape) = rows::shape(&changes[at]) {
                rows.entry(shape).or_default().push(number(at));
            } else {
                others.push(at);
            }
            at += count.max(1);
        }
        Sorted { moves, rows: rows.into_values().collect(), others }
    }
}

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
