//! Files that commands write. Each is written beside its place, synced and renamed, so that a reader, or a crash, finds the
//! old text or the new one and never half of it.

use std::fs::Permissions;
use std::io::{Result, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file, whether or not there is one.
pub fn write(path: &Path, text: &str) -> Result<()> {
    beside(path, text, None)?.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a new file, and its folder where that is missing. A file that is there, or comes there meanwhile, stays.
pub fn create(path: &Path, text: &str) -> Result<()> {
    std::fs::create_dir_all(folder(path))?;
    beside(path, text, None)?.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

/// Gives a file another text. It keeps its permissions, and a link its place: the file behind it is written.
pub fn rewrite(path: &Path, text: &str) -> Result<()> {
    let path = std::fs::canonicalize(path)?;
    let permissions = std::fs::metadata(&path)?.permissions();
    beside(&path, text, Some(permissions))?.persist(&path).map(drop).map_err(|error| error.error)
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
