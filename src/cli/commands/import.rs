//! `enact import`: what lives already comes under Enact as it is.

use std::collections::BTreeSet;

use super::apply::decide;
use super::show::written;
use crate::cli::args::{GlobalArgs, ImportArgs, PlanFormat};
use crate::cli::session::{Session, block_on, configure, load_desired};
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
    block_on(async {
        let mut session = Session::open(configured, global, output).await?;
        let outcome = match session.plan_import(desired, only, &sources, output).await {
            Ok(built) => {
                output.result(&written(&built.plan, PlanFormat::Text, output));
                decide(&mut session, &built.plan, "Write this down?", global, args.auto_approve, output).await
            }
            Err(outcome) => outcome,
        };
        session.close(output).await;
        Ok(outcome)
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
