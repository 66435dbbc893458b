//! One open collection: its shard, its locks and what is kept about it.
//!
//! Three locks, taken in this order: `writes` (one change at a time), `shard` (readers share it; closing and reopening
//! take it alone), `info`. The shard's own flush panics when a writer is inside, so a flush is only ever called
//! under `writes`. All functions here block; the services call them on blocking threads.
//!
//! Optimising replaces segments: the new one is in place before the old ones are removed, and a process killed between
//! the two would find points twice, since the shard does not look for that on load. A marker file covers that
//! time; a collection opened with the marker has its points counted, and is rewritten if some are there twice.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use prost::Message;
use qdrant_client::qdrant::{CollectionInfo, PayloadSchemaInfo, UpdateResult, UpdateStatus};
use qdrant_edge::{
    CountRequest, CreateIndex, EdgeConfig, EdgeShard, FieldIndexOperations, PointInsertOperations, PointOperations,
    PointStructPersisted, ScrollRequest, UpdateOperation, VectorStructPersisted, WithPayloadInterface, WithVector,
};
use serde::{Deserialize, Serialize};

use super::files::{rename_directory, replace_file, sync_tree};
use super::index::edge_schema;
use super::refusal::Refusal;
use super::values::json_path;

/// After this many changed points the shard is looked over for work, when writes pause; cheap when there is none.
const OPTIMISE_AFTER: u64 = 1000;
/// After this many it is done without waiting for writes to pause.
const OPTIMISE_AT_ONCE: u64 = 20_000;
/// How often a shard is opened before its refusal counts, and the pause between.
const OPEN_TRIES: u32 = 5;
const OPEN_PAUSE: Duration = Duration::from_millis(20);
const INFO_FILE: &str = "collection.json";
const SHARD_DIRECTORY: &str = "shard";
const OPTIMISING_MARKER: &str = "optimising";
const REPAIR_PAGE: usize = 1000;

/// An open collection.
pub(super) struct Collection {
    name: String,
    directory: PathBuf,
    writes: Mutex<()>,
    shard: RwLock<Option<EdgeShard>>,
    info: RwLock<CollectionInfo>,
    operations: AtomicU64,
    changed: AtomicU64,
    claimed: AtomicBool,
}

/// One change of the shard, and how many points it may touch.
pub(super) struct Change {
    pub(super) operation: UpdateOperation,
    pub(super) points: u64,
}

/// The content of `collection.json`: the name, which the directory's name may only hint at, and the `CollectionInfo`
/// message in hex, since it is what is echoed and protobuf keeps it readable for later versions.
#[derive(Serialize, Deserialize)]
struct InfoFile {
    name: String,
    info: String,
}

impl Collection {
    /// Writes a new, closed collection into `directory`, which must not exist, and syncs it.
    pub(super) fn write_new(
        directory: &Path,
        name: &str,
        info: &CollectionInfo,
        config: EdgeConfig,
    ) -> Result<(), Refusal> {
        let shard = directory.join(SHARD_DIRECTORY);
        fs::create_dir_all(&shard)?;
        drop(EdgeShard::new(&shard, config)?);
        write_info(directory, name, info)?;
        Ok(sync_tree(directory)?)
    }

