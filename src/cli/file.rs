//! Files that commands write. Each is written beside its place, synced and renamed, so that a reader, or a crash, finds the
//! old text or the new one and never half of it.
//!
//! A link keeps its place: what it leads to is written. What is no file cannot be renamed over without being taken away from
//! whoever reads it: a FIFO, a socket, a device and what the process has open already (`/dev/stdout`, `/dev/fd/3`) are written
//! into.

use std::fs::{OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Links that are followed, as the system does.
const LINKS: usize = 40;

/// Writes a file, whether or not there is one. One that is there keeps its permissions.
pub fn write(path: &Path, text: &str) -> Result<()> {
    match place(path)? {
        Place::Stdout => to_stdout(text),
        Place::Open(path) => into(&path, text),
        Place::File(path, permissions) => {
            beside(&path, text, permissions)?.persist(&path).map(drop).map_err(|error| error.error)
        }
    }
}

/// Writes a new file, and its folder where that is missing. A file that is there, or comes there meanwhile, stays.
pub fn create(path: &Path, text: &str) -> Result<()> {
    match place(path)? {
        Place::Stdout => to_stdout(text),
        Place::Open(path) => into(&path, text),
        Place::File(path, _) => {
            std::fs::create_dir_all(folder(&path))?;
            beside(&path, text, None)?.persist_noclobber(&path).map(drop).map_err(|error| error.error)
        }
    }
}

/// Gives a file another text. It keeps its permissions, and a link its place: the file behind it is written.
pub fn rewrite(path: &Path, text: &str) -> Result<()> {
    write(&std::fs::canonicalize(path)?, text)
}

/// What a path leads to.
enum Place {
    /// What this process writes its results to.
    Stdout,
    /// Something that is written into.
    Open(PathBuf),
    /// A file, with its permissions, or where one can be.
    File(PathBuf, Option<Permissions>),
}

fn place(path: &Path) -> Result<Place> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|stdout| path == Path::new(stdout)) {
            return Ok(Place::Stdout);
        }
        // Links of these folders name what is open, which may have no path any more.
        if path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") {
            return Ok(Place::Open(path));
        }
        let target = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => std::fs::read_link(&path)?,
            Ok(found) if found.is_file() => return Ok(Place::File(path, Some(found.permissions()))),
            Ok(_) => return Ok(Place::Open(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Place::File(path, None)),
            Err(error) => return Err(error),
        };
        path = folder(&path).join(target);
    }
    Err(Error::new(ErrorKind::InvalidInput, "too many links"))
}

fn to_stdout(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

fn into(path: &Path, text: &str) -> Result<()> {
    let mut open = OpenOptions::new().append(true).open(path)?;
    open.write_all(text.as_bytes()).and_then(|()| open.flush())
}

fn beside(path: &Path, text: &str, permissions: Option<Permissions>) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder(path))?;
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_keeps_its_place_and_a_file_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let [real, link, dangling] = ["real", "link", "dangling"].map(|name| dir.path().join(name));
        std::fs::write(&real, "old and longer").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        symlink("made", &dangling).unwrap();
        write(&link, "new").unwrap();
        write(&dangling, "new").unwrap();
        assert!(link.is_symlink() && dangling.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_to_string(dir.path().join("made")).unwrap(), "new");
        assert_eq!(create(&link, "newer").unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_fifo_is_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::read_to_string(fifo).unwrap()
        });
        write(&fifo, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(std::fs::metadata(&fifo).unwrap().file_type().is_fifo());
    }

    #[test]
    fn a_device_that_is_full_and_a_folder_say_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(dir.path(), "text").is_err());
        let full = Path::new("/dev/full");
        if full.exists() {
            assert_eq!(write(full, "text").unwrap_err().kind(), ErrorKind::StorageFull);
        }
    }
}
