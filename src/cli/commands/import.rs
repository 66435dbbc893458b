//! `enact import`: what lives already comes under Enact as it is.

use std::collections::BTreeSet;

use super::apply::decide;
use super::show::written;
use crate::cli::args::{GlobalArgs, ImportArgs, PlanFormat};
use crate::cli::session::{Session, configure, in_session, load_desired};
use crate::cli::{Outcome, Output};
use crate::model::{Address, Desired, name_hint};

/// Plans the adoption, shows it and asks.
pub fn run(global: &GlobalArgs, args: &ImportArgs, output: &Output) -> Outcome {
    attempt(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn attempt(global: &GlobalArgs, args: &ImportArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = load_desired(global, output)?;
    let only = addresses(args, &desired, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let plan = session.plan_import(desired, only, &sources, output).await?.plan;
        output.result(&written(&plan, PlanFormat::Text, output));
        Ok(decide(session, &plan, "Write this down?", global, args.auto_approve, output).await)
    })
}

fn addresses(args: &ImportArgs, desired: &Desired, output: &Output) -> Result<BTreeSet<Address>, Outcome> {
    let promotions = desired.promotions.keys().map(|name| Address::promotion(name));
    let known: BTreeSet<Address> =
        promotions.chain(desired.vector_sets.keys().map(|name| Address::vector_set(name))).collect();
    let named: BTreeSet<Address> = args.addresses.iter().map(|text| Address::from_text(text.clone())).collect();
    match named.iter().find(|address| !known.contains(*address)) {
        None => Ok(named),
        Some(other) => {
            let hint = name_hint(other.as_str(), known.iter().map(Address::as_str));
            output.error(&format!("no plan file declares \"{other}\""), Some(&hint));
            Err(Outcome::InvalidInput)
        }
    }
}
