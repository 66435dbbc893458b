//! Both stores, read whole: taken, compared, and put back.
//!
//! A photo holds a digest of every governed table, over whole rows without the columns that a clock or a sequence fills
//! ([`UNREPEATABLE`]): no two runs can have those alike. Of the vector store it holds everything:
//! collections with shape and metadata, aliases, points with payload and vectors.
//!
//! Most tables do not change in a schedule, and to digest their rows would take longer than the apply. So it is read first
//! which versions of rows each table has, by the place and the transaction of each: what has the same is the same.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use enact::model::{CollectionFacts, CollectionMetadata, canonical_json};
use enact::store::{CollectionSpec, NamedVector, Point, StoreError, VectorStore, WithVectors};
use futures::future::try_join_all;
use tokio_postgres::{Client, Statement};

use crate::faults::injector::RUN;

/// Columns that a clock or a sequence fills. A rollback does not give a sequence's numbers back.
pub const UNREPEATABLE: [(&str, &str); 17] = [
    ("enact.managed_unit", "seen"),
    ("public.information_unit", "updated_at"),
    ("public.unit_version", "enacted_at"),
    ("public.iu_lifecycle_log", "log_id"),
    ("public.iu_lifecycle_log", "performed_at"),
    ("public.iu_three_axis_envelope", "updated_at"),
    ("public.iu_three_axis_envelope", "refreshed_at"),
    ("public.iu_three_axis_envelope_refresh_log", "id"),
    ("public.iu_three_axis_envelope_refresh_log", "started_at"),
    ("public.iu_three_axis_envelope_refresh_log", "finished_at"),
    ("public.iu_vector_sync_point", "created_at"),
    ("public.iu_vector_sync_point", "last_synced_at"),
    ("cutter_governance.cut_change_set", "emitted_at"),
    ("public.documents", "updated_at"),
    ("public.note", "written_at"),
    ("public.dot_config", "updated_at"),
    ("public.iu_metadata_tag", "assigned_at"),
];

/// What Enact itself writes down of runs: no part of before and after.
const OWN_BOOKS: [&str; 5] =
    ["enact.run", "enact.plan_line", "enact.journal", "enact.before_image", "enact.staged_point"];

/// Which versions of rows each table has.
pub type Versions = BTreeMap<String, String>;

/// The state of both stores.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Digests of rows without their unrepeatable columns, by table.
    pub tables: BTreeMap<String, String>,
    pub vectors: VectorPhoto,
}

/// The state of the vector store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorPhoto {
    pub aliases: BTreeMap<String, String>,
    pub collections: BTreeMap<String, (CollectionFacts, Vec<Point>)>,
    /// The run whose id does not count.
    pub run: Option<String>,
}

impl Photo {
    /// What differs, `None` when nothing does.
    pub fn difference(&self, other: &Photo) -> Option<String> {
        let tables = self.tables.iter().filter(|(table, digest)| other.tables.get(*table) != Some(*digest));
        let mut found: Vec<String> = tables.map(|(table, _)| table.clone()).collect();
        let (one, two) = (self.vectors.lines(), other.vectors.lines());
        found.extend(one.iter().filter(|line| !two.contains(line)).map(|line| format!("- {}", short(line))));
        found.extend(two.iter().filter(|line| !one.contains(line)).map(|line| format!("+ {}", short(line))));
        (!found.is_empty()).then(|| found.join("\n    "))
    }

    /// What readers see: the governed tables but Enact's own, and the points behind each alias.
    fn seen(&self, set: Option<&str>) -> Vec<String> {
        let tables = self.tables.iter().filter(|(table, _)| set.is_none() && !table.starts_with("enact."));
        let mut out: Vec<String> = tables.map(|(table, digest)| format!("{table} {digest}")).collect();
        let collection =
            set.and_then(|set| self.vectors.aliases.get(set)).and_then(|own| self.vectors.collections.get(own));
        out.extend(collection.into_iter().flat_map(|(_, points)| points).map(point_line));
        out
    }

