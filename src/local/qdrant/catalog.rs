//! The names: which collections there are and what the aliases point at.
//!
//! Invariants: an alias never has the name of a collection; an alias points at a collection that exists. A crash between
//! deleting a collection and rewriting the alias file can break the second on disk; it is mended at the next start.
//! Changes are in sequence under `changes`; a reader only holds `names` for a look.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use qdrant_client::qdrant::{AliasOperations, CollectionInfo, alias_operations::Action};
use qdrant_edge::EdgeConfig;

use super::collection::Collection;
use super::files::{directory_name, rename_directory, replace_file};
use super::refusal::Refusal;

const ALIAS_FILE: &str = "aliases.json";
const COLLECTIONS_DIRECTORY: &str = "collections";
const UNFINISHED: &str = ".new-";
const TRASH: &str = ".trash-";
/// The longest name the server accepts, in bytes.
const LONGEST_NAME: usize = 255;

type Aliases = BTreeMap<String, String>;

/// The open collections and the aliases of one data directory.
pub(super) struct Catalog {
    directory: PathBuf,
    alias_file: PathBuf,
    changes: Mutex<()>,
    names: RwLock<Names>,
}

#[derive(Default)]
struct Names {
    collections: BTreeMap<String, Arc<Collection>>,
    aliases: Aliases,
}

