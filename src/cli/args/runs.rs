//! Arguments of the commands that try a plan out and that go back from a run.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{DataFormat, PartialArgs, PlanFormat};

/// Run a plan for real up to the decision, and go back
///
/// Stages the points and runs the whole transaction, with every statement, call and check, then rolls back and compares
/// digests of every touched table and collection. Rows are locked meanwhile. Exits with 5 when the plan is refused, and
/// with 9 when something is not as it was.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact rehearse plan.json
  enact rehearse --refuse-at 40
  enact rehearse --refuse-each --format json")]
pub struct RehearseArgs {
    /// A saved plan; without it, plans first
    #[arg(value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Also run it with a refusal at the Nth unit that it moves
    #[arg(long, value_name = "N", conflicts_with = "refuse_each")]
    pub refuse_at: Option<u64>,
    /// Also run it with a refusal at each unit that it moves, one after the other
    #[arg(long)]
    pub refuse_each: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
    /// What it is narrowed to.
    #[command(flatten)]
    pub partial: PartialArgs,
}

/// Plan the way back from an applied run
///
/// Reads only, and makes a plan like any other: review it, then apply it. Rows get the values that they had, points come
/// back from what the run kept, units move back where the binding has a transition for it. What cannot go back is listed.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact revert 01a204bc-79b8
  enact revert 01a204bc-79b8 --out back.json  then: enact apply back.json
  enact revert 01a204bc-79b8 --to retired --reviewer council --out back.json")]
pub struct RevertArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Save the plan to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The state to which units go forward that have no way back
    #[arg(long, value_name = "STATE", requires = "reviewer")]
    pub to: Option<String>,
    /// Who decided that they go forward
    #[arg(long, value_name = "NAME", requires = "to")]
    pub reviewer: Option<String>,
    /// How the plan is written to stdout
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
}

/// Bring under Enact what lives already, without changing it
///
/// Takes promotions that were made and points that were written before Enact knew of them: those that the plan files
/// declare, or only the named ones. Each is checked, and what cannot be adopted is named with the reason. Shows a plan
/// that only writes down, and asks. Afterwards `enact plan` has nothing to do for them. With --out, what lives and no plan
/// file declares is first written to a plan file, as `enact export` would.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact import
  enact import vector_set.iu_core_iu_chunks --auto-approve
  enact import --out plans/imported.yaml --namespace 3f1d8a52-7c44-5b0e-9d2a-61c0a7f5e9b1
  enact import row.public.dot_config[vector.collection] --out plans/settings.yaml")]
pub struct ImportArgs {
    /// Addresses of resources.
    #[arg(
        value_name = "ADDRESS",
        help = "A resource, such as vector_set.NAME, promotion.NAME or row.SCHEMA.TABLE[KEY] [default: all but rows]"
    )]
    pub addresses: Vec<String>,
    /// Write what no plan file declares to this new plan file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A namespace that ids may have been derived under: a uuid for points, a name for promotions; may be repeated
    #[arg(long, value_name = "NAME", requires = "out")]
    pub namespace: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
}

/// Write a plan file of what lives
///
/// Reads only. What Enact applied is written as it was declared; promotions and points that were made before are written
/// where their ids prove what they are, with comments on what is not certain. Rows are written when they are named. What
/// cannot be written is named with the reason. `enact import --out` does the same and takes over what it wrote.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact export
  enact export vector_set.iu_core_iu_chunks --out plans/chunks.yaml
  enact export row.public.dot_config --out plans/settings.yaml")]
pub struct ExportArgs {
    /// Addresses of resources.
    #[arg(
        value_name = "ADDRESS",
        help = "A resource, such as vector_set.NAME, promotion.NAME, gate.NAME or row.SCHEMA.TABLE[KEY] [default: all but rows]"
    )]
    pub addresses: Vec<String>,
    /// Write to this new file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The name of the plan [default: the file's, else "exported"]
    #[arg(long, value_name = "NAME")]
    pub plan: Option<String>,
    /// A namespace that ids may have been derived under: a uuid for points, a name for promotions; may be repeated
    #[arg(long, value_name = "NAME")]
    pub namespace: Vec<String>,
}
