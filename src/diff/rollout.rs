//! How a change of a vector set reaches readers.
//!
//! | rollout | what happens | what readers see |
//! | --- | --- | --- |
//! | `blue_green` | a new collection is filled and one alias switched | the old points or the new ones |
//! | `in_place` | points are written into the live collection | for the length of the writes, both versions of a chunk |
//!
//! `auto` writes in place where few points change ([`IN_PLACE_PERCENT`], at most [`IN_PLACE_POINTS`]) and the recipe and
//! the vectors stay as they are; a set that names a plain collection is always written in place, because Qdrant cannot
//! put another collection under its name.

use super::change::CollectionChange;
use super::codes;
use super::shape::Shape;
use crate::model::{Diagnostic, Rollout, VectorSet};

/// The largest share of a collection that `auto` changes in place, in percent.
pub const IN_PLACE_PERCENT: u64 = 20;
/// The most points that `auto` changes in place: they are kept in PostgreSQL while the run can be undone.
pub const IN_PLACE_POINTS: u64 = 10_000;

/// What the choice depends on.
pub(super) struct Facts<'a> {
    pub set: &'a VectorSet,
    /// The live collection and whether the set's name is its alias.
    pub live: Option<(String, bool)>,
    pub shape: &'a Shape,
    /// Whether policy, embedders or payload fields are others than those of the points that are there.
    pub recipe_changed: bool,
    /// Points to be written and deleted.
    pub changed: u64,
    /// Points that are there.
    pub there: u64,
}

/// Chooses.
///
/// # Errors
/// When the author's choice cannot make the change.
pub(super) fn choose(facts: &Facts<'_>) -> Result<CollectionChange, Diagnostic> {
    let set = facts.set;
    let Some((live, alias)) = facts.live.clone() else {
        return match set.rollout {
            Rollout::Auto | Rollout::BlueGreen | Rollout::InPlace => Ok(CollectionChange::New),
        };
    };
    match (alias, facts.shape.vectors.is_empty(), set.rollout) {
        (false, false, _) => Err(refused(
            set,
            format!("\"{live}\" is a collection and its shape has to change: {}", facts.shape.vectors.join("; ")),
            format!(
                "name an alias, for example \"{live}_live\": a new collection is filled behind it, then point readers at it"
            ),
        )),
        (false, true, Rollout::BlueGreen) => Err(refused(
            set,
            format!("\"{live}\" is a collection, and a new one cannot take its name"),
            format!("write rollout: in_place, or name an alias, for example \"{live}_live\", and point readers at it"),
        )),
        (false, true, Rollout::Auto) => Ok(CollectionChange::InPlace {
            why: format!("\"{live}\" is a collection, not an alias, so no other can take its place"),
            live,
        }),
        (true, false, Rollout::InPlace) => Err(refused(
            set,
            format!("the shape has to change, which cannot be done in place: {}", facts.shape.vectors.join("; ")),
            "write rollout: auto or rollout: blue_green".to_owned(),
        )),
        (_, true, Rollout::InPlace) => Ok(CollectionChange::InPlace { live, why: "the plan file says so".to_owned() }),
        (true, _, Rollout::BlueGreen) => {
            Ok(CollectionChange::Replace { live, why: "the plan file says so".to_owned() })
        }
        (true, false, Rollout::Auto) => Ok(CollectionChange::Replace { live, why: facts.shape.vectors.join("; ") }),
        (true, true, Rollout::Auto) => Ok(by_share(facts, live)),
    }
}

fn by_share(facts: &Facts<'_>, live: String) -> CollectionChange {
    let Facts { changed, there, .. } = *facts;
    if facts.recipe_changed {
        let why = "the points are made in another way, and readers should not see both".to_owned();
        return CollectionChange::Replace { live, why };
    }
    let share = format!("{changed} of {there} points change");
    if changed.saturating_mul(100) > there.saturating_mul(IN_PLACE_PERCENT) {
        let why = format!("{share}, more than {IN_PLACE_PERCENT} %");
        return CollectionChange::Replace { live, why };
    }
    if changed > IN_PLACE_POINTS {
        let why = format!("{share}, more than {IN_PLACE_POINTS}");
        return CollectionChange::Replace { live, why };
    }
    CollectionChange::InPlace { live, why: format!("{share}, at most {IN_PLACE_PERCENT} %") }
}

fn refused(set: &VectorSet, why: String, hint: String) -> Diagnostic {
    Diagnostic::error(codes::ROLLOUT, why).at(&set.place).hint(hint)
}