    /// Opens the collection in `directory`, repairing what a crash left.
    pub(super) fn open(directory: &Path) -> Result<Collection, Refusal> {
        let (name, info) = read_info(directory)?;
        let collection = Collection {
            name,
            directory: directory.to_owned(),
            writes: Mutex::new(()),
            shard: RwLock::new(None),
            info: RwLock::new(info),
            operations: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            claimed: AtomicBool::new(false),
        };
        collection.finish_repair()?;
        collection.trim_log()?;
        collection.load(None)?;
        if collection.marker().exists() {
            collection.repair()?;
        }
        Ok(collection)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn info(&self) -> CollectionInfo {
        read(&self.info).clone()
    }

    /// Reads from the shard, beside other readers and a writer.
    pub(super) fn read<T>(&self, work: impl FnOnce(&EdgeShard) -> Result<T, Refusal>) -> Result<T, Refusal> {
        match read(&self.shard).as_ref() {
            Some(shard) => work(shard),
            None => Err(Refusal::NoCollection(self.name.clone())),
        }
    }

    /// Plans changes from the shard's configuration and applies them in order, each with its own result. Flushes once
    /// when the caller waits.
    pub(super) fn write(
        &self,
        wait: bool,
        plan: impl FnOnce(&EdgeConfig) -> Result<Vec<Change>, Refusal>,
    ) -> Result<Vec<UpdateResult>, Refusal> {
        let _one_at_a_time = lock(&self.writes);
        self.read(|shard| {
            let changes = plan(&shard.config())?;
            let mut results = Vec::with_capacity(changes.len());
            for change in changes {
                shard.update(change.operation)?;
                self.changed.fetch_add(change.points, Ordering::Relaxed);
                results.push(self.result(wait));
            }
            if wait {
                shard.flush();
            }
            Ok(results)
        })
    }

    /// Creates or drops the index of a payload field and keeps the new schema.
    pub(super) fn write_index(
        &self,
        field: &str,
        schema: Option<PayloadSchemaInfo>,
        wait: bool,
    ) -> Result<UpdateResult, Refusal> {
        let _one_at_a_time = lock(&self.writes);
        let operation = match schema.as_ref() {
            Some(schema) => create_index(field, schema)?,
            None => FieldIndexOperations::DeleteIndex(json_path(field)?),
        };
        self.read(|shard| {
            shard.update(UpdateOperation::FieldIndexOperation(operation))?;
            shard.flush();
            Ok(())
        })?;
        let mut info = self.info();
        match schema {
            Some(schema) => info.payload_schema.insert(field.to_owned(), schema),
            None => info.payload_schema.remove(field),
        };
        self.replace_info(info)?;
        Ok(self.result(wait))
    }

    /// Replaces the configuration: the shard is closed and opened again with the new one.
    pub(super) fn reconfigure(
        &self,
        change: impl FnOnce(&mut CollectionInfo) -> Result<EdgeConfig, Refusal>,
    ) -> Result<(), Refusal> {
        let _one_at_a_time = lock(&self.writes);
        let mut info = self.info();
        let config = change(&mut info)?;
        let same = self.read(|shard| Ok(*shard.config() == config))?;
        if !same {
            self.close();
            if let Err(refusal) = self.load(Some(config)) {
                self.load(None)?;
                return Err(Refusal::bad_input(refusal.to_string()));
            }
            self.changed.fetch_add(OPTIMISE_AFTER, Ordering::Relaxed);
        }
        self.replace_info(info)
    }

    /// Whether the caller is to see to a call of `optimise`: enough has changed, and nobody else does.
    pub(super) fn claim_optimising(&self) -> bool {
        self.changed.load(Ordering::Relaxed) >= OPTIMISE_AFTER && !self.claimed.swap(true, Ordering::Relaxed)
    }

    /// Whether so much has changed that optimising should not wait for a pause.
    pub(super) fn overdue(&self) -> bool {
        self.changed.load(Ordering::Relaxed) >= OPTIMISE_AT_ONCE
    }

    /// How many writes there have been since the start.
    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Builds indexes and clears deleted points, if the shard finds that due. Writes wait meanwhile.
    pub(super) fn optimise(&self) -> Result<(), Refusal> {
        let _one_at_a_time = lock(&self.writes);
        self.claimed.store(false, Ordering::Relaxed);
        self.changed.store(0, Ordering::Relaxed);
        self.read(|shard| {
            shard.flush();
            replace_file(&self.marker(), b"")?;
            let replaced = shard.optimize()?;
            if replaced {
                self.restore_indexes(shard)?;
                shard.flush();
            }
            Ok(fs::remove_file(self.marker())?)
        })
    }

    /// Flushes and closes, once readers and writers are done. Later calls find no collection.
    pub(super) fn close_for_good(&self) {
        let _one_at_a_time = lock(&self.writes);
        self.close();
    }

    /// Opens the shard again, after a delete that failed.
    pub(super) fn reopen(&self) -> Result<(), Refusal> {
        let _one_at_a_time = lock(&self.writes);
        self.load(None)
    }

    /// The shard panics when it cannot flush, and would abort the process when that happens as it is dropped. So it is
    /// flushed first, and leaked if that fails: what no waiting write has flushed before is lost either way.
    fn close(&self) {
        let Some(shard) = write(&self.shard).take() else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| shard.flush())).is_err() {
            tracing::error!(collection = self.name, "the last flush failed");
            std::mem::forget(shard);
        }
    }

    /// Opening is tried a few times. The log's lock belongs to an open file, and a process that is forked while one was
    /// open holds a copy of it until it begins its own program, so a log that was just closed may look held for a moment.
    fn load(&self, config: Option<EdgeConfig>) -> Result<(), Refusal> {
        let path = self.directory.join(SHARD_DIRECTORY);
        let mut tries = 1;
        let shard = loop {
            match EdgeShard::load(&path, config.clone()) {
                Ok(shard) => break shard,
                Err(_) if tries < OPEN_TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(OPEN_PAUSE);
        };
        *write(&self.shard) = Some(shard);
        Ok(())
    }

    fn result(&self, wait: bool) -> UpdateResult {
        let status = if wait { UpdateStatus::Completed } else { UpdateStatus::Acknowledged };
        let operation_id = self.operations.fetch_add(1, Ordering::Relaxed);
        UpdateResult { operation_id: Some(operation_id), status: status.into() }
    }

    fn replace_info(&self, info: CollectionInfo) -> Result<(), Refusal> {
        write_info(&self.directory, &self.name, &info)?;
        *write(&self.info) = info;
        Ok(())
    }

    /// New segments do not always take over the indexes of the ones they replace; making one again is harmless.
    fn restore_indexes(&self, shard: &EdgeShard) -> Result<(), Refusal> {
        for (field, schema) in &read(&self.info).payload_schema {
            shard.update(UpdateOperation::FieldIndexOperation(create_index(field, schema)?))?;
        }
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.directory.join(OPTIMISING_MARKER)
    }

    /// Removes the closed parts of the write-ahead log but the last: nothing reads them. The last one and the open one
    /// hold the sequence number, which must not go back: the shard ignores a change older than what it has.
    fn trim_log(&self) -> Result<(), Refusal> {
        let mut closed = Vec::new();
        for entry in fs::read_dir(self.directory.join(SHARD_DIRECTORY).join("wal"))? {
            let path = entry?.path();
            let start = path.file_name().and_then(|name| name.to_str()).and_then(|n| n.strip_prefix("closed-"));
            if let Some(start) = start.and_then(|digits| digits.parse::<u64>().ok()) {
                closed.push((start, path));
            }
        }
        closed.sort_unstable();
        closed.pop();
        closed.iter().try_for_each(|(_, path)| fs::remove_file(path))?;
        Ok(())
    }

    fn shard_path(&self, suffix: &str) -> PathBuf {
        self.directory.join(format!("{SHARD_DIRECTORY}{suffix}"))
    }

    /// Ends a rewrite that was interrupted: the new shard is complete from the moment the old one is moved away.
    fn finish_repair(&self) -> Result<(), Refusal> {
        let (current, new, old) = (self.shard_path(""), self.shard_path(".new"), self.shard_path(".old"));
        if !current.exists() && old.exists() && new.exists() {
            rename_directory(&new, &current)?;
        }
        for leftover in [new, old] {
            if leftover.exists() {
                fs::remove_dir_all(leftover)?;
            }
        }
        Ok(())
    }

    fn repair(&self) -> Result<(), Refusal> {
        let twice = self.read(|shard| {
            let counted = shard.count(CountRequest { filter: None, exact: true })?;
            Ok(counted != count_distinct(shard)?)
        })?;
        if twice {
            self.read(|shard| self.rewrite(shard))?;
            self.close();
            rename_directory(&self.shard_path(""), &self.shard_path(".old"))?;
            self.finish_repair()?;
            self.load(None)?;
        }
        self.read(|shard| self.restore_indexes(shard))?;
        Ok(fs::remove_file(self.marker())?)
    }

    /// Copies every point, which a read gives once and in its newest version, into a new shard beside this one.
    fn rewrite(&self, shard: &EdgeShard) -> Result<(), Refusal> {
        let path = self.shard_path(".new");
        fs::create_dir_all(&path)?;
        let new = EdgeShard::new(&path, shard.config().clone())?;
        let mut offset = None;
        loop {
            let (records, next) = shard.scroll(ScrollRequest {
                offset,
                limit: Some(REPAIR_PAGE),
                with_payload: Some(WithPayloadInterface::Bool(true)),
                with_vector: WithVector::Bool(true),
                ..ScrollRequest::default()
            })?;
            let points: Vec<PointStructPersisted> = records
                .into_iter()
                .map(|record| PointStructPersisted {
                    id: record.id,
                    vector: record
                        .vector
                        .map_or_else(|| VectorStructPersisted::Named(Default::default()), VectorStructPersisted::from),
                    payload: record.payload,
                })
                .collect();
            let upsert = PointOperations::UpsertPoints(PointInsertOperations::PointsList(points));
            new.update(UpdateOperation::PointOperation(upsert))?;
            if next.is_none() {
                break;
            }
            offset = next;
        }
        drop(new);
        Ok(sync_tree(&path)?)
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.close();
    }
}

