//! Plans whose own writes change the units that they read.
//!
//! ```text
//! rows of the plan files ── tried ──▶ units that promotions choose from
//! rows and moves ────────── tried ──▶ units, texts and sets as the plan leaves them ──▶ compare
//! rows and moves ────────── tried ──▶ the same once more: what is another value each time cannot be reviewed
//! ```
//!
//! Each trial is a transaction that is rolled back. Sequences that it moves stay moved, as after any rollback.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::{Purpose, compare_for, compared, input};
use crate::diff::{ChangeDetail, Comparison, OwnWrites, codes, own_writes, used_fields};
use crate::model::{Address, Desired, Diagnostic, Diagnostics, Observed, Place, UnitFacts};
use crate::observe::{Observation, ObserveError, Request, observe_tried, observe_writes, read_tried_units};
use crate::plan::{SavedPlan, build};
use crate::store::{Fault, Relational, StoreError, Tx, TxMode, VectorStore};

/// Who can do what a plan writes.
#[async_trait]
pub trait Trial: Sync {
    /// Does the rows, moves and refreshes of a plan in a transaction that the caller rolls back.
    ///
    /// # Errors
    /// What the database refuses; those of the store.
    async fn write(&self, tx: &mut dyn Tx, plan: &SavedPlan) -> Result<(), StoreError>;
}

type Units = BTreeMap<String, UnitFacts>;

/// What was seen, and what differs.
type Compared = (Observation, Comparison);

/// A plan whose writes are tried.
pub(super) struct Trying<'a> {
    pub trial: &'a dyn Trial,
    pub vectors: &'a dyn VectorStore,
    pub request: &'a Request<'a>,
    pub purpose: Purpose<'a>,
}

impl Trying<'_> {
    /// Sees what the plan makes of the units. `own` is what is known of its writes, nothing where it does not fit the units that
    /// live. `None` where its rows change none.
    pub async fn see(
        &self,
        postgres: &mut dyn Relational,
        own: Option<OwnWrites>,
    ) -> Result<Option<Compared>, ObserveError> {
        let rows = without_sets(self.request.desired, Promotions::Without);
        let (seen, comparison) = match self.writes(postgres, &rows, None).await {
            Err(ObserveError::Refused(_)) if own.is_none() => return Ok(None),
            read => read?,
        };
        let changed = self.counts(&seen, &comparison).is_some_and(|own| own.rows);
        if !changed && own.is_none() {
            return Ok(None);
        }
        let moving = match changed && !self.request.desired.promotions.is_empty() {
            true => Some(self.units(postgres, &rows, &(seen, comparison)).await?),
            false => None,
        };
        let all = without_sets(self.request.desired, Promotions::With);
        let (before, comparison) = self.writes(postgres, &all, moving).await?;
        let written = (before, comparison);
        let mut seen = self.tried(postgres, &all, &written).await?;
        let again = self.tried(postgres, &all, &written).await?;
        self.same_again(&seen, &again, &written.1)?;
        let comparison = compare_for(self.vectors, self.request, &mut seen, self.purpose).await?;
        Ok(Some((seen, comparison)))
    }

    fn counts(&self, seen: &Observation, comparison: &Comparison) -> Option<OwnWrites> {
        let Request { desired, binding, .. } = self.request;
        own_writes(desired, binding, &seen.observed, &seen.recipes, &comparison.changes)
    }

    /// What a part of the plan files writes.
    async fn writes(
        &self,
        postgres: &mut dyn Relational,
        part: &Desired,
        moving: Option<Units>,
    ) -> Result<Compared, ObserveError> {
        let request = Request { desired: part, ..*self.request };
        let mut tx = postgres.begin(TxMode::Snapshot).await?;
        let seen = observe_writes(tx.as_mut(), self.vectors, &request, moving).await?;
        tx.rollback().await?;
        let comparison = compared(&request, &seen)?;
        Ok((seen, comparison))
    }

    /// Units where rows of the plan files were written.
    async fn units(
        &self,
        postgres: &mut dyn Relational,
        part: &Desired,
        written: &Compared,
    ) -> Result<Units, ObserveError> {
        let mut tx = self.write(postgres, part, written).await?;
        let units = read_tried_units(tx.as_mut(), self.request, &written.0.observed).await?;
        tx.rollback().await?;
        Ok(units)
    }

    /// Everything where rows and moves were written.
    async fn tried(
        &self,
        postgres: &mut dyn Relational,
        part: &Desired,
        written: &Compared,
    ) -> Result<Observation, ObserveError> {
        let mut tx = self.write(postgres, part, written).await?;
        let seen = observe_tried(tx.as_mut(), self.vectors, self.request, &written.0).await?;
        tx.rollback().await?;
        Ok(seen)
    }

    async fn write<'t>(
        &self,
        postgres: &'t mut dyn Relational,
        part: &Desired,
        written: &Compared,
    ) -> Result<Box<dyn Tx + 't>, ObserveError> {
        let request = Request { desired: part, ..*self.request };
        let plan = build(&input(&request, written))?.unseen(written.1.changes.clone());
        let begun = postgres.begin(TxMode::ReadWrite).await;
        let mut tx = begun.map_err(|error| self.refused(&error, &written.1))?;
        let done = self.trial.write(tx.as_mut(), &plan).await;
        done.map_err(|error| self.refused(&error, &written.1))?;
        Ok(tx)
    }

    fn refused(&self, error: &StoreError, comparison: &Comparison) -> ObserveError {
        match error.fault {
            Fault::Transient | Fault::InDoubt => return error.clone().into(),
            Fault::Refused | Fault::Conflict => {}
        }
        let detail = format!(
            "the plan's own rows or moves change units that it promotes or indexes, and trying them was refused: {}",
            error.message
        );
        let hint = match self.first_set() {
            Some(set) => format!(
                "plan with a role that may write them, or make two plans: first with --exclude {}, then all of it",
                Address::vector_set(set)
            ),
            None => "plan with a role that may write them, or apply the rows before the promotion".to_owned(),
        };
        let diagnostic = Diagnostic::error(codes::NOT_TRIED, detail).at_some(self.first_row(comparison)).hint(hint);
        Diagnostics::from(diagnostic).into()
    }

    fn first_set(&self) -> Option<&str> {
        self.request.desired.vector_sets.keys().next().map(String::as_str)
    }

    /// Where the first row that is written, or the first promotion, is declared.
    fn first_row(&self, comparison: &Comparison) -> Option<&Place> {
        let desired = self.request.desired;
        let written = comparison.changes.iter().find_map(|change| match &change.detail {
            ChangeDetail::Row { table, kind: None, .. } => Some(table),
            _ => None,
        });
        let declared = desired.rows.iter().find(|set| Some(&set.table.value) == written);
        let declared = declared.and_then(|set| set.rows.first()).map(|row| &row.place);
        declared.or_else(|| desired.promotions.values().next().map(|promotion| &promotion.place))
    }

    /// Refuses units of which two trials made two things.
    fn same_again(&self, seen: &Observation, again: &Observation, comparison: &Comparison) -> Result<(), ObserveError> {
        let fields = used_fields(self.request.desired, &seen.recipes);
        let Some(moving) = moving(&seen.observed, &again.observed, &fields) else {
            return Ok(());
        };
        let diagnostic = match moving {
            Moving::Unit(unit) => {
                let detail = format!(
                    "unit \"{}\" has the id {} when its row is written once, and another when it is written again",
                    unit.address, unit.id
                );
                let hint = "give the row its id in the plan file, or make two plans: first the rows, then what reads the units";
                Diagnostic::error(codes::MOVING_UNIT, detail).at_some(self.first_row(comparison)).hint(hint)
            }
            Moving::Field(unit, field) => {
                let detail = format!(
                    "{field} of unit \"{}\" comes from the time, a sequence or chance when the plan is applied",
                    unit.address
                );
                let hint = format!(
                    "leave {field} out of what is indexed and selected, or make two plans: first the promotion or the rows, then the set"
                );
                Diagnostic::error(codes::MOVING_UNIT, detail).at_some(self.place_of(&field)).hint(hint)
            }
        };
        Err(Diagnostics::from(diagnostic).into())
    }

    /// Where a set names a field, else where the first set is.
    fn place_of(&self, field: &str) -> Option<&Place> {
        let sets = &self.request.desired.vector_sets;
        let named = sets.values().flat_map(|set| &set.payload).find(|payload| payload.value == field);
        named.map(|payload| &payload.place).or_else(|| sets.values().next().map(|set| &set.place))
    }
}

