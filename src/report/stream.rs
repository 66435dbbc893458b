//! What `--json` writes: one JSON object on each line, in the order in which things happen.
//!
//! ```text
//! version ── log · diagnostic ── plan_summary · planned_change* · finding* ── run_opened · phase · progress* · step_done* … ── outcome
//! ```
//!
//! - `version` is the first line and `outcome` the last; a stream without an `outcome` was cut off.
//! - Every line has `type` and `at`, and `run` and `phase` once there is a run. Keys are added in a minor version, never
//!   renamed or removed; a reader leaves out types and keys that it does not know.
//! - Values are those of the saved plan: no line holds a secret, because the saved plan holds none.
//!
//! *Not here:* the clock and which run it is; the command line adds them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use super::action::Action;
use super::words::reason;
use crate::apply::Event;
use crate::model::{Diagnostic, Severity};
use crate::plan::{Phase, SavedPlan, Summary};
use crate::verify::{Check, Report, Status};

/// The version of the stream.
pub const STREAM_VERSION: &str = "1.0";

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "One line of enact --json")]
pub struct StreamLine {
    /// What is said.
    #[serde(flatten)]
    pub message: Message,
    /// When, in UTC, as RFC 3339 writes it.
    pub at: String,
    /// The run that is going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Its phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The first line.
    Version {
        /// `MAJOR.MINOR` of the stream; a new major may change what is there.
        format_version: String,
        /// The version of Enact.
        enact: String,
    },
    /// A sentence for people. Its words may change.
    Log {
        /// The sentence.
        message: String,
    },
    /// Something went wrong, or asks for attention.
    Diagnostic {
        /// Whether it stops the command.
        severity: Level,
        /// The stable code, where it has one.
        code: Option<String>,
        /// What it is.
        message: String,
        /// Where, if a file caused it.
        place: Option<FilePlace>,
        /// What to type or to change.
        hint: Option<String>,
    },
    /// What a plan will do, counted.
    PlanSummary {
        /// The environment.
        environment: String,
        /// The digest that an approval names.
        digest: String,
        /// Whether there is anything to do.
        has_changes: bool,
        /// The counts.
        summary: Summary,
    },
    /// One change of the plan.
    PlannedChange {
        /// The resource.
        address: String,
        /// What happens to it: `create`, `update`, `replace`, `delete`, `promote`, `refresh` or `forget`.
        action: String,
        /// Why, for people, the most important first.
        reasons: Vec<String>,
        /// `plans/x.yaml:12:5`, where it is declared.
        declared_at: Option<String>,
    },
    /// Something a reviewer should know.
    Finding {
        /// The stable code.
        code: String,
        /// What it is about.
        address: Option<String>,
        /// One sentence.
        message: String,
    },
    /// A run began. `run` names it.
    RunOpened,
    /// An unfinished run is carried on, or taken back. `run` names it.
    RunRecovering,
    /// A phase began. `phase` names it.
    PhaseBegan,
    /// A part of something long is done.
    Progress {
        /// What is done.
        activity: Activity,
        /// The vector set or the step's title.
        subject: String,
        /// How many so far.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// A step is done.
    StepDone {
        /// Its number in the plan.
        step: u32,
        /// Its title.
        title: String,
    },
    /// PostgreSQL has committed: from here only forward.
    Decided,
    /// A check that only warns does not hold.
    Warned {
        /// Which, and why.
        what: String,
    },
    /// The run goes back.
    Undoing {
        /// Why.
        why: String,
    },
    /// Points of a live collection are put back as they were.
    Restoring {
        /// The vector set.
        set: String,
    },
    /// The run waits until nothing that was sent before can take effect any more.
    Waiting {
        /// Seconds, rounded up.
        seconds: u64,
    },
    /// The connection to PostgreSQL was lost and made anew.
    Reconnected,
    /// One check of a verification.
    Check {
        /// What should hold.
        name: String,
        /// How it ended.
        status: CheckStatus,
        /// How many things were looked at.
        count: u64,
        /// Each thing for which it does not hold, or why it was not judged.
        details: Vec<String>,
    },
    /// The last line.
    Outcome {
        /// The exit code's name, such as `success` or `stale`.
        name: String,
        /// The exit code.
        exit_code: u8,
        /// What people read last.
        verdict: String,
    },
}

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The command stops.
    Error,
    /// The command goes on.
    Warning,
}

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FilePlace {
    /// The file, as the user would type it.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// What long work does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Points are copied into a new collection.
    Copy,
    /// Chunks are embedded and written.
    Embed,
    /// Points are written into a live collection.
    Write,
    /// Functions of the database are called, once for each unit.
    Call,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It was not judged.
    Skipped,
}

impl StreamLine {
    /// The line's text, with its line break.
    pub fn to_text(&self) -> String {
        match serde_json::to_string(self) {
            Ok(text) => text + "\n",
            Err(error) => panic!("BUG: a line of the stream does not serialise: {error}"),
        }
    }
}

