//! `enact local`: the embedded servers of an environment, and what goes into them by hand.
//!
//! - `up` serves until Ctrl-C or SIGTERM; `down` ends it from another terminal.
//! - `reset` deletes their data and is refused while anything runs on it.
//! - `load` brings a folder of units into PostgreSQL; the reference schema is made first where it is missing, in an
//!   embedded environment and nowhere else.
//! - `sql` runs a file, in an embedded environment and nowhere else.

use std::path::{Path, PathBuf};

use crate::cli::args::{GlobalArgs, LocalArgs, LocalCommand, LocalResetArgs};
use crate::cli::session::{Configured, Session, block_on, configure, in_session, store_failed, with_sources};
use crate::cli::{Answer, Outcome, Output, confirm};
use crate::local::corpus::{UnitFile, parse_all};
use crate::local::load::{LoadError, Loaded};
use crate::local::{LocalError, LocalServers, LocalStatus, Stopped, schema};
use crate::model::{Environment, Stores};
use crate::report::words::count;
use crate::store::{Query, Relational, Sql, StoreError, TxMode};

/// Runs one of the commands.
pub fn run(global: &GlobalArgs, args: &LocalArgs, output: &Output) -> Outcome {
    attempt(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn attempt(global: &GlobalArgs, args: &LocalArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    if let LocalCommand::Load(load) = &args.command {
        let folder = load.corpus.clone().unwrap_or_else(|| corpus_folder(&global.dir));
        return load_alone(configured, &folder, global, output);
    }
    let dir = directory(&configured.environment, output)?.to_owned();
    match &args.command {
        LocalCommand::Up => up(&dir, output),
        LocalCommand::Down => down(&dir, output),
        LocalCommand::Reset(reset) => empty(&dir, reset, global, output),
        LocalCommand::Status => status(&dir, output),
        LocalCommand::Sql(sql) => run_sql(configured, &sql.script, global, output),
        LocalCommand::Load(_) => panic!("BUG: load was handled above"),
    }
}

/// The data directory of an environment on embedded stores.
///
/// # Errors
/// What is wrong has been printed.
pub fn directory<'a>(environment: &'a Environment, output: &Output) -> Result<&'a Path, Outcome> {
    match &environment.stores {
        Stores::Local { directory } => Ok(directory),
        Stores::Remote { .. } => {
            output.error(
                &format!("environment \"{}\" has stores of its own, not the embedded ones", environment.name),
                Some("name one with `local:` in enact.yaml: --env NAME"),
            );
            Err(Outcome::InvalidInput)
        }
    }
}

/// `corpus/` of a project, without a dot that nobody would type.
fn corpus_folder(dir: &Path) -> PathBuf {
    if dir.as_os_str() == "." { PathBuf::from("corpus") } else { dir.join("corpus") }
}

fn failed(error: &LocalError, output: &Output) -> Outcome {
    output.error(&with_sources(error), None);
    match error {
        LocalError::Locked { .. } | LocalError::CommandRunning { .. } => Outcome::Locked,
        _ => Outcome::Error,
    }
}

fn up(dir: &Path, output: &Output) -> Result<Outcome, Outcome> {
    block_on(async {
        let servers = LocalServers::start(dir).await.map_err(|error| failed(&error, output))?;
        let at = servers.endpoints();
        output.result(&addresses(&at.postgres, &at.qdrant));
        output.note("Serving until Ctrl-C, or `enact local down` from another terminal.");
        let waited = asked_to_end().await;
        if let Err(error) = waited {
            output.error(&format!("signals cannot be waited for: {error}"), None);
        }
        servers.stop().await.map_err(|error| failed(&error, output))?;
        output.note("Stopped.");
        Ok(Outcome::Success)
    })
}

fn addresses(postgres: &str, qdrant: &str) -> String {
    format!("PostgreSQL  psql \"{postgres}\"\nQdrant      {qdrant} (gRPC)\n")
}

#[cfg(unix)]
async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn asked_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn down(dir: &Path, output: &Output) -> Result<Outcome, Outcome> {
    let line = match crate::local::stop_running(dir).map_err(|error| failed(&error, output))? {
        Stopped::NothingRan => "Nothing runs.\n".to_owned(),
        Stopped::Stopped { pid } => format!("Stopped (process {pid}).\n"),
    };
    output.result(&line);
    Ok(Outcome::Success)
}

fn empty(dir: &Path, args: &LocalResetArgs, global: &GlobalArgs, output: &Output) -> Result<Outcome, Outcome> {
    let refuse = |who: String| {
        output.error(&format!("the servers of \"{}\" run ({who})", dir.display()), Some("enact local down"));
        Err(Outcome::Locked)
    };
    match crate::local::status(dir).map_err(|error| failed(&error, output))? {
        LocalStatus::Absent => {
            output.result("There is nothing to delete.\n");
            return Ok(Outcome::Success);
        }
        LocalStatus::Stopped { .. } => {}
        LocalStatus::Starting { pid: None } => return refuse("starting".to_owned()),
        LocalStatus::Shared(servers) => return refuse(format!("process {}", servers.pid)),
        LocalStatus::Starting { pid: Some(pid) } | LocalStatus::OneCommand { pid } | LocalStatus::Resetting { pid } => {
            return refuse(format!("process {pid}"));
        }
    }
    if !args.auto_approve {
        let question = format!("Delete everything that PostgreSQL and Qdrant hold in \"{}\"?", dir.display());
        match confirm(&question, global.no_input) {
            Ok(Answer::Yes) => {}
            Ok(Answer::No) => {
                output.note("Nothing was deleted.");
                return Ok(Outcome::Error);
            }
            Err(error) => {
                output.error(&error.to_string(), Some("use --auto-approve"));
                return Ok(Outcome::Error);
            }
        }
    }
    let removed = crate::local::reset(dir).map_err(|error| failed(&error, output))?;
    let paths: String = removed.paths.iter().map(|path| format!("Deleted {}\n", path.display())).collect();
    output.result(if paths.is_empty() { "There is nothing to delete.\n" } else { &paths });
    Ok(Outcome::Success)
}

