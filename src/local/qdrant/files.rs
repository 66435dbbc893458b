//! File names and durable writes.
//!
//! A file is replaced by writing a sibling, syncing it, renaming it and syncing the directory, so that after a
//! crash there is the old content or the new one. A collection's directory is named after the collection in an
//! encoding that is safe on every file system: lower-case letters, digits, `-` and `_` stay, every other byte
//! becomes `%` and two hex digits (upper case too: some file systems fold it). A name too long for a file name
//! keeps its beginning and ends with a hash; the true name is inside the directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The longest encoded name that is used as it is; file systems stop at 255 bytes.
const LONGEST_ENCODED: usize = 200;

/// Encodes any collection name as a directory name. Never begins with a dot.
pub(super) fn directory_name(collection: &str) -> String {
    let mut encoded = String::with_capacity(collection.len());
    for byte in collection.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02x}"));
        }
    }
    if encoded.len() <= LONGEST_ENCODED {
        return encoded;
    }
    let hash = blake3::hash(collection.as_bytes()).to_hex();
    format!("{}%%{}", &encoded[..128], &hash[..32])
}

/// Replaces `path` so that a crash leaves the old content or the new one.
pub(super) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let sibling = path.with_extension("new");
    let mut file = File::create(&sibling)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&sibling, path)?;
    sync_parent(path)
}

/// Renames a directory durably.
pub(super) fn rename_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Syncs every file and directory below `directory`, before it is renamed into place.
pub(super) fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_directory(directory)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file, and a rename is durable by the file system's journal.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::directory_name;

    #[test]
    fn every_name_becomes_one_safe_and_distinct_directory_name() {
        let long = "é".repeat(200);
        let names = ["docs", "Docs", "docs@v3", "../x", ".", "..", "a/b", "a b", "%", "é", &long];
        let encoded: std::collections::BTreeSet<String> = names.iter().map(|n| directory_name(n)).collect();
        assert_eq!(encoded.len(), names.len());
        for name in &encoded {
            assert!(name.len() <= 200 && !name.contains(['/', '.', '\\']), "{name}");
        }
    }
}
