//! What probes found, as a table: the verdict as a word, then what, as whom and what was found; below it what to change.

use super::layout::columns;
use super::style::{Role, paint};
use super::words::number;
use super::{TextOptions, escape};
use crate::preflight::{Area, Preflight, Probe, Verdict};

/// Writes the verdict, the table by area, and the verdict again.
pub fn preflight_text(preflight: &Preflight, options: &TextOptions) -> String {
    let verdict = paint(Role::Strong, &preflight_verdict(preflight), options.color);
    let at = preflight.probed_at.as_ref().map(|at| format!(", probed {}", escape::terminal(at))).unwrap_or_default();
    let mut out = format!("{verdict}\nEnvironment {}{at}.\n", escape::terminal(&preflight.environment));
    let rows: Vec<Vec<String>> = preflight.probes.iter().map(row).collect();
    let mut area = None;
    for (probe, line) in preflight.probes.iter().zip(columns(&rows, &[])) {
        if area != Some(probe.area) {
            area = Some(probe.area);
            out.push_str(&format!("\n{}\n", paint(Role::Strong, title(probe.area), options.color)));
        }
        let role = match probe.verdict {
            Verdict::Ok => Role::Plain,
            Verdict::Warning => Role::Warn,
            Verdict::Failed => Role::Remove,
        };
        out.push_str(&format!("  {}\n", paint(role, &line, options.color)));
        if let Some(change) = &probe.change {
            out.push_str(&format!("           change: {}\n", escape::terminal(change)));
        }
    }
    out.push_str(&format!("\n{verdict}\n"));
    out
}

fn row(probe: &Probe) -> Vec<String> {
    let Probe { area: _, what, as_whom, found, verdict, change: _ } = probe;
    let whom = as_whom.as_ref().map_or_else(String::new, |whom| format!("as {whom}"));
    vec![word(*verdict).to_owned(), what.clone(), whom, found.clone()]
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failed => "FAILED",
    }
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Secrets => "Secrets",
        Area::Postgres => "PostgreSQL",
        Area::Schema => "Schema enact",
        Area::Roles => "Roles",
        Area::Tables => "Tables",
        Area::Functions => "Functions",
        Area::Gates => "Gates",
        Area::Qdrant => "Qdrant",
        Area::Collections => "Collections",
        Area::Embedders => "Embedders",
        Area::Plan => "Plan files",
    }
}

/// The verdict in one line.
pub fn preflight_verdict(preflight: &Preflight) -> String {
    let [ok, warnings, failed] =
        [Verdict::Ok, Verdict::Warning, Verdict::Failed].map(|verdict| preflight.count(verdict));
    let plural = if warnings == 1 { "" } else { "s" };
    let text = format!("{} ok, {} warning{plural}, {} failed.", number(ok), number(warnings), number(failed));
    if failed > 0 { format!("Preflight failed: {text}") } else { format!("Preflight passed: {text}") }
}

/// Writes it for machines.
pub fn preflight_json(preflight: &Preflight) -> String {
    let Ok(value) = serde_json::to_value(preflight) else { panic!("BUG: a preflight does not serialise") };
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Found;

    #[test]
    fn a_table_reads_without_colour_and_says_what_to_change() {
        let code = crate::preflight::codes::TABLE_PRIVILEGE;
        let found = [
            Found::failed(Area::Tables, code, "table kb.page", "no INSERT").as_whom("writer").change("GRANT …;"),
            Found::ok(Area::Postgres, "database kb", "PostgreSQL 15\u{1b}"),
        ];
        let preflight = Preflight::of("staging", Some("2026-05-24".to_owned()), &found);
        let options = TextOptions { color: false, width: 100, verbose: false };
        assert_eq!(
            preflight_text(&preflight, &options),
            "Preflight failed: 1 ok, 0 warnings, 1 failed.\nEnvironment staging, probed 2026-05-24.\n\n\
             PostgreSQL\n  ok      database kb               PostgreSQL 15\\u{1b}\n\n\
             Tables\n  FAILED  table kb.page  as writer  no INSERT\n           change: GRANT …;\n\n\
             Preflight failed: 1 ok, 0 warnings, 1 failed.\n"
        );
    }
}
