//! Checks and protections that earlier applies wrote down: asked and sealed again.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Facts;
use super::result::{Check, Status};
use crate::model::{Address, Binding, Check as Asked, Guarded, Managed, ProtectionPin};
use crate::observe::{ObserveError, Sealing, ask};
use crate::store::{Fault, StoreError, Tx, VectorStore};

/// What was found of checks and protections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardFindings {
    /// By address: whether a failure only warns, how many things were looked at, and what is wrong.
    pub found: BTreeMap<Address, Finding>,
}

/// What was found of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What should hold.
    pub title: String,
    /// Whether a failure is only told.
    pub warning: bool,
    /// How many things were looked at.
    pub count: u64,
    /// What does not hold.
    pub wrong: Vec<String>,
}

/// Asks and seals again.
pub(super) async fn read(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    binding: &Binding,
    managed: &BTreeMap<Address, Managed>,
) -> Result<GuardFindings, ObserveError> {
    let (checks, protections) = (Address::check(""), Address::protect(""));
    let mut out = GuardFindings::default();
    for (address, entry) in managed {
        let attributes = entry.attributes.clone();
        let finding = if let Some(name) = address.as_str().strip_prefix(checks.as_str()) {
            match serde_json::from_value::<Asked>(attributes) {
                Ok(check) => asked(tx, name, &check).await?,
                Err(_) => unreadable(address),
            }
        } else if let Some(name) = address.as_str().strip_prefix(protections.as_str()) {
            match serde_json::from_value::<ProtectionPin>(attributes) {
                Ok(pin) => sealed(tx, vectors, binding, name, &pin).await?,
                Err(_) => unreadable(address),
            }
        } else {
            continue;
        };
        out.found.insert(address.clone(), finding);
    }
    Ok(out)
}

fn unreadable(address: &Address) -> Finding {
    let wrong = vec!["the database's record of it cannot be read".to_owned()];
    Finding { title: format!("{address}: its record is readable"), warning: false, count: 0, wrong }
}

/// What an author's check is called among the others.
pub fn check_title(name: &str) -> String {
    format!("check \"{name}\": holds")
}

async fn asked(tx: &mut dyn Tx, name: &str, check: &Asked) -> Result<Finding, ObserveError> {
    let wrong = match refusal(ask(tx, &check.query).await)? {
        Ok(answer) => check.expect.refutes(&answer),
        Err(why) => Some(why),
    };
    Ok(Finding { title: check_title(name), warning: check.warning, count: 0, wrong: wrong.into_iter().collect() })
}

async fn sealed(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    binding: &Binding,
    name: &str,
    pin: &ProtectionPin,
) -> Result<Finding, ObserveError> {
    let mut instead = BTreeMap::new();
    if let Guarded::Units { sets, .. } = &pin.of {
        for (set, collection) in sets {
            if let Some(live) = vectors.collection(set).await?.filter(|live| live.name != *collection) {
                instead.insert(set.clone(), live.name);
            }
        }
    }
    let sealing = Sealing { binding, vectors, instead: &instead, exempt: &BTreeSet::new() };
    let wrong = match refusal(sealing.read(tx, &pin.of, Some(&pin.seal)).await)? {
        Ok(now) => pin.seal.moved(&now, pin.of.noun()),
        Err(why) => vec![why],
    };
    let title = format!("protection \"{name}\": {} are as the last apply left them", pin.of.describe());
    Ok(Finding { title, warning: false, count: pin.seal.count(), wrong })
}

/// What a store refuses is a difference; what it could not answer ends the verification.
fn refusal<T>(read: Result<T, StoreError>) -> Result<Result<T, String>, StoreError> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.fault == Fault::Refused => Ok(Err(error.message)),
        Err(error) => Err(error),
    }
}

/// Judges. Pure.
pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let one = |finding: &Finding| {
        let Finding { title, warning, count, wrong } = finding;
        if *warning && !wrong.is_empty() {
            let why = format!("it only warns, and does not hold: {}", wrong.join("; "));
            return Check { name: title.clone(), status: Status::Skipped { why }, count: *count };
        }
        Check::of(title.clone(), usize::try_from(*count).unwrap_or(usize::MAX), wrong.clone())
    };
    facts.guards.found.values().map(one).collect()
}
