//! Arguments of `local`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// Run the embedded PostgreSQL and Qdrant of the project folder
#[derive(Debug, Clone, ClapArgs)]
#[command(arg_required_else_help = true, after_help = "Examples:\n  enact local up\n  enact local load corpus/")]
pub struct LocalArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: LocalCommand,
}

/// What to do with the embedded servers.
#[derive(Debug, Clone, Subcommand)]
pub enum LocalCommand {
    /// Start both and stay until Ctrl-C; any psql or Qdrant client can look in
    #[command(after_help = "Example:\n  enact local up")]
    Up,
    /// Stop the servers that `enact local up` started
    #[command(after_help = "Example:\n  enact local down")]
    Down,
    /// Delete all their data; asks first
    #[command(after_help = "Example:\n  enact local reset --auto-approve")]
    Reset(LocalResetArgs),
    /// Say whether they run, and where
    #[command(after_help = "Example:\n  enact local status")]
    Status,
    /// Load a folder of Markdown files as information units
    #[command(after_help = "Example:\n  enact local load corpus/")]
    Load(LocalLoadArgs),
    /// Run a file of SQL statements on the embedded PostgreSQL, in one transaction
    #[command(after_help = "Example:\n  enact local sql seed.sql")]
    Sql(LocalSqlArgs),
}

/// Arguments of `local sql`.
#[derive(Debug, Clone, ClapArgs)]
pub struct LocalSqlArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub script: PathBuf,
}

/// Arguments of `local reset`.
#[derive(Debug, Clone, ClapArgs)]
pub struct LocalResetArgs {
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
}

/// Arguments of `local load`.
#[derive(Debug, Clone, ClapArgs)]
pub struct LocalLoadArgs {
    /// The folder [default: corpus/ in the project folder]
    #[arg(value_name = "DIR")]
    pub corpus: Option<PathBuf>,
}