fn status(dir: &Path, output: &Output) -> Result<Outcome, Outcome> {
    let text = match crate::local::status(dir).map_err(|error| failed(&error, output))? {
        LocalStatus::Absent => format!("Nothing yet: \"{}\" does not exist.\n", dir.display()),
        LocalStatus::Stopped { left_behind: false } => "Stopped. A command starts the servers for itself.\n".to_owned(),
        LocalStatus::Stopped { left_behind: true } => {
            "Stopped, but not cleanly; the next start recovers. Committed data is safe.\n".to_owned()
        }
        LocalStatus::Starting { pid } => {
            format!("Starting{}.\n", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())
        }
        LocalStatus::Shared(at) => {
            format!("Serving (process {}, since {})\n{}", at.pid, at.started_at, addresses(&at.postgres, &at.qdrant))
        }
        LocalStatus::OneCommand { pid } => format!("In use by one command (process {pid}).\n"),
        LocalStatus::Resetting { pid } => format!("Being emptied (process {pid}).\n"),
    };
    output.result(&text);
    Ok(Outcome::Success)
}

fn run_sql(configured: Configured, file: &Path, global: &GlobalArgs, output: &Output) -> Result<Outcome, Outcome> {
    let name = file.display().to_string();
    let text = read(file, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let done = session.postgres.run_scripts(&[(name.as_str(), text.as_str())]).await;
        done.map_err(|error| store_failed(output, &error))?;
        output.result(&format!("{name}: done.\n"));
        Ok(Outcome::Success)
    })
}

fn load_alone(configured: Configured, folder: &Path, global: &GlobalArgs, output: &Output) -> Result<Outcome, Outcome> {
    let units = read_corpus(folder, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        load(session, &units, output).await.map(|()| Outcome::Success)
    })
}

/// Brings units into the environment's PostgreSQL and says what that changed.
///
/// # Errors
/// What is wrong has been printed.
pub async fn load(session: &mut Session, units: &[UnitFile], output: &Output) -> Result<(), Outcome> {
    ensure_schema(session, output).await?;
    let loaded = try_load(session, units).await.map_err(|error| {
        let (hint, outcome) = match &error {
            LoadError::Store(error) | LoadError::Failed { source: error, .. } => (error.hint.clone(), Outcome::Error),
            LoadError::Refused { .. } | LoadError::Fixed { .. } => (None, Outcome::InvalidInput),
        };
        output.error(&with_sources(&error), hint.as_deref());
        outcome
    })?;
    output.result(&summary(units.len(), loaded));
    Ok(())
}

async fn try_load(session: &mut Session, units: &[UnitFile]) -> Result<Loaded, LoadError> {
    let actor = session.environment.actor.clone();
    let mut tx = session.postgres.begin(TxMode::ReadWrite).await?;
    match crate::local::load::load(tx.as_mut(), units, &actor).await {
        Ok(loaded) => {
            tx.commit().await?;
            Ok(loaded)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

fn summary(total: usize, loaded: Loaded) -> String {
    let Loaded { created, amended, moved, unchanged } = loaded;
    let parts = [(created, "created"), (amended, "amended"), (moved, "moved"), (unchanged, "unchanged")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{}: {}\n", count(total as u64, "unit"), parts.join(", "))
}

/// Makes the reference schema where it is missing and may be made.
async fn ensure_schema(session: &mut Session, output: &Output) -> Result<(), Outcome> {
    let stop = |error: StoreError| store_failed(output, &error);
    let query = Query::new(Sql::new("SELECT to_regclass('public.information_unit') IS NOT NULL"));
    let rows = session.postgres.query(&query).await.map_err(stop)?;
    if rows.first().is_some_and(|row| row.is_true(0)) {
        return Ok(());
    }
    if let Stores::Remote { .. } = session.environment.stores {
        let text = "the database has no table public.information_unit";
        output.error(text, Some("units are loaded into a database that has their schema; Enact makes it only locally"));
        return Err(Outcome::InvalidInput);
    }
    session.postgres.run_scripts(schema::iu_core_sql()).await.map_err(stop)?;
    output.note("The reference schema was created.");
    Ok(())
}

/// Reads and checks a folder of units.
///
/// # Errors
/// What is wrong has been printed.
pub fn read_corpus(folder: &Path, output: &Output) -> Result<Vec<UnitFile>, Outcome> {
    let mut paths = Vec::new();
    collect(folder, &mut paths).map_err(|error| {
        output.error(&format!("\"{}\" cannot be read: {error}", folder.display()), Some("enact local load FOLDER"));
        Outcome::InvalidInput
    })?;
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push((path.display().to_string(), read(&path, output)?));
    }
    if files.is_empty() {
        output.error(&format!("\"{}\" holds no Markdown file", folder.display()), None);
        return Err(Outcome::InvalidInput);
    }
    parse_all(&files).map_err(|errors| {
        errors.iter().for_each(|error| output.error(&error.to_string(), None));
        Outcome::InvalidInput
    })
}

/// Every `.md` file below a folder but `README.md`, which is about the folder.
fn collect(folder: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, out)?;
        } else if path.extension().is_some_and(|kind| kind == "md") && entry.file_name() != "README.md" {
            out.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path, output: &Output) -> Result<String, Outcome> {
    std::fs::read_to_string(path).map_err(|error| {
        output.error(&format!("\"{}\" cannot be read: {error}", path.display()), None);
        Outcome::InvalidInput
    })
}