/// What two trials made differently.
enum Moving<'a> {
    /// A unit that the other did not make.
    Unit(&'a UnitFacts),
    /// A value of a unit.
    Field(&'a UnitFacts, String),
}

fn moving<'a>(seen: &'a Observed, again: &'a Observed, fields: &BTreeSet<String>) -> Option<Moving<'a>> {
    let (one, other) = (seen.units_after(), again.units_after());
    if let Some((_, unit)) = one.iter().find(|(id, _)| !other.contains_key(*id)) {
        return Some(Moving::Unit(unit));
    }
    for (id, unit) in one {
        let differs = |field: &&str| other.get(id).is_some_and(|other| unit.field(field) != other.field(field));
        let used = fields.iter().map(String::as_str);
        if let Some(field) = ["address", "title", "content_hash", "lifecycle"].into_iter().chain(used).find(differs) {
            return Some(Moving::Field(unit, field.to_owned()));
        }
    }
    // The body may be another one under the same hash.
    let chunks = seen.chunks.iter().find_map(|(set, units)| {
        let other = again.chunks.get(set)?;
        units.iter().find(|(id, chunks)| other.get(*id) != Some(chunks)).map(|(id, _)| id)
    });
    chunks.and_then(|id| one.get(id)).map(|unit| Moving::Field(unit, "body".to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Promotions {
    With,
    Without,
}

/// Plan files without what is only read: what they write is tried.
fn without_sets(desired: &Desired, promotions: Promotions) -> Desired {
    let mut part = desired.clone();
    part.vector_sets.clear();
    if promotions == Promotions::Without {
        part.promotions.clear();
        part.protect.clear();
        part.checks.clear();
        part.gates.clear();
        part.retention.clear();
    }
    // What is expected of a selection is judged with all that uses it.
    let used = |name: &String| desired.promotions.values().any(|promotion| names(&promotion.units, name));
    for (name, selection) in &mut part.units {
        if promotions == Promotions::Without || !used(name) {
            selection.expect = None;
        }
    }
    part
}

fn names(units: &crate::model::UnitsRef, name: &str) -> bool {
    matches!(units, crate::model::UnitsRef::Named(spot) if spot.value == name)
}
