//! What was found: plain data with a version, in a stable order.

use serde::{Deserialize, Serialize};

use super::codes;
use crate::model::{Code, Diagnostic, Diagnostics, Place};

/// The version of the data.
pub const PREFLIGHT_VERSION: &str = "1.0";

/// The result of all probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// `MAJOR.MINOR`.
    pub format_version: String,
    /// The environment.
    pub environment: String,
    /// When, by the database's clock; absent when it was not reached.
    pub probed_at: Option<String>,
    /// What was found, by area.
    pub probes: Vec<Probe>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What kind of thing.
    pub area: Area,
    /// What was probed.
    pub what: String,
    /// The role, or the key, with which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_whom: Option<String>,
    /// What was found.
    pub found: String,
    /// What that means.
    pub verdict: Verdict,
    /// What to type or change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// Kinds of things, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Secrets by name.
    Secrets,
    /// The connection to PostgreSQL.
    Postgres,
    /// Enact's own schema.
    Schema,
    /// Roles.
    Roles,
    /// Tables, views and schemas.
    Tables,
    /// Functions.
    Functions,
    /// Gates.
    Gates,
    /// The connection to Qdrant.
    Qdrant,
    /// Collections and aliases.
    Collections,
    /// Embedders and BM25.
    Embedders,
    /// The plan files themselves.
    Plan,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Ok,
    /// It does, within limits.
    Warning,
    /// It does not.
    Failed,
}

/// A probe with what a diagnostic needs beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The probe.
    pub probe: Probe,
    /// The code where it is not ok.
    pub code: Code,
    /// The file's place that caused the need.
    pub place: Option<Place>,
}

impl Found {
    /// Something that is as it should be.
    pub fn ok(area: Area, what: impl Into<String>, found: impl Into<String>) -> Found {
        let probe =
            Probe { area, what: what.into(), as_whom: None, found: found.into(), verdict: Verdict::Ok, change: None };
        Found { probe, code: codes::LIMITED, place: None }
    }

    /// Something that works within limits.
    pub fn warning(area: Area, what: impl Into<String>, found: impl Into<String>) -> Found {
        let mut out = Found::ok(area, what, found);
        out.probe.verdict = Verdict::Warning;
        out
    }

    /// Something that stops a plan.
    pub fn failed(area: Area, code: Code, what: impl Into<String>, found: impl Into<String>) -> Found {
        let mut out = Found::ok(area, what, found);
        out.probe.verdict = Verdict::Failed;
        out.code = code;
        out
    }

    /// As whom it was probed.
    #[must_use]
    pub fn as_whom(mut self, role: &str) -> Found {
        self.probe.as_whom = Some(role.to_owned());
        self
    }

    /// What to type or change.
    #[must_use]
    pub fn change(mut self, change: impl Into<String>) -> Found {
        self.probe.change = Some(change.into());
        self
    }

    /// The place that caused the need.
    #[must_use]
    pub fn at(mut self, place: Option<&Place>) -> Found {
        self.place = place.cloned();
        self
    }

    /// Whether it stops a plan.
    pub fn has_failed(&self) -> bool {
        self.probe.verdict == Verdict::Failed
    }

    fn diagnostic(&self) -> Option<Diagnostic> {
        let Probe { as_whom, what, found, verdict, change, area: _ } = &self.probe;
        let role = as_whom.as_deref().map(|role| format!("\"{role}\": ")).unwrap_or_default();
        let detail = format!("{role}{what}: {found}");
        let mut out = match verdict {
            Verdict::Ok => return None,
            Verdict::Warning => Diagnostic::warning(codes::LIMITED, detail),
            Verdict::Failed => Diagnostic::error(self.code, detail),
        };
        out.place.clone_from(&self.place);
        out.hint.clone_from(change);
        Some(out)
    }
}

/// What is not ok, as diagnostics.
pub fn diagnostics(found: &[Found]) -> Diagnostics {
    Diagnostics(found.iter().filter_map(Found::diagnostic).collect())
}

/// The same for a plan that the role may make and not apply: where it may not even write down a run, as the role of a pull
/// request, the rights that it lacks are one warning.
pub fn diagnostics_of_reader(found: &[Found]) -> Diagnostics {
    const RIGHTS: [Code; 6] = [
        codes::ENACT_SCHEMA,
        codes::TABLE_PRIVILEGE,
        codes::FUNCTION_PRIVILEGE,
        codes::SCHEMA_USAGE,
        codes::ROLE_SWITCH,
        codes::READ_ONLY,
    ];
    let is_right = |found: &&Found| found.has_failed() && RIGHTS.contains(&found.code);
    let run = |found: &&Found| found.probe.area == Area::Schema && found.probe.what == "table enact.run";
    let Some(reader) = found.iter().filter(is_right).find(run) else { return diagnostics(found) };
    let lacked = found.iter().filter(is_right).count();
    let role = reader.probe.as_whom.as_deref().unwrap_or_default();
    let detail =
        format!("\"{role}\" may make this plan, and not apply it: it lacks {lacked} rights that an apply needs");
    let warning = Diagnostic::warning(codes::LIMITED, detail).hint("enact preflight names them, with what to grant");
    let rest = found.iter().filter(|found| !is_right(found)).filter_map(Found::diagnostic);
    Diagnostics(std::iter::once(warning).chain(rest).collect())
}

impl Preflight {
    /// Puts probes in order. Within an area the order is that of probing, which does not depend on time.
    pub fn of(environment: &str, probed_at: Option<String>, found: &[Found]) -> Preflight {
        let mut probes: Vec<Probe> = found.iter().map(|found| found.probe.clone()).collect();
        probes.sort_by_key(|probe| probe.area);
        let environment = environment.to_owned();
        Preflight { format_version: PREFLIGHT_VERSION.to_owned(), environment, probed_at, probes }
    }

    /// How many probes have a verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.probes.iter().filter(|probe| probe.verdict == verdict).count() as u64
    }

    /// Whether something stops a plan.
    pub fn has_failed(&self) -> bool {
        self.count(Verdict::Failed) > 0
    }
}
