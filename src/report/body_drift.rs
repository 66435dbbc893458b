//! Drift of a plan, for every surface: what changed outside Enact since the last apply, apart from what the plan files
//! ask for.

use super::line::Line;
use super::style::Role;
use super::words;
use crate::diff::{Drift, DriftKind, SomeUnits};

/// What stands above the lines.
pub(super) const TITLE: &str = "Changed outside Enact since the last apply";
/// Lines that are written; a plan has a few for each promotion and set.
const MOST: usize = 50;

/// One line for each.
pub(super) fn lines(drift: &[Drift], depth: usize) -> Vec<Line> {
    let line = |one: &Drift| {
        Line::new(depth).part(Role::Strong, one.address.as_str()).plain(format!(": {}", sentence(&one.what)))
    };
    let mut lines: Vec<Line> = drift.iter().take(MOST).map(line).collect();
    if drift.len() > MOST {
        let more = words::number((drift.len() - MOST) as u64);
        lines.push(Line::new(depth).part(Role::Faint, format!("and {more} more")));
    }
    lines
}

/// What was found, and what this plan does about it.
fn sentence(what: &DriftKind) -> String {
    match what {
        DriftKind::UnitsMovedBack { from, units } => {
            format!("{} no longer in {from}; they are moved again", are(units))
        }
        DriftKind::RowsGone { rows } => {
            format!("{} that it wrote {} gone; written again", words::count(*rows, "row"), is_are(*rows))
        }
        DriftKind::CollectionGone => "its collection is gone; made again".to_owned(),
        DriftKind::CollectionReplaced { live } => {
            format!("\"{live}\" is not the collection that the last apply wrote; everything is compared anew")
        }
        DriftKind::ShapeChanged { how } => format!("{}; made as declared", how.join("; ")),
        DriftKind::PointsGone { points, units } => {
            let (count, is) = (words::count(*points, "point"), is_are(*points));
            format!("{count} of {} {is} gone; made again", named(units))
        }
        DriftKind::ContentChanged { units } => {
            let has = if units.count == 1 { "has" } else { "have" };
            format!("{} {has} other content than what is indexed; indexed again", named(units))
        }
        DriftKind::LedgerChanged { rows } => {
            let say = if *rows == 1 { "does" } else { "do" };
            format!("{} of the ledger {say} not say what is there; recorded again", words::count(*rows, "row"))
        }
    }
}

fn is_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn are(units: &SomeUnits) -> String {
    format!("{} {}", named(units), is_are(units.count))
}

/// `86 units (A, B, C and 83 more)`.
fn named(units: &SomeUnits) -> String {
    let SomeUnits { count, examples } = units;
    let more = count.saturating_sub(examples.len() as u64);
    let more = if more > 0 { format!(" and {} more", words::number(more)) } else { String::new() };
    format!("{} ({}{more})", words::count(*count, "unit"), examples.join(", "))
}
