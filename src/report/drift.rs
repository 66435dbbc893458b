//! Whether reality still is what was applied: one line for people, a document for machines, the text format of Prometheus.

use std::collections::BTreeMap;

use serde_json::json;

use super::TextOptions;
use super::body_drift;
use super::line::Line;
use super::style::Role;
use super::words::{count, number};
use crate::diff::{Drift, DriftKind};
use crate::verify::{Report, Status};

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";
/// Every kind, so that a series is there before it is needed, and goes back to 0.
const KINDS: [&str; 9] = [
    "units_moved_back",
    "rows_gone",
    "collection_gone",
    "collection_replaced",
    "shape_changed",
    "points_gone",
    "content_changed",
    "ledger_changed",
    "verify",
];
/// Differences of one check that are shown when not verbose.
const ITEMS: usize = 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftView {
    /// The environment.
    pub environment: String,
    /// What the verification of both stores found.
    pub verified: Report,
    /// What a plan calls drift; `None` where there are no plan files, or where they cannot be planned.
    pub drift: Option<Vec<Drift>>,
    /// When, in seconds since 1970 UTC.
    pub checked_at: u64,
}

impl DriftView {
    /// Whether anything differs.
    pub fn has_drifted(&self) -> bool {
        self.verified.has_failed() || self.drift.iter().flatten().next().is_some()
    }

    /// How many things differ, by kind. The same thing may be found both ways.
    fn counts(&self) -> BTreeMap<&'static str, u64> {
        let mut out: BTreeMap<&'static str, u64> = KINDS.into_iter().map(|kind| (kind, 0)).collect();
        for drift in self.drift.iter().flatten() {
            let (kind, things) = counted(&drift.what);
            *out.entry(kind).or_default() += things;
        }
        *out.entry("verify").or_default() += self.failures().map(|(_, things)| things).sum::<u64>();
        out
    }

    fn failures(&self) -> impl Iterator<Item = (&str, u64)> {
        self.verified.checks.iter().map(|check| {
            let things = if let Status::Failed { what } = &check.status { what.len() as u64 } else { 0 };
            (check.name.as_str(), things)
        })
    }
}

fn counted(what: &DriftKind) -> (&'static str, u64) {
    match what {
        DriftKind::UnitsMovedBack { units, .. } => ("units_moved_back", units.count),
        DriftKind::RowsGone { rows } => ("rows_gone", *rows),
        DriftKind::CollectionGone => ("collection_gone", 1),
        DriftKind::CollectionReplaced { .. } => ("collection_replaced", 1),
        DriftKind::ShapeChanged { how } => ("shape_changed", how.len() as u64),
        DriftKind::PointsGone { points, .. } => ("points_gone", *points),
        DriftKind::ContentChanged { units } => ("content_changed", units.count),
        DriftKind::LedgerChanged { rows } => ("ledger_changed", *rows),
    }
}

/// The verdict in one line.
pub fn drift_verdict(view: &DriftView) -> String {
    let failed = view.verified.checks.iter().filter(|check| check.has_failed()).count() as u64;
    let checks = count(view.verified.checks.len() as u64, "check");
    let failed = number(failed);
    match (view.has_drifted(), view.drift.as_ref()) {
        (true, Some(drift)) if !drift.is_empty() => {
            let found = count(drift.len() as u64, "difference");
            format!("Drift: {failed} of {checks} failed, {found} from what was applied.")
        }
        (true, Some(_) | None) => format!("Drift: {failed} of {checks} failed."),
        (false, Some(_)) => format!("No drift: {checks} passed, and a plan finds none."),
        (false, None) => format!("No drift: {checks} passed."),
    }
}