impl Catalog {
    /// Opens every collection below `data_dir` and removes what unfinished creates and deletes left. Blocks.
    pub(super) fn open(data_dir: &Path) -> Result<Catalog, Refusal> {
        let directory = data_dir.join(COLLECTIONS_DIRECTORY);
        fs::create_dir_all(&directory)?;
        let mut names = Names::default();
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let file_name = entry.file_name();
            let file_name = file_name.to_string_lossy();
            if file_name.starts_with(UNFINISHED) || file_name.starts_with(TRASH) {
                fs::remove_dir_all(entry.path())?;
            } else if entry.file_type()?.is_dir() {
                let collection = Arc::new(Collection::open(&entry.path())?);
                names.collections.insert(collection.name().to_owned(), collection);
            }
        }
        let alias_file = data_dir.join(ALIAS_FILE);
        let mut aliases = read_aliases(&alias_file)?;
        aliases
            .retain(|alias, target| names.collections.contains_key(target) && !names.collections.contains_key(alias));
        names.aliases = aliases;
        Ok(Catalog { directory, alias_file, changes: Mutex::new(()), names: RwLock::new(names) })
    }

    /// Finds a collection by its name or an alias.
    pub(super) fn resolve(&self, name: &str) -> Result<Arc<Collection>, Refusal> {
        let names = self.names();
        let target = names.aliases.get(name).map_or(name, String::as_str);
        let missing = || Refusal::NoCollection(name.to_owned());
        names.collections.get(target).cloned().ok_or_else(missing)
    }

    pub(super) fn collection_names(&self) -> Vec<String> {
        self.names().collections.keys().cloned().collect()
    }

    /// Every alias and the collection it points at.
    pub(super) fn aliases(&self) -> Vec<(String, String)> {
        self.names().aliases.iter().map(|(a, c)| (a.clone(), c.clone())).collect()
    }

    /// Makes a collection. Blocks.
    pub(super) fn create(&self, name: &str, info: CollectionInfo, config: EdgeConfig) -> Result<(), Refusal> {
        check_name(name)?;
        let _in_sequence = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let names = self.names();
            if names.collections.contains_key(name) {
                return Err(Refusal::CollectionExists(name.to_owned()));
            }
            if names.aliases.contains_key(name) {
                return Err(Refusal::bad_input(format!(
                    "Can't create collection with name {name}. Alias with the same name already exists"
                )));
            }
        }
        let unfinished = self.beside(UNFINISHED);
        let place = self.directory.join(directory_name(name));
        let made = Collection::write_new(&unfinished, name, &info, config)
            .and_then(|()| Ok(rename_directory(&unfinished, &place)?));
        if let Err(refusal) = made {
            // Whatever remains is removed at the next start; the reason for the refusal matters more.
            let _ = fs::remove_dir_all(&unfinished);
            return Err(refusal);
        }
        let collection = Arc::new(Collection::open(&place)?);
        self.names_mut().collections.insert(name.to_owned(), collection);
        Ok(())
    }

    /// Deletes a collection and its aliases; says whether it was there. Blocks.
    pub(super) fn delete(&self, name: &str) -> Result<bool, Refusal> {
        let _in_sequence = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(collection) = self.names().collections.get(name).cloned() else {
            return Ok(false);
        };
        // Closed first: a shard that is moved while open would fail its last flush.
        collection.close_for_good();
        let trash = self.beside(TRASH);
        if let Err(error) = rename_directory(collection.directory(), &trash) {
            collection.reopen()?;
            return Err(error.into());
        }
        let aliases = {
            let mut names = self.names_mut();
            names.collections.remove(name);
            names.aliases.retain(|_, target| target != name);
            names.aliases.clone()
        };
        write_aliases(&self.alias_file, &aliases)?;
        fs::remove_dir_all(&trash)?;
        Ok(true)
    }

    /// Applies all alias changes of one request, or none. Blocks.
    pub(super) fn change_aliases(&self, actions: Vec<AliasOperations>) -> Result<(), Refusal> {
        let _in_sequence = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut aliases = self.names().aliases.clone();
        for operation in actions {
            let action = operation.action.ok_or_else(|| Refusal::bad_input("Malformed AliasOperation type"))?;
            self.apply(&mut aliases, action)?;
        }
        write_aliases(&self.alias_file, &aliases)?;
        self.names_mut().aliases = aliases;
        Ok(())
    }

    /// Flushes and closes every collection. Blocks.
    pub(super) fn close(&self) {
        let collections: Vec<_> = self.names().collections.values().cloned().collect();
        collections.iter().for_each(|collection| collection.close_for_good());
    }

    fn apply(&self, aliases: &mut Aliases, action: Action) -> Result<(), Refusal> {
        match action {
            Action::CreateAlias(create) => {
                if !self.names().collections.contains_key(&create.collection_name) {
                    return Err(Refusal::NoCollection(create.collection_name));
                }
                self.free_for_alias(&create.alias_name)?;
                aliases.insert(create.alias_name, create.collection_name);
            }
            Action::RenameAlias(rename) => {
                self.free_for_alias(&rename.new_alias_name)?;
                let target = aliases.remove(&rename.old_alias_name).ok_or(Refusal::NoAlias(rename.old_alias_name))?;
                aliases.insert(rename.new_alias_name, target);
            }
            Action::DeleteAlias(delete) => {
                aliases.remove(&delete.alias_name);
            }
        }
        Ok(())
    }

    fn free_for_alias(&self, alias: &str) -> Result<(), Refusal> {
        check_name(alias)?;
        if self.names().collections.contains_key(alias) {
            return Err(Refusal::CollectionExists(alias.to_owned()));
        }
        Ok(())
    }

    fn beside(&self, prefix: &str) -> PathBuf {
        self.directory.join(format!("{prefix}{}", uuid::Uuid::new_v4().simple()))
    }

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn names_mut(&self) -> RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Refusal::bad_input(format!(
            "Validation error in body: [collection_name: value \"{name}\" invalid, must be from 1 to {LONGEST_NAME} characters]"
        )));
    }
    Ok(())
}

fn read_aliases(path: &Path) -> Result<Aliases, Refusal> {
    if !path.exists() {
        return Ok(Aliases::new());
    }
    serde_json::from_slice(&fs::read(path)?).map_err(|error| Refusal::Internal(format!("{}: {error}", path.display())))
}

fn write_aliases(path: &Path, aliases: &Aliases) -> Result<(), Refusal> {
    let text = serde_json::to_vec_pretty(aliases).map_err(|error| Refusal::Internal(error.to_string()))?;
    Ok(replace_file(path, &text)?)
}