fn create_index(field: &str, schema: &PayloadSchemaInfo) -> Result<FieldIndexOperations, Refusal> {
    Ok(FieldIndexOperations::CreateIndex(CreateIndex {
        field_name: json_path(field)?,
        field_schema: Some(edge_schema(schema)?),
    }))
}

fn count_distinct(shard: &EdgeShard) -> Result<usize, Refusal> {
    let (mut offset, mut distinct) = (None, 0);
    loop {
        let (records, next) = shard.scroll(ScrollRequest {
            offset,
            limit: Some(REPAIR_PAGE),
            with_payload: Some(WithPayloadInterface::Bool(false)),
            ..ScrollRequest::default()
        })?;
        distinct += records.len();
        if next.is_none() {
            return Ok(distinct);
        }
        offset = next;
    }
}

fn write_info(directory: &Path, name: &str, info: &CollectionInfo) -> Result<(), Refusal> {
    let file = InfoFile { name: name.to_owned(), info: hex::encode(info.encode_to_vec()) };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| Refusal::Internal(error.to_string()))?;
    Ok(replace_file(&directory.join(INFO_FILE), &text)?)
}

fn read_info(directory: &Path) -> Result<(String, CollectionInfo), Refusal> {
    let path = directory.join(INFO_FILE);
    let unreadable = |reason: String| Refusal::Internal(format!("{}: {reason}", path.display()));
    let file = File::open(&path).map_err(|error| unreadable(error.to_string()))?;
    let file: InfoFile = serde_json::from_reader(file).map_err(|error| unreadable(error.to_string()))?;
    let bytes = hex::decode(&file.info).map_err(|error| unreadable(error.to_string()))?;
    let info = CollectionInfo::decode(bytes.as_slice()).map_err(|error| unreadable(error.to_string()))?;
    Ok((file.name, info))
}

/// A panic inside the shard poisons nothing of ours: every guarded value is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
