//! The data directory of the local servers, by default `.enact/`.
//!
//! ```text
//! .enact/
//!   lock           locked (flock) for as long as a process runs the servers; holds who that is and what for
//!   servers.json   where the servers answer; written (temp file, rename) when both do, removed on a clean stop
//!   postgres/      the files of the embedded PostgreSQL
//!   qdrant/        the files of the embedded Qdrant
//!   .gitignore     keeps all of it out of version control
//! ```
//!
//! - The lock alone says whether servers run: it dies with its process. `servers.json` is believed only while the lock is
//!   held; a killed process leaves it behind, and the next one removes it.
//! - The text in `lock` may be old for the moment between locking and writing; it is read as "not known yet" when empty,
//!   and a pid is never used without the birth of its process ([`Process`]).
//! - *Not here:* starting servers (`servers`), stopping those of another process (`control`).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::LocalError;
use super::process::Process;

/// What the holder of the lock is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// `enact local up`: any command may use the servers.
    Shared,
    /// One command, for its own length: the servers end with it.
    OneCommand,
    /// The directory is being emptied.
    Reset,
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    pub process: Process,
    pub purpose: Purpose,
}

/// Where the servers of a data directory answer, as `servers.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServersFile {
    pub pid: u32,
    pub postgres: String,
    pub qdrant: String,
    pub started_at: jiff::Timestamp,
}

/// The layout of one data directory. Making one touches nothing.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// The held lock. Dropping it empties the file and gives the lock back.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl DataDir {
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    pub fn qdrant(&self) -> PathBuf {
        self.root.join("qdrant")
    }

    pub fn servers_path(&self) -> PathBuf {
        self.root.join("servers.json")
    }

    pub fn lock_path(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the directory, and the note that keeps it out of version control.
    pub fn ensure(&self) -> Result<(), LocalError> {
        let not_writable = |path: &Path| {
            let path = path.to_owned();
            move |source| LocalError::NotWritable { path, source }
        };
        fs::create_dir_all(&self.root).map_err(not_writable(&self.root))?;
        let ignore = self.root.join(".gitignore");
        match OpenOptions::new().write(true).create_new(true).open(&ignore) {
            Ok(mut file) => file.write_all(b"*\n").map_err(not_writable(&ignore)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(source) => Err(LocalError::NotWritable { path: ignore, source }),
        }
    }

    /// Takes the lock, or answers `None` when another process (or this one) holds it.
    pub fn try_lock(&self, purpose: Purpose) -> Result<Option<Lock>, LocalError> {
        let path = self.lock_path();
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| LocalError::NotWritable { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(LocalError::NotWritable { path, source }),
        }
        let holder = Holder { process: Process::current(), purpose };
        write_holder(&mut file, holder).map_err(|source| LocalError::NotWritable { path, source })?;
        Ok(Some(Lock { file }))
    }

    /// Says whether anybody holds the lock, without writing a byte.
    pub fn is_locked(&self) -> Result<bool, LocalError> {
        let path = self.lock_path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(LocalError::NotReadable { path, source }),
        };
        match file.try_lock_shared() {
            Ok(()) => {
                release(&file);
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(LocalError::NotReadable { path, source }),
        }
    }

    /// Reads who wrote the lock last. Means something only while the lock is held; `None`: not written yet.
    pub fn holder(&self) -> Option<Holder> {
        let text = fs::read(self.lock_path()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Reads `servers.json`; `None` when there is none.
    pub fn servers(&self) -> Result<Option<ServersFile>, LocalError> {
        let path = self.servers_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LocalError::NotReadable { path, source }),
        };
        match serde_json::from_slice(&text) {
            Ok(servers) => Ok(Some(servers)),
            Err(source) => Err(LocalError::CorruptServersFile { path, source }),
        }
    }

    /// Writes `servers.json` whole or not at all. The lock proves that no other process writes it.
    pub fn write_servers(&self, _lock: &Lock, servers: &ServersFile) -> Result<(), LocalError> {
        let path = self.servers_path();
        let temporary = self.root.join("servers.json.new");
        let text = serde_json::to_vec_pretty(servers)
            .unwrap_or_else(|error| panic!("BUG: servers.json cannot be written as JSON: {error}"));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| LocalError::NotWritable { path, source })
    }

    /// Removes `servers.json` where there is one.
    pub fn remove_servers(&self, _lock: &Lock) -> Result<(), LocalError> {
        let path = self.servers_path();
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(LocalError::NotWritable { path, source }),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Best effort: text that stays behind is checked against the birth of its process before anyone acts on it.
        let _ = self.file.set_len(0);
        release(&self.file);
    }
}

/// Gives a lock back. Closing the file would not do at once: a process that is forked meanwhile holds a copy of it until it
/// begins its own program, and the lock with it.
pub(super) fn release(file: &File) {
    // A lock that cannot be given back ends with the last copy of its file.
    let _ = file.unlock();
}

fn write_holder(file: &mut File, holder: Holder) -> io::Result<()> {
    let text = serde_json::to_vec(&holder).unwrap_or_else(|error| panic!("BUG: a holder is not JSON: {error}"));
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)?;
    // Reading it back finds a full disk now rather than when somebody asks who is there.
    file.rewind()?;
    let mut read = Vec::new();
    file.read_to_end(&mut read)?;
    if read == text { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_dir() -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(&temp.path().join(".enact"));
        dir.ensure().unwrap();
        (temp, dir)
    }

    #[test]
    fn the_lock_is_exclusive_and_names_its_holder() {
        let (_temp, dir) = data_dir();
        assert!(!dir.is_locked().unwrap());
        let lock = dir.try_lock(Purpose::Shared).unwrap().unwrap();
        assert!(dir.try_lock(Purpose::Reset).unwrap().is_none());
        assert!(dir.is_locked().unwrap());
        assert_eq!(dir.holder(), Some(Holder { process: Process::current(), purpose: Purpose::Shared }));
        drop(lock);
        assert!(!dir.is_locked().unwrap());
        assert_eq!(dir.holder(), None);
        assert!(dir.try_lock(Purpose::Reset).unwrap().is_some());
    }

    #[test]
    fn servers_are_written_read_and_removed() {
        let (_temp, dir) = data_dir();
        let lock = dir.try_lock(Purpose::Shared).unwrap().unwrap();
        assert_eq!(dir.servers().unwrap(), None);
        let servers = ServersFile {
            pid: 7,
            postgres: "host=127.0.0.1 port=1".into(),
            qdrant: "http://127.0.0.1:2".into(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
        };
        dir.write_servers(&lock, &servers).unwrap();
        assert_eq!(dir.servers().unwrap(), Some(servers));
        dir.remove_servers(&lock).unwrap();
        dir.remove_servers(&lock).unwrap();
        assert_eq!(dir.servers().unwrap(), None);
    }

    #[test]
    fn a_corrupt_servers_file_is_named() {
        let (_temp, dir) = data_dir();
        for text in ["", "{", "{\"pid\":1}", "[]", "\0"] {
            fs::write(dir.servers_path(), text).unwrap();
            let error = dir.servers().unwrap_err();
            assert!(matches!(&error, LocalError::CorruptServersFile { .. }), "{text:?}: {error}");
            assert!(error.to_string().contains("servers.json"), "{error}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = DataDir::at(&file.join("inside")).ensure().unwrap_err();
        assert!(matches!(error, LocalError::NotWritable { .. }), "{error}");
    }
}
