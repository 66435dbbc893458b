//! What a verification found, for a terminal and for machines: verdict first and last, one line for each check.

use serde_json::json;

use super::TextOptions;
use super::line::Line;
use super::style::Role;
use super::words::{count, number};
use crate::verify::{Check, Report, Status};

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";
/// Differences of one check that are shown when not verbose.
const ITEMS: usize = 20;

/// Writes a report for a terminal.
pub fn verify_text(report: &Report, options: &TextOptions) -> String {
    let role = if report.has_failed() { Role::Remove } else { Role::Add };
    let verdict = Line::new(0).part(role, verify_verdict(report));
    let mut lines = vec![verdict.clone(), Line::new(0)];
    for check in &report.checks {
        check_lines(check, options.verbose, &mut lines);
    }
    lines.extend([Line::new(0), verdict]);
    let mut out = String::new();
    lines.iter().for_each(|line| line.write(options, &mut out));
    out
}

/// The verdict in one line.
pub fn verify_verdict(report: &Report) -> String {
    let of = |wanted: fn(&Status) -> bool| report.checks.iter().filter(|check| wanted(&check.status)).count() as u64;
    let failed = of(|status| matches!(status, Status::Failed { .. }));
    let skipped = of(|status| matches!(status, Status::Skipped { .. }));
    let checks = report.checks.len() as u64;
    let left = if skipped > 0 { format!(", {} not judged", number(skipped)) } else { String::new() };
    if failed > 0 {
        return format!("Different: {} of {} failed{left}.", number(failed), count(checks, "check"));
    }
    let passed = count(checks - skipped, "check");
    format!("Verified: {passed} passed{left}. PostgreSQL and Qdrant match what was applied.")
}

fn check_lines(check: &Check, verbose: bool, lines: &mut Vec<Line>) {
    let Check { name, status, count } = check;
    let (role, word) = match status {
        Status::Passed => (Role::Add, "ok     "),
        Status::Failed { .. } => (Role::Remove, "FAILED "),
        Status::Skipped { .. } => (Role::Faint, "skipped"),
    };
    let mut line = Line::new(0).plain("  ").part(role, word).plain(format!(" {name}"));
    if *count > 0 {
        line = line.part(Role::Faint, format!(" ({})", number(*count)));
    }
    match status {
        Status::Passed => lines.push(line),
        Status::Skipped { why } => lines.push(line.part(Role::Faint, format!(": {why}"))),
        Status::Failed { what } => {
            lines.push(line);
            let shown = if verbose { what.len() } else { ITEMS };
            lines.extend(what.iter().take(shown).map(|item| Line::new(3).plain(format!("- {item}"))));
            if what.len() > shown {
                let more = number((what.len() - shown) as u64);
                lines.push(Line::new(3).part(Role::Faint, format!("… and {more} more; --verbose lists all")));
            }
        }
    }
}

/// Writes a report for machines.
pub fn verify_json(report: &Report) -> String {
    let answer = json!({
        "format_version": FORMAT_VERSION,
        "verdict": if report.has_failed() { "different" } else { "verified" },
        "checks": report.checks,
    });
    format!("{answer:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TextOptions = TextOptions { color: false, width: 100, verbose: false };

    #[test]
    fn the_verdict_stands_first_and_last_and_long_lists_are_cut() {
        let what = (0..22).map(|n| format!("point {n}")).collect();
        let checks =
            vec![Check::of("a", 3, Vec::new()), Check::of("b", 0, what), Check::skipped("c", 1_200, "not Enact's")];
        let text = verify_text(&Report { checks }, &PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Different: 1 of 3 checks failed, 1 not judged.");
        assert_eq!(lines[0], lines[lines.len() - 1]);
        assert_eq!(lines[2..5], ["  ok      a (3)", "  FAILED  b", "          - point 0"]);
        assert_eq!(lines[24..26], ["          … and 2 more; --verbose lists all", "  skipped c (1,200): not Enact's"]);
    }

    #[test]
    fn a_report_without_differences_says_so() {
        let report = Report { checks: vec![Check::of("a", 1, Vec::new())] };
        let verdict = "Verified: 1 check passed. PostgreSQL and Qdrant match what was applied.";
        assert_eq!(verify_verdict(&report), verdict);
        assert!(verify_json(&report).contains("\"format_version\": \"1.0\""));
    }
}
