//! Arguments of what stands between a plan and its apply: approvals, a narrowed plan, and the watch afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::DataFormat;
use crate::observe::Depth;
use crate::plan::Partial;
use crate::spec::span_seconds;

/// Approve a saved plan, as the database role of the connection
///
/// Records who, when and until when for the plan's digest. An environment says in enact.yaml how many approvals an apply
/// needs, and whether the author's own counts; no option goes round them. Exits with 8 when the approval would not count.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact approve plan.json --expires 7d
  enact approve plan.json --list
  enact approve plan.json --revoke")]
pub struct ApproveArgs {
    /// The saved plan, as `enact plan --out` wrote it
    #[arg(value_name = "FILE")]
    pub plan: PathBuf,
    /// How long the approval holds: a number with s, m, h or d [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = seconds, conflicts_with_all = ["list", "revoke"])]
    pub expires: Option<u64>,
    /// Say who approved the plan and what is missing, and approve nothing
    #[arg(long, conflicts_with = "revoke")]
    pub list: bool,
    /// Take your own approval back
    #[arg(long)]
    pub revoke: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
}

fn seconds(written: &str) -> Result<u64, String> {
    // A century: PostgreSQL's timestamps end, and nobody means more.
    const MOST: u64 = 36_525 * 86_400;
    match span_seconds(written) {
        Some(seconds) if (1..=MOST).contains(&seconds) => Ok(seconds),
        _ => Err("write 90s, 30m, 1h or 7d".to_owned()),
    }
}

/// What a plan is narrowed to, and how its points are compared.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct PartialArgs {
    /// Compare points one by one instead of counting them by fingerprint
    #[arg(long)]
    pub full: bool,
    /// Read every point whole, and compare its payload, its digest and the shape of its vectors too
    #[arg(long, conflicts_with = "full")]
    pub deep: bool,
    /// Make the points of a vector set, or of one of its units, anew whatever the comparison says; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = replaced)]
    pub replace: Vec<Replaced>,
    /// Plan only this address and what it needs; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub target: Vec<String>,
    /// Leave this address out; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub exclude: Vec<String>,
}

/// Points that are made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The vector set.
    pub set: String,
    /// The unit's id or address; all of them where none is named.
    pub unit: Option<String>,
}

fn replaced(written: &str) -> Result<Replaced, String> {
    let form = || "write vector_set.NAME, or vector_set.NAME[UNIT] with a unit's id or address".to_owned();
    let name = written.strip_prefix("vector_set.").filter(|name| !name.is_empty()).ok_or_else(form)?;
    let Some((set, rest)) = name.split_once('[') else { return Ok(Replaced { set: name.to_owned(), unit: None }) };
    let unit = rest.strip_suffix(']').ok_or_else(form)?;
    let unit = serde_json::from_str::<String>(unit).unwrap_or_else(|_| unit.to_owned());
    if set.is_empty() || unit.is_empty() {
        return Err(form());
    }
    Ok(Replaced { set: set.to_owned(), unit: Some(unit) })
}

impl PartialArgs {
    /// How thoroughly points are compared.
    pub fn depth(&self) -> Depth {
        match (self.deep, self.full) {
            (true, _) => Depth::Deep,
            (false, true) => Depth::Each,
            (false, false) => Depth::Fingerprint,
        }
    }

    /// Units whose points are made anew, by vector set; all of them where none is named.
    pub fn replaced(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for Replaced { set, unit } in &self.replace {
            out.entry(set.clone()).or_default().extend(unit.clone());
        }
        for Replaced { set, .. } in self.replace.iter().filter(|replaced| replaced.unit.is_none()) {
            out.insert(set.clone(), BTreeSet::new());
        }
        out
    }

    /// Whether any of these was given.
    pub fn is_given(&self) -> bool {
        !self.partial().is_whole() || self.full || self.deep || !self.replace.is_empty()
    }

    /// The same without order and repetition.
    pub fn partial(&self) -> Partial {
        let sorted =
            |names: &[String]| -> Vec<String> { names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect() };
        Partial { targets: sorted(&self.target), excluded: sorted(&self.exclude) }
    }
}

/// Say whether reality still is what was applied; made for cron and timers
///
/// Verifies both stores against the last apply and, where there are plan files, compares as `enact plan` does. One line
/// says the verdict. Exits with 9 when something drifted.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact drift
  enact drift --format json
  enact drift --format prometheus > /var/lib/node_exporter/enact.prom")]
pub struct DriftArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DriftFormat::Text)]
    pub format: DriftFormat,
}

/// How drift is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftFormat {
    /// For people.
    Text,
    /// For machines, with a format_version.
    Json,
    /// The text format that Prometheus reads.
    Prometheus,
}
