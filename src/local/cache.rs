//! Where the embedded PostgreSQL unpacks its runtime, and whether it can.
//!
//! The library takes `$XDG_CACHE_HOME` when that is an absolute path, else `.cache` in the home directory, and has no
//! setting of its own. A home that cannot be written would fail deep inside it, so it is tried first and named.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::LocalError;

/// Names the directory that the runtime is unpacked into; `None` where neither variable nor home is known.
pub fn directory() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given.or_else(|| std::env::home_dir().filter(|path| path.is_absolute()).map(|home| home.join(".cache")));
    base.map(|base| base.join("pglite-oxide"))
}

/// Makes the directory and proves that a file can be made in it.
pub(super) fn check() -> Result<(), LocalError> {
    let path = directory().unwrap_or_else(|| PathBuf::from("~/.cache/pglite-oxide"));
    writable(&path).map_err(|source| LocalError::CacheNotWritable { path, source })
}

fn writable(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    tempfile::tempfile_in(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_cannot_be_written_is_found_before_the_engine_starts() {
        let temp = tempfile::tempdir().unwrap();
        writable(&temp.path().join("made/when/missing")).unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        writable(&file.join("inside")).unwrap_err();
    }
}
