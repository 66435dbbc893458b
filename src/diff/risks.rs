//! Risks that the comparison shows: what is lost, what is made again, what cannot be verified.

use super::change::{Change, ChangeDetail, ChunkSource, CollectionChange, Finding, Reason, RowChange, VectorChange};
use super::codes;
use crate::model::{Address, Code, Environment};

/// Findings about changes, in no order.
pub(super) fn risks(changes: &[Change], environment: &Environment) -> Vec<Finding> {
    let mut out: Vec<Finding> = rows_deleted(changes).into_iter().collect();
    for change in changes {
        if let ChangeDetail::VectorSet(set) = &change.detail {
            of_set(change, set, environment, &mut out);
        }
    }
    out
}

/// A finding about one resource.
pub(super) fn found(code: Code, address: Option<&Address>, message: String) -> Finding {
    Finding { code: code.id.to_owned(), address: address.cloned(), message }
}

/// `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn is_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn rows_deleted(changes: &[Change]) -> Option<Finding> {
    let mut tables = std::collections::BTreeSet::new();
    let mut rows = 0;
    for change in changes {
        if let ChangeDetail::Row { table, change: RowChange::Delete { .. }, .. } = &change.detail {
            tables.insert(table.to_string());
            rows += 1;
        }
    }
    let names: Vec<&str> = tables.iter().take(3).map(String::as_str).collect();
    let more = if tables.len() > 3 { " and other tables" } else { "" };
    let message = format!("{} of {}{more} {} deleted", counted(rows, "row"), names.join(", "), is_are(rows));
    (rows > 0).then(|| found(codes::DATA_LOSS, None, message))
}

fn of_set(change: &Change, set: &VectorChange, environment: &Environment, out: &mut Vec<Finding>) {
    let address = Some(&change.address);
    if set.foreign > 0 {
        let (points, are) = (counted(set.foreign, "point"), is_are(set.foreign));
        let message = format!("{points} of the collection {are} not Enact's: kept as found, and not verified");
        out.push(found(codes::FOREIGN_POINTS, address, message));
    }
    out.extend(points_lost(set).map(|message| found(codes::POINTS_LOST, address, message)));
    out.extend(embedded_again(change, set).map(|message| found(codes::RE_EMBEDDING, address, message)));
    if let CollectionChange::Replace { live, .. } = &set.collection {
        let grace = environment.sweep_grace_seconds;
        let when = if grace == 0 { "at once".to_owned() } else { format!("{} later", span(grace)) };
        let message = format!("once the alias is switched, the old collection \"{live}\" is dropped {when}");
        out.push(found(codes::COLLECTION_DROPPED, address, message));
    }
    if change.reasons.contains(&Reason::EpochChanged) && set.collection != CollectionChange::New {
        let message = "the collection was not written by the run that the database remembers, so its points cannot be \
                       taken for what was applied"
            .to_owned();
        out.push(found(codes::UNVERIFIABLE, address, message));
    }
}

/// The largest unit that says it without a fraction.
fn span(seconds: u64) -> String {
    match seconds {
        s if s.is_multiple_of(86_400) => counted(s / 86_400, "day"),
        s if s.is_multiple_of(3_600) => counted(s / 3_600, "hour"),
        s if s.is_multiple_of(60) => counted(s / 60, "minute"),
        s => counted(s, "second"),
    }
}

/// How many units leave with how many points. Those of an edited unit are replaced, not lost.
pub(super) fn points_leaving(set: &VectorChange) -> (u64, u64) {
    let leaving = set.units.iter().filter(|unit| unit.chunks.is_empty() && !unit.delete.is_empty());
    leaving.fold((0, 0), |(units, points), unit| (units + 1, points + unit.delete.len() as u64))
}

fn points_lost(set: &VectorChange) -> Option<String> {
    let (units, points) = points_leaving(set);
    let (count, of) = (counted(points, "point"), counted(units, "unit"));
    (points > 0).then(|| format!("{count} of {of} {} deleted and not made again", is_are(points)))
}

fn embedded_again(change: &Change, set: &VectorChange) -> Option<String> {
    let again = |reason: &Reason| matches!(reason, Reason::RecipeChanged | Reason::EpochChanged);
    if !change.reasons.iter().any(again) {
        return None;
    }
    let chunks = set.units.iter().filter(|unit| again(&unit.reason)).flat_map(|unit| &unit.chunks);
    let (mut embed, mut tokens) = (0, 0);
    for chunk in chunks {
        if let ChunkSource::Embed { tokens: more } = chunk.source {
            embed += 1;
            tokens += more;
        }
    }
    let all = set.kept + set.units.iter().map(|unit| unit.chunks.len() as u64).sum::<u64>();
    let which = if embed == all { "every chunk".to_owned() } else { format!("{embed} of {all} chunks") };
    let are = if embed == all { "is" } else { is_are(embed) };
    (embed > 0).then(|| format!("{which} {are} embedded again (~{tokens} tokens)"))
}