    /// Whether a reader sees before or after in PostgreSQL, and, behind the alias of each of these sets, before or after;
    /// the new points only once PostgreSQL is there.
    pub fn is_whole_for_readers(&self, before: &Photo, after: &Photo, sets: &[String]) -> bool {
        let is_after = self.seen(None) == after.seen(None);
        let in_postgres = is_after || self.seen(None) == before.seen(None);
        in_postgres
            && sets.iter().all(|set| {
                let seen = self.seen(Some(set));
                seen == before.seen(Some(set)) || (is_after && seen == after.seen(Some(set)))
            })
    }
}

/// A point whole, its vectors as a digest of their bits. A server gives the keys of a payload in any order.
fn point_line(point: &Point) -> String {
    let mut hasher = DefaultHasher::new();
    for (name, vector) in &point.vectors {
        name.hash(&mut hasher);
        let (indices, values) = match vector {
            NamedVector::Dense(values) => (&[][..], values),
            NamedVector::Sparse(sparse) => (&sparse.indices[..], &sparse.values),
        };
        indices.hash(&mut hasher);
        values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
    }
    format!("{} {} {:016x}", point.id, canonical_json(&point.payload), hasher.finish())
}

fn short(line: &str) -> String {
    line.chars().take(120).collect()
}

impl VectorPhoto {
    /// Reads everything.
    pub async fn take(store: &dyn VectorStore) -> Result<VectorPhoto, StoreError> {
        let mut out = VectorPhoto { aliases: store.aliases().await?, ..VectorPhoto::default() };
        for name in store.collections().await? {
            let Some(facts) = store.collection(&name).await? else { continue };
            let mut points = store.points(&name, None, 10_000, WithVectors::Yes).await?.points;
            points.sort_by_key(|point| point.id);
            out.collections.insert(name, (facts, points));
        }
        Ok(out)
    }

    /// Everything as text, with the run's id taken out.
    pub fn lines(&self) -> Vec<String> {
        let aliases = self.aliases.iter().map(|(alias, name)| format!("alias {alias} -> {name}"));
        let collections = self.collections.iter().flat_map(|(name, (facts, points))| {
            let head = format!("collection {facts:?}");
            std::iter::once(head).chain(points.iter().map(move |point| format!("{name}: {}", point_line(point))))
        });
        let run = self.run.as_deref().unwrap_or(RUN);
        aliases.chain(collections).map(|line| line.replace(run, RUN)).collect()
    }

    /// Makes the store what it was.
    pub async fn put_back(&self, store: &dyn VectorStore, now: &VectorPhoto) -> Result<(), StoreError> {
        for name in now.collections.keys() {
            if self.collections.get(name) != now.collections.get(name) {
                store.ensure_collection_absent(name).await?;
            }
        }
        for (name, (facts, points)) in &self.collections {
            if now.collections.get(name) == Some(&(facts.clone(), points.clone())) {
                continue;
            }
            let spec = CollectionSpec {
                name: name.clone(),
                vectors: facts.vectors.clone(),
                payload_indexes: facts.payload_indexes.clone(),
                metadata: match facts.metadata.clone() {
                    CollectionMetadata::Kept(texts) => texts,
                    CollectionMetadata::NotKept { server } => panic!("{server} is not tested here"),
                },
                like: None,
            };
            store.ensure_collection(&spec).await?;
            if !points.is_empty() {
                store.ensure_points(name, points).await?;
            }
        }
        for alias in now.aliases.keys().filter(|alias| !self.aliases.contains_key(*alias)) {
            store.ensure_alias_absent(alias).await?;
        }
        for (alias, name) in &self.aliases {
            if store.aliases().await?.get(alias) != Some(name) {
                store.ensure_alias(alias, name).await?;
            }
        }
        Ok(())
    }
}

/// The governed tables, with a copy of each to go back to.
pub struct Tables {
    names: Vec<String>,
    /// The columns of each that can be written.
    columns: BTreeMap<String, String>,
    /// Digests of the copies of governed tables.
    saved: BTreeMap<String, String>,
    /// The versions of the rows that are as the copies are.
    versions: Versions,
    /// Prepared once: to plan them takes longer than to run them.
    read_versions: Statement,
    digests: BTreeMap<String, Statement>,
}