/// Writes the verdict, and below it what differs.
pub fn drift_text(view: &DriftView, options: &TextOptions) -> String {
    let role = if view.has_drifted() { Role::Remove } else { Role::Add };
    let mut lines = vec![Line::new(0).part(role, drift_verdict(view))];
    lines.extend(body_drift::lines(view.drift.as_deref().unwrap_or_default(), 1));
    for check in &view.verified.checks {
        let Status::Failed { what } = &check.status else { continue };
        lines.push(Line::new(1).part(Role::Strong, check.name.as_str()));
        let shown = if options.verbose { what.len() } else { ITEMS };
        lines.extend(what.iter().take(shown).map(|item| Line::new(2).plain(format!("- {item}"))));
        if what.len() > shown {
            let more = number((what.len() - shown) as u64);
            lines.push(Line::new(2).part(Role::Faint, format!("… and {more} more; --verbose lists all")));
        }
    }
    let mut out = String::new();
    lines.iter().for_each(|line| line.write(options, &mut out));
    out
}

/// Writes it for machines.
pub fn drift_json(view: &DriftView) -> String {
    let answer = json!({
        "format_version": FORMAT_VERSION,
        "environment": view.environment,
        "verdict": if view.has_drifted() { "drift" } else { "no_drift" },
        "checked_at": view.checked_at,
        "counts": view.counts(),
        "drift": view.drift,
        "checks": view.verified.checks,
    });
    format!("{answer:#}\n")
}

/// Writes it as Prometheus reads it (text format 0.0.4).
pub fn drift_prometheus(view: &DriftView) -> String {
    let environment = label(&view.environment);
    let mut out = String::new();
    out.push_str(
        "# HELP enact_drift Things that are no longer as the last apply left them.\n# TYPE enact_drift gauge\n",
    );
    for (kind, things) in view.counts() {
        out.push_str(&format!("enact_drift{{environment=\"{environment}\",kind=\"{kind}\"}} {things}\n"));
    }
    out.push_str(
        "# HELP enact_verify_failures Things for which a check does not hold.\n# TYPE enact_verify_failures gauge\n",
    );
    // Two checks of the same name would be the same series twice, which is refused.
    let mut checks: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, things) in view.failures() {
        *checks.entry(name).or_default() += things;
    }
    for (name, things) in checks {
        let check = label(name);
        out.push_str(&format!("enact_verify_failures{{environment=\"{environment}\",check=\"{check}\"}} {things}\n"));
    }
    out.push_str(
        "# HELP enact_drift_last_check_timestamp When this was found, in seconds since 1970 UTC.\n\
         # TYPE enact_drift_last_check_timestamp gauge\n",
    );
    let at = view.checked_at;
    out.push_str(&format!("enact_drift_last_check_timestamp{{environment=\"{environment}\"}} {at}\n"));
    out
}

/// A label's value: a backslash, a quote and a line's end are escaped, and nothing else may be.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;
    use crate::verify::Check;

    fn view(drift: Vec<Drift>, checks: Vec<Check>) -> DriftView {
        let environment = "a\"b\\c\nd".to_owned();
        DriftView { environment, verified: Report { checks }, drift: Some(drift), checked_at: 1_773_309_600 }
    }

    #[test]
    fn prometheus_gets_every_kind_and_no_name_ends_its_label() {
        let drift = Drift { address: Address::promotion("p"), what: DriftKind::RowsGone { rows: 3 } };
        let text = drift_prometheus(&view(vec![drift], vec![Check::of("points \"x\"", 4, vec!["one".to_owned()])]));
        assert!(text.contains("enact_drift{environment=\"a\\\"b\\\\c\\nd\",kind=\"rows_gone\"} 3\n"), "{text}");
        assert!(text.contains(",kind=\"points_gone\"} 0\n") && text.contains(",kind=\"verify\"} 1\n"), "{text}");
        assert!(text.contains(",check=\"points \\\"x\\\"\"} 1\n"), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), KINDS.len() + 2);
        assert!(text.ends_with("} 1773309600\n"), "{text}");
    }

    #[test]
    fn without_drift_there_is_one_line() {
        let options = TextOptions { color: false, width: 100, verbose: false };
        let text = drift_text(&view(Vec::new(), vec![Check::of("a", 1, Vec::new())]), &options);
        assert_eq!(text, "No drift: 1 check passed, and a plan finds none.\n");
    }
}
