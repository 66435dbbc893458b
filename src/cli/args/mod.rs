//! The command line as it is typed. Every default, unit and example that a help text names stands here.

mod local;
mod review;
mod runs;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::{Purpose, Reader};
pub use review::{ApproveArgs, DriftArgs, DriftFormat, PartialArgs};

pub use local::{LocalArgs, LocalCommand, LocalLoadArgs, LocalResetArgs, LocalSqlArgs};
pub use runs::{ExportArgs, ImportArgs, RehearseArgs, RevertArgs};

const EXAMPLES: &str = "\
Examples:
  enact demo                              try everything in a throw-away folder
  enact plan --out plan.json              compare, and keep the plan for review
  enact show plan.json --format markdown  the plan as a pull-request comment
  enact apply plan.json                   make all of it true, or none of it
  enact resume                            go on after a crash

Exit codes:
   0 success or no changes              1 error
   2 changes (plan --detailed-exitcode) 3 invalid input
   4 stale plan                         5 failed and undone
   6 decided, not settled (resume)      7 locked by another run
   8 approval missing                   9 verify found a difference
  64 usage    70 a bug                130 interrupted";

/// Plan and apply for a governed knowledge base in PostgreSQL and Qdrant
#[derive(Debug, Parser)]
#[command(name = "enact", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 100)]
pub struct Args {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The environment of enact.yaml to work on [default: its default, or "local" without enact.yaml]
    #[arg(long, global = true, value_name = "NAME", env = "ENACT_ENV", hide_env_values = true)]
    pub env: Option<String>,
    /// The project folder, which holds enact.yaml, plans/ and .enact/
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// A plan file or a folder of plan files; may be repeated [default: plans/ in the project folder]
    #[arg(long, short, global = true, value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// Never ask; what would have to be asked is an error
    #[arg(long, global = true)]
    pub no_input: bool,
    /// How long to wait for another run to end, in seconds
    #[arg(long, global = true, value_name = "SECS", default_value_t = 0)]
    pub lock_timeout: u64,
    /// When to use colours; "auto" honours NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,
    /// The same as --color never
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Show every change, chunk and step one by one, and values whole
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Do not say what is being done; results, warnings and errors are said all the same
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl GlobalArgs {
    /// Where plan files are: what `--file` names, else the project folder's `plans/`.
    pub fn plan_paths(&self) -> Vec<PathBuf> {
        if !self.file.is_empty() {
            return self.file.clone();
        }
        // Without the dot, so that a message says `plans/a.yaml` as the user would.
        let here = self.dir.as_os_str() == ".";
        vec![if here { PathBuf::from("plans") } else { self.dir.join("plans") }]
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Even into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// The commands of this build. A variant takes its help from the documentation of its arguments.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a comment here would hide the help text on the arguments")]
pub enum Command {
    #[cfg(feature = "embedded")]
    Demo(DemoArgs),
    Init(InitArgs),
    Validate(ValidateArgs),
    Fmt(FmtArgs),
    Plan(PlanArgs),
    Preflight(PreflightArgs),
    Show(ShowArgs),
    Rehearse(RehearseArgs),
    Approve(ApproveArgs),
    Apply(ApplyArgs),
    Resume(ResumeArgs),
    Import(ImportArgs),
    Export(ExportArgs),
    Revert(RevertArgs),
    Verify(VerifyArgs),
    Drift(DriftArgs),
    #[cfg(feature = "embedded")]
    Local(LocalArgs),
    Search(SearchArgs),
    Graph(GraphArgs),
    Status(StatusArgs),
    History(HistoryArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    Version(VersionArgs),
}

impl Command {
    /// Whether it changes anything, and who reads stdout.
    pub fn manner(&self) -> (Purpose, Reader) {
        let (purpose, json) = match self {
            Command::Apply(ApplyArgs { json, .. }) | Command::Resume(ResumeArgs { json, .. }) => {
                (Purpose::Changes, *json)
            }
            Command::Plan(PlanArgs { json, .. }) | Command::Verify(VerifyArgs { json, .. }) => (Purpose::Tells, *json),
            Command::Init(InitArgs { print_sql, .. }) if *print_sql => (Purpose::Tells, false),
            #[cfg(feature = "embedded")]
            Command::Demo(_) | Command::Local(_) => (Purpose::Changes, false),
            Command::Init(_) | Command::Fmt(_) | Command::Rehearse(_) | Command::Approve(_) | Command::Import(_) => {
                (Purpose::Changes, false)
            }
            Command::Validate(_)
            | Command::Preflight(_)
            | Command::Show(_)
            | Command::Export(_)
            | Command::Revert(_)
            | Command::Drift(_)
            | Command::Search(_)
            | Command::Graph(_)
            | Command::Status(_)
            | Command::History(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Version(_) => (Purpose::Tells, false),
        };
        (purpose, if json { Reader::Machine } else { Reader::People })
    }
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal.
    Text,
    /// The saved plan itself.
    Json,
    /// For a pull-request comment: at most 65,536 characters.
    Markdown,
    /// For a browser: one file that loads nothing.
    Html,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataFormat {
    /// For people.
    Text,
    /// For machines, with a format_version.
    Json,
}

/// How a report that is no plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// For machines, with a format_version.
    Json,
    /// For a comment or a page.
    Markdown,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// For Markdown that draws Mermaid.
    Mermaid,
    /// A drawing for a browser.
    Svg,
    /// For machines, with a format_version.
    Json,
}

/// Try Enact: a small charter in embedded stores, planned, applied and searched
///
/// Fills a folder and says at each step what to type for it. Nothing outside the folder is touched, and no file in it
/// that you changed is overwritten.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact demo enact-demo && cd enact-demo && enact plan")]
pub struct DemoArgs {
    /// A folder that is new, empty or of an earlier demo [default: this one if it is so, else enact-demo]
    #[arg(value_name = "DIR")]
    pub target: Option<PathBuf>,
}

/// Prepare the environment: create or upgrade Enact's own schema in PostgreSQL
///
/// Does nothing where the schema is there and of this version. Where the role may not create a schema, --print-sql writes
/// the statements for somebody who may: they can be run again, and on an older version.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact init --env staging
  enact init --print-sql --grant-to enact_app > schema.sql")]
pub struct InitArgs {
    /// Connect to nothing, and print what an owner has to run
    #[arg(long)]
    pub print_sql: bool,
    /// A role that plans and applies with this schema; may be repeated
    #[arg(long, value_name = "ROLE", requires = "print_sql")]
    pub grant_to: Vec<String>,
}

/// Check the plan files without connecting to anything
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:\n  enact validate\n  enact validate --file plans/9000x-onboarding.yaml")]
pub struct ValidateArgs {}

/// Lay plan files out: one order of keys, two spaces for each level, comments kept
///
/// Writes the names of the files that it changes. What a file says is never changed: a file for which that cannot be
/// held is left as it is.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact fmt
  enact fmt --check --diff
  enact fmt - < draft.yaml")]
pub struct FmtArgs {
    /// Files, folders, or - for stdin to stdout [default: the plan files of the project]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write no file; exit with 1 when one is not laid out so
    #[arg(long)]
    pub check: bool,
    /// Show what changes in each file
    #[arg(long)]
    pub diff: bool,
}

/// Compare the plan files with both stores and say what would change
///
/// Reads only. The plan goes to stdout; --out keeps it for review and for `enact apply FILE`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact plan
  enact plan --out plan.json --detailed-exitcode
  enact plan --format markdown > comment.md
  enact plan --format html > plan.html
  enact plan --json | jq -r 'select(.type == \"planned_change\") | .address'")]
pub struct PlanArgs {
    /// Save the plan to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How the plan is written to stdout
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// What it is narrowed to.
    #[command(flatten)]
    pub partial: PartialArgs,
    /// Write what happens as JSON, one object on each line of stdout, and nothing else there
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Probe every channel that the plan files use: stores, roles, grants, gates, collections, embedders
///
/// Reads only, and believes nothing: what was found, as whom, and what to change. Exits with 1 when something is missing.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:\n  enact preflight\n  enact preflight --env staging --format json")]
pub struct PreflightArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
}

/// Show a saved plan, or a run with what it changed
///
/// A run is shown with who ran and approved it, how long each phase took, and its plan.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact show plan.json --verbose
  enact show plan.json --format markdown > comment.md
  enact show plan.json --format html > plan.html
  enact show 01a204bc-79b8")]
pub struct ShowArgs {
    /// A file that `enact plan --out` wrote, or the beginning of a run's id
    #[arg(value_name = "FILE|RUN")]
    pub subject: PathBuf,
    /// How it is written to stdout
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
}

/// Make a plan true in both stores, or change nothing
///
/// Without FILE, plans first, shows the plan and asks. With FILE, applies exactly that plan, or refuses when what it
/// stands on has moved.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact apply
  enact apply plan.json
  enact apply --auto-approve --lock-timeout 60
  enact apply plan.json --auto-approve --json > run.ndjson")]
pub struct ApplyArgs {
    /// A saved plan
    #[arg(value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// What it is narrowed to.
    #[command(flatten)]
    pub partial: PartialArgs,
    /// Write what happens as JSON, one object on each line of stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
}

/// Go on with a run that was interrupted, from where it stopped; what fails before the decision goes back
///
/// Every other command leaves a run alone that it did not open, but for `enact apply` of the very same plan, which goes on
/// with it too.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:\n  enact resume\n  enact resume --abort")]
pub struct ResumeArgs {
    /// Take the run back instead; one that has decided can only go forward, and is left as it is (exit code 6)
    #[arg(long)]
    pub abort: bool,
    /// Write what happens as JSON, one object on each line of stdout, and nothing else there
    #[arg(long)]
    pub json: bool,
}

/// Compare both stores with what was applied, point by point
///
/// Exits with 9 when something differs.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact verify --format json")]
pub struct VerifyArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
    /// Write what happens as JSON, one object on each line of stdout, and nothing else there
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Search a vector set as an application would
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact search \"who approves an exception\" --set charter --limit 3")]
pub struct SearchArgs {
    /// What to look for
    #[arg(value_name = "QUERY")]
    pub query: String,
    /// The vector set; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// How many hits at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub limit: u64,
    /// Write the hits as JSON
    #[arg(long)]
    pub json: bool,
}

/// Draw what depends on what
///
/// Changes that a reader sees as one (rows of a table, units that move the same way) are one node; --verbose draws them
/// one by one. Where nothing changes, what the plan files declare is drawn.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact graph --format svg > graph.svg
  enact graph --format svg --target vector_set.charter > set.svg
  enact graph --format mermaid")]
pub struct GraphArgs {
    /// Draw this resource alone, with what it needs and what needs it
    #[arg(long, value_name = "ADDRESS")]
    pub target: Option<String>,
    /// How the graph is written
    #[arg(long, value_enum, default_value_t = GraphFormat::Dot)]
    pub format: GraphFormat,
}

/// Say where the environment stands: last run, unfinished run, lock
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact status --format json")]
pub struct StatusArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
}

/// List runs, the newest first
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:\n  enact history --limit 5\n  enact history --format markdown")]
pub struct HistoryArgs {
    /// How many runs at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub limit: u64,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
}

/// Write a completion script for a shell
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact completions bash > /etc/bash_completion.d/enact")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Write the man pages
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Examples:
  enact man --out /usr/local/share/man/man1
  enact man | man -l -")]
pub struct ManArgs {
    /// A folder for a page of each command; without it, the page of enact goes to stdout
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Say which Enact this is, and which saved plans it reads
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = "Example:\n  enact version --format json")]
pub struct VersionArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = DataFormat::Text)]
    pub format: DataFormat,
}
