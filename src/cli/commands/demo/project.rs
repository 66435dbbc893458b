//! The demo's project on disk: where it goes and what is written there. All of it is compiled in.
//!
//! - Without a folder named, the current one is taken when it is empty or holds an earlier demo, else `enact-demo`.
//! - A file that is there with another content is the user's and stays.
//! - `.enact/demo` marks a folder as ours, so that a second demo finds it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

/// The example, as it stands in the repository.
#[derive(RustEmbed)]
#[folder = "examples/charter"]
struct Charter;

/// The schemas that editors check YAML with; the files' first lines name them.
const SCHEMAS: [(&str, &str); 2] = [
    ("schemas/config.schema.json", include_str!("../../../../schemas/config.schema.json")),
    ("schemas/plan.schema.json", include_str!("../../../../schemas/plan.schema.json")),
];
const MARKER: &str = ".enact/demo";
const CONFIG: &str = "enact.yaml";
/// Where the demo goes when the current folder holds something else.
const FOLDER: &str = "enact-demo";

/// Why the project cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The folder holds something else.
    #[error("\"{}\" is not empty and holds no earlier demo", .0.display())]
    Taken(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("\"{}\" cannot be read or written", .path.display())]
    Io {
        /// What it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many files are new.
    pub new: usize,
    /// How many were there with this content.
    pub same: usize,
    /// Those that were there with another content.
    pub kept: Vec<String>,
}

/// Chooses the folder.
///
/// # Errors
/// When it holds something else.
pub fn choose(here: &Path, named: Option<&Path>) -> Result<PathBuf, ProjectError> {
    let wanted = match named {
        Some(named) => below(here, named),
        None if is_free(here)? => return Ok(here.to_owned()),
        None => below(here, Path::new(FOLDER)),
    };
    if is_free(&wanted)? { Ok(wanted) } else { Err(ProjectError::Taken(wanted)) }
}

/// Without a dot before it that nobody would type.
fn below(here: &Path, folder: &Path) -> PathBuf {
    if here == Path::new(".") { folder.to_owned() } else { here.join(folder) }
}

/// Whether a folder is absent, empty or ours.
fn is_free(dir: &Path) -> Result<bool, ProjectError> {
    let fail = |source| ProjectError::Io { path: dir.to_owned(), source };
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().transpose().map_err(fail)?.is_none() || is_ours(dir)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(fail(error)),
    }
}

fn is_ours(dir: &Path) -> bool {
    let config = files().into_iter().find(|(name, _)| name == CONFIG);
    dir.join(MARKER).is_file() || config.is_some_and(|(name, text)| fs::read(dir.join(name)).is_ok_and(|it| it == text))
}

/// Writes the project, and leaves what the user changed.
///
/// # Errors
/// When a file cannot be written.
pub fn write(dir: &Path) -> Result<Written, ProjectError> {
    let mut written = Written::default();
    for (name, text) in files().into_iter().chain([(MARKER.to_owned(), Vec::new())]) {
        let path = dir.join(&name);
        match put(&path, &text).map_err(|source| ProjectError::Io { path, source })? {
            Put::New => written.new += 1,
            Put::Same => written.same += 1,
            Put::Other => written.kept.push(name),
        }
    }
    Ok(written)
}

enum Put {
    New,
    Same,
    Other,
}

fn put(path: &Path, text: &[u8]) -> io::Result<Put> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Only a file that is not there is made: nothing can come between looking and writing.
    match fs::File::create_new(path) {
        Ok(mut file) => io::Write::write_all(&mut file, text).map(|()| Put::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(if fs::read(path)? == text { Put::Same } else { Put::Other })
        }
        Err(error) => Err(error),
    }
}

/// Every file of the project by its path, in order.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> =
        Charter::iter().map(|name| name.into_owned()).filter(|name| name != "README.md").collect();
    names.sort();
    let example = names.into_iter().filter_map(|name| {
        let text = Charter::get(&name)?.data.into_owned();
        let text = if name.ends_with(".yaml") { with_schemas_here(text) } else { text };
        Some((name, text))
    });
    example.chain(SCHEMAS.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))).collect()
}

/// The repository has the schemas two folders above an example; the project has them at its top.
fn with_schemas_here(text: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(text) {
        Ok(text) => text.replacen("../../schemas/", "schemas/", 1).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_written_once_and_what_was_changed_stays() {
        let temp = tempfile::tempdir().unwrap();
        let dir = choose(temp.path(), None).unwrap();
        assert_eq!(dir, temp.path());
        let first = write(&dir).unwrap();
        assert!(first.new > 190 && first.same == 0 && first.kept.is_empty(), "{first:?}");
        fs::write(dir.join("plans/charter.yaml"), "mine").unwrap();
        assert_eq!(choose(temp.path(), None).unwrap(), dir);
        let again = write(&dir).unwrap();
        assert_eq!((again.new, again.same), (0, first.new - 1));
        assert_eq!(again.kept, ["plans/charter.yaml"]);
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.tex"), "").unwrap();
        let inside = choose(temp.path(), None).unwrap();
        assert_eq!(inside, temp.path().join("enact-demo"));
        assert!(matches!(choose(temp.path(), Some(Path::new("."))), Err(ProjectError::Taken(_))));
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("x"), "").unwrap();
        assert!(matches!(choose(temp.path(), None), Err(ProjectError::Taken(_))));
    }

    #[test]
    fn the_first_line_leads_an_editor_to_a_schema_of_the_project() {
        let temp = tempfile::tempdir().unwrap();
        write(temp.path()).unwrap();
        for file in ["enact.yaml", "plans/charter.yaml"] {
            let path = temp.path().join(file);
            let text = fs::read_to_string(&path).unwrap();
            let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
            assert!(path.with_file_name(schema).is_file(), "{file}: {schema}");
        }
    }
}