impl Tables {
    /// Copies every table.
    pub async fn save(client: &Client) -> Result<Tables, tokio_postgres::Error> {
        let found = client
            .query(
                "SELECT schemaname || '.' || tablename, (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) \
                   FROM pg_attribute WHERE attrelid = (schemaname || '.' || tablename)::regclass AND attnum > 0 \
                   AND NOT attisdropped AND attgenerated = '') \
                 FROM pg_tables WHERE schemaname IN ('public', 'cutter_governance', 'enact') ORDER BY 1",
                &[],
            )
            .await?;
        let names: Vec<String> = found.iter().map(|row| row.get(0)).collect();
        let copies: String =
            names.iter().map(|name| format!("CREATE TABLE saved.\"{name}\" AS TABLE {name};")).collect();
        client.batch_execute(&format!("CREATE SCHEMA saved; {copies} ANALYZE")).await?;
        let read_versions = names.iter().map(|name| versions_query(name)).collect::<Vec<_>>().join(" UNION ALL ");
        let read_versions = client.prepare(&read_versions).await?;
        let mut digests = BTreeMap::new();
        for name in names.iter().filter(|name| !OWN_BOOKS.contains(&name.as_str())) {
            digests.insert(name.clone(), client.prepare(&digest_query(name)).await?);
        }
        let columns = found.iter().map(|row| (row.get(0), row.get(1))).collect();
        let (saved, versions) = (BTreeMap::new(), BTreeMap::new());
        let mut tables = Tables { names, columns, saved, versions, read_versions, digests };
        tables.saved = tables.digests(client, None, |_| true).await?;
        tables.versions = tables.read_versions(client).await?;
        Ok(tables)
    }

    async fn read_versions(&self, client: &Client) -> Result<Versions, tokio_postgres::Error> {
        let rows = client.query(&self.read_versions, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Digests of the governed tables that are wanted.
    async fn digests(
        &self,
        client: &Client,
        run: Option<&str>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
        let run = run.unwrap_or("no run yet");
        let wanted = self.digests.iter().filter(|(name, _)| is_wanted(name));
        let digests = wanted.map(async |(name, statement)| {
            let row = client.query_one(statement, &[&run, &RUN]).await?;
            Ok((name.clone(), row.get(0)))
        });
        Ok(try_join_all(digests).await?.into_iter().collect())
    }

    /// Reads everything; beside the photo, the versions of all rows for [`Tables::put_back`].
    pub async fn photo(
        &self,
        client: &Client,
        vectors: &dyn VectorStore,
        run: Option<&str>,
    ) -> Result<(Photo, Versions), Box<dyn std::error::Error>> {
        let versions = self.read_versions(client).await?;
        let mut tables = self.saved.clone();
        let has_moved = |name: &str| versions.get(name) != self.versions.get(name);
        tables.extend(self.digests(client, run, has_moved).await?);
        let mut vectors = VectorPhoto::take(vectors).await?;
        vectors.run = run.map(str::to_owned);
        Ok((Photo { tables, vectors }, versions))
    }

    /// Puts the rows of every table back that is not what it was.
    pub async fn put_back(&mut self, client: &Client, now: &Versions) -> Result<(), tokio_postgres::Error> {
        let moved = self.names.iter().filter(|name| now.get(*name) != self.versions.get(*name));
        let script: String = moved
            .map(|name| {
                let columns = &self.columns[name];
                format!(
                    "DELETE FROM {name}; \
                     INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM saved.\"{name}\";"
                )
            })
            .collect();
        // Triggers and foreign keys sleep meanwhile.
        let script = format!("BEGIN; SET LOCAL session_replication_role = replica; {script} COMMIT");
        client.batch_execute(&script).await?;
        self.versions = self.read_versions(client).await?;
        Ok(())
    }
}

fn unrepeatable(table: &str) -> String {
    let columns: Vec<&str> =
        UNREPEATABLE.iter().filter(|(name, _)| *name == table).map(|(_, column)| *column).collect();
    format!("'{{{}}}'::text[]", columns.join(","))
}

fn versions_query(table: &str) -> String {
    format!(
        "SELECT '{table}', count(*) || ' ' || coalesce(sum(hashtextextended(xmin::text || ctid::text, 0)), 0) FROM {table}"
    )
}

fn digest_query(table: &str) -> String {
    format!(
        "SELECT md5(coalesce(string_agg(m, E'\\n' ORDER BY m), '')) \
         FROM (SELECT replace((to_jsonb(t) - {})::text, $1, $2) AS m FROM {table} t) AS rows",
        unrepeatable(table)
    )
}
