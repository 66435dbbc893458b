//! Looking at, stopping and emptying a data directory from outside of the process that runs it.
//!
//! - A signal goes only to the process that holds the lock *now*, and only when it shares its servers: `local down` does
//!   not interrupt an apply.
//! - A reset holds the lock, removes `postgres/`, `qdrant/` and `servers.json` and nothing else, and follows no symbolic
//!   link: a link in place of one of them is refused before anything is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::data_dir::{DataDir, Holder, Purpose, ServersFile};
use super::error::LocalError;

const STOP_LIMIT: Duration = Duration::from_secs(45);
const HOLDER_LIMIT: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// What [`stop_running`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    NothingRan,
    Stopped { pid: u32 },
}

/// What [`reset`] removed, in the order it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub paths: Vec<PathBuf>,
}

/// What is going on in a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalStatus {
    /// There is no data directory.
    Absent,
    /// Nobody runs the servers; `left_behind` says that the last process did not stop cleanly.
    Stopped { left_behind: bool },
    /// A process holds the lock and has not said where it serves.
    Starting { pid: Option<u32> },
    /// `local up` serves everybody.
    Shared(ServersFile),
    /// A command runs the servers for itself.
    OneCommand { pid: u32 },
    /// The directory is being emptied.
    Resetting { pid: u32 },
}

/// Says what is going on, without writing.
pub fn status(dir: &Path) -> Result<LocalStatus, LocalError> {
    let dir = DataDir::at(dir);
    if !dir.lock_path().exists() {
        return Ok(LocalStatus::Absent);
    }
    if !dir.is_locked()? {
        return Ok(LocalStatus::Stopped { left_behind: dir.servers_path().exists() });
    }
    let Some(Holder { process, purpose }) = dir.holder() else { return Ok(LocalStatus::Starting { pid: None }) };
    Ok(match purpose {
        Purpose::OneCommand => LocalStatus::OneCommand { pid: process.pid },
        Purpose::Reset => LocalStatus::Resetting { pid: process.pid },
        Purpose::Shared => match dir.servers()? {
            Some(servers) if servers.pid == process.pid => LocalStatus::Shared(servers),
            _ => LocalStatus::Starting { pid: Some(process.pid) },
        },
    })
}

/// Asks the process that shares the servers to end, and waits until it has.
pub fn stop_running(dir: &Path) -> Result<Stopped, LocalError> {
    let dir = DataDir::at(dir);
    if !dir.is_locked()? {
        return Ok(Stopped::NothingRan);
    }
    let Some(Holder { process, purpose }) = poll(HOLDER_LIMIT, || dir.holder()) else {
        return match dir.is_locked()? {
            true => Err(LocalError::Locked { dir: dir.root().to_owned(), pid: None }),
            false => Ok(Stopped::NothingRan),
        };
    };
    let pid = process.pid;
    match purpose {
        Purpose::Shared => {}
        Purpose::OneCommand | Purpose::Reset => {
            return Err(LocalError::CommandRunning { dir: dir.root().to_owned(), pid });
        }
    }
    match process.terminate() {
        Ok(()) => {}
        // It went by itself; whether the lock is free decides.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) || error.raw_os_error() == Some(3) => {}
        Err(source) => return Err(LocalError::NotSignalled { pid, source }),
    }
    match poll(STOP_LIMIT, || dir.is_locked().map(|locked| (!locked).then_some(())).transpose()) {
        Some(Ok(())) => Ok(Stopped::Stopped { pid }),
        Some(Err(error)) => Err(error),
        None => Err(LocalError::StopTimedOut { pid, waited_s: STOP_LIMIT.as_secs() }),
    }
}

/// Removes the data of both servers. Refuses while they run.
pub fn reset(dir: &Path) -> Result<Removed, LocalError> {
    let dir = DataDir::at(dir);
    no_link(dir.root())?;
    no_link(&dir.lock_path())?;
    if !dir.lock_path().is_file() {
        return match dir.root().exists() {
            true => Err(LocalError::NotADataDirectory { path: dir.root().to_owned() }),
            false => Ok(Removed { paths: Vec::new() }),
        };
    }
    let Some(_lock) = dir.try_lock(Purpose::Reset)? else {
        let pid = dir.holder().map(|holder| holder.process.pid);
        return Err(LocalError::Locked { dir: dir.root().to_owned(), pid });
    };
    let ours = [dir.servers_path(), dir.postgres(), dir.qdrant()];
    ours.iter().try_for_each(|path| no_link(path))?;
    let mut paths = Vec::new();
    for path in ours {
        if remove(&path).map_err(|source| LocalError::NotWritable { path: path.clone(), source })? {
            paths.push(path);
        }
    }
    Ok(Removed { paths })
}

fn no_link(path: &Path) -> Result<(), LocalError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(LocalError::SymbolicLink { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Removes a file or a whole directory; links inside are removed, what they point at is not (`remove_dir_all`).
fn remove(path: &Path) -> io::Result<bool> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(LOOK_AGAIN);
    }
}
