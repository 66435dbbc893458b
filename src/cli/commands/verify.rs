//! `enact verify`: both stores against what was applied.

use crate::cli::args::{DataFormat, GlobalArgs, VerifyArgs};
use crate::cli::session::{Session, block_on, configure, observe_failed};
use crate::cli::{Outcome, Output};
use crate::report::{verify_json, verify_text};
use crate::spec::Sources;
use crate::verify::{compare, read};

/// Verifies and prints.
pub fn run(global: &GlobalArgs, args: &VerifyArgs, output: &Output) -> Outcome {
    let configured = match configure(global, output) {
        Ok(configured) => configured,
        Err(outcome) => return outcome,
    };
    block_on(async {
        let mut session = match Session::open(configured, global, output).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let outcome = verify(&mut session, args.format, output).await;
        session.close(output).await;
        outcome
    })
}

/// Verifies over an open session and prints.
pub async fn verify(session: &mut Session, format: DataFormat, output: &Output) -> Outcome {
    let facts = match read(&mut session.postgres, &session.qdrant, &session.binding).await {
        Ok(facts) => facts,
        Err(error) => return observe_failed(output, &error, &Sources::default()),
    };
    let report = compare(&session.binding, &facts);
    output.result(&match format {
        DataFormat::Text => verify_text(&report, &output.text_options()),
        DataFormat::Json => verify_json(&report),
    });
    if report.has_failed() { Outcome::DifferenceFound } else { Outcome::Success }
}
