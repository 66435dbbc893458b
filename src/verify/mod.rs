//! Reads both stores and compares them with what earlier applies wrote down, point by point.
//!
//! ```text
//! PostgreSQL, Qdrant ── read ──▶ Facts ── points, ledger, rows, relational ──▶ Report      (the comparison is pure)
//! ```
//!
//! Only what Enact manages is judged. Points and ledger rows of others are counted and left alone; declared rows of another
//! project are that project's. Nothing is written, and no plan file is read: what was applied stands in the database.

mod guards;
mod ledger;
mod points;
mod read;
mod relational;
mod result;
mod rows;
mod units;

#[cfg(test)]
mod tests;

pub use guards::{Finding, GuardFindings, check_title};
pub use read::{AsApplied, Facts, LedgerFacts, PromotionFacts, RefreshFacts, SetFacts, read};
pub use result::{Check, Report, Status};

use crate::model::Binding;

/// Compares.
pub fn compare(binding: &Binding, facts: &Facts) -> Report {
    let mut checks = vec![relational::runs(facts)];
    for (name, set) in &facts.sets {
        checks.extend(points::checks(name, set));
        checks.extend(units::checks(name, set, &facts.units));
    }
    checks.extend(ledger::checks(binding, facts));
    checks.extend(relational::refreshes(binding, facts));
    checks.extend(relational::gates(binding, facts));
    checks.extend(relational::promotions(binding, facts));
    checks.extend(rows::checks(facts));
    checks.extend(guards::checks(facts));
    Report { checks }
}
