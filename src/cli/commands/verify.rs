//! `enact verify`: both stores against what was applied.

use crate::apply::upgrade_where_possible;
use crate::cli::args::{DataFormat, GlobalArgs, VerifyArgs};
use crate::cli::session::{Session, configure, in_session, observe_failed};
use crate::cli::{Outcome, Output, Reader};
use crate::report::{check_messages, verify_json, verify_text, verify_verdict};
use crate::spec::Sources;
use crate::verify::{compare, read};

/// Verifies and prints.
pub fn run(global: &GlobalArgs, args: &VerifyArgs, output: &Output) -> Outcome {
    let verify = async |session: &mut Session| Ok(verify(session, args.format, output).await);
    configure(global, output).and_then(|it| in_session(it, global, output, verify)).unwrap_or_else(|outcome| outcome)
}

/// Verifies over an open session and prints.
pub async fn verify(session: &mut Session, format: DataFormat, output: &Output) -> Outcome {
    output.doing("Comparing PostgreSQL and Qdrant with what was applied");
    if let Err(error) = upgrade_where_possible(&mut session.postgres).await {
        return observe_failed(output, &error.into(), &Sources::default());
    }
    let facts = match read(&mut session.postgres, &session.qdrant, &session.binding, &session.environment.project).await
    {
        Ok(facts) => facts,
        Err(error) => return observe_failed(output, &error, &Sources::default()),
    };
    let report = compare(&session.binding, &facts);
    match output.reader() {
        Reader::People => output.result(&match format {
            DataFormat::Text => verify_text(&report, &output.text_options()),
            DataFormat::Json => verify_json(&report),
        }),
        Reader::Machine => output.messages(check_messages(&report), &verify_verdict(&report)),
    }
    if report.has_failed() { Outcome::DifferenceFound } else { Outcome::Success }
}