/// The schema of a line.
pub fn stream_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<StreamLine>().to_value()
}

/// What a diagnostic says.
pub fn diagnostic_message(diagnostic: &Diagnostic) -> Message {
    let Diagnostic { severity, code, detail, place, hint } = diagnostic;
    Message::Diagnostic {
        severity: match severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        },
        code: Some(code.id.to_owned()),
        message: format!("{}: {detail}", code.summary),
        place: place.as_ref().map(|place| FilePlace {
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
        }),
        hint: hint.clone(),
    }
}

/// What a plan says: its counts, each change, each finding.
pub fn plan_messages(plan: &SavedPlan) -> Vec<Message> {
    let summary = Message::PlanSummary {
        environment: plan.environment.name.clone(),
        digest: plan.digest.to_string(),
        has_changes: !plan.is_empty(),
        summary: plan.summary.clone(),
    };
    let changes = plan.changes.iter().map(|change| Message::PlannedChange {
        address: change.address.to_string(),
        action: Action::of(&change.detail).word().to_owned(),
        reasons: change.reasons.iter().map(reason).collect(),
        declared_at: change.declared_at.clone(),
    });
    let findings = plan.findings.iter().map(|finding| Message::Finding {
        code: finding.code.clone(),
        address: finding.address.as_ref().map(ToString::to_string),
        message: finding.message.clone(),
    });
    std::iter::once(summary).chain(changes).chain(findings).collect()
}

/// What an event of a run says.
pub fn event_message(event: &Event) -> Message {
    let progress = |activity, subject: &String, done: &usize, of: &usize| Message::Progress {
        activity,
        subject: subject.clone(),
        done: *done as u64,
        total: *of as u64,
    };
    match event {
        Event::Opened { run: _ } => Message::RunOpened,
        Event::Recovering { run: _ } => Message::RunRecovering,
        Event::Phase(_) => Message::PhaseBegan,
        Event::Copied { set, done, of } => progress(Activity::Copy, set, done, of),
        Event::Embedded { set, done, of } => progress(Activity::Embed, set, done, of),
        Event::Called { step: _, title, done, of } => progress(Activity::Call, title, done, of),
        Event::Written { set, done, of } => progress(Activity::Write, set, done, of),
        Event::Restoring { set } => Message::Restoring { set: set.clone() },
        Event::Waiting { seconds } => Message::Waiting { seconds: *seconds },
        Event::Reconnected => Message::Reconnected,
        Event::StepDone { step, title } => Message::StepDone { step: *step, title: title.clone() },
        Event::Decided => Message::Decided,
        Event::Warned { what } => Message::Warned { what: what.clone() },
        Event::Undoing { why } => Message::Undoing { why: why.clone() },
    }
}

/// What a verification found.
pub fn check_messages(report: &Report) -> Vec<Message> {
    let message = |Check { name, status, count }: &Check| {
        let (status, details) = match status {
            Status::Passed => (CheckStatus::Passed, Vec::new()),
            Status::Failed { what } => (CheckStatus::Failed, what.clone()),
            Status::Skipped { why } => (CheckStatus::Skipped, vec![why.clone()]),
        };
        Message::Check { name: name.clone(), status, count: *count, details }
    };
    report.checks.iter().map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_fresh() {
        let path = format!("{}/schemas/events.schema.json", env!("CARGO_MANIFEST_DIR"));
        let fresh = format!("{}\n", serde_json::to_string_pretty(&stream_schema()).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == fresh, "{path} is stale; run: UPDATE_SCHEMAS=1 cargo test --lib schema");
    }

    #[test]
    fn a_line_begins_with_its_type() {
        let message = Message::Version { format_version: STREAM_VERSION.to_owned(), enact: "0.1.0".to_owned() };
        let line = StreamLine { message, at: "2026-03-12T10:00:00Z".to_owned(), run: None, phase: None };
        assert_eq!(
            line.to_text(),
            "{\"type\":\"version\",\"format_version\":\"1.0\",\"enact\":\"0.1.0\",\"at\":\"2026-03-12T10:00:00Z\"}\n"
        );
    }

    #[test]
    fn an_event_says_what_it_counts_and_its_run_stands_beside_it() {
        let event = Event::Embedded { set: "charter".to_owned(), done: 3, of: 9 };
        let line = StreamLine {
            message: event_message(&event),
            at: "now".to_owned(),
            run: Some("0198".to_owned()),
            phase: Some(Phase::Stage),
        };
        assert_eq!(
            line.to_text(),
            "{\"type\":\"progress\",\"activity\":\"embed\",\"subject\":\"charter\",\"done\":3,\"total\":9,\
             \"at\":\"now\",\"run\":\"0198\",\"phase\":\"stage\"}\n"
        );
    }
}
