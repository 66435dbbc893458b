//! Everything that both stores hold, as texts that can be compared.
//!
//! - PostgreSQL: every row of every table, apart from Enact's own record of runs (`enact.run`, `enact.journal`, `enact.plan_line`), the gate of
//!   these tests, and the copies of points that a run keeps so that it can be reverted.
//! - Qdrant: every alias, and every collection with its shape, its metadata and every point with payload and vectors.
//!
//! Three things differ between two runs that did the same, and are written alike: a run's id, a time after the stores were
//! saved, and what a sequence gave (a rollback does not give numbers back). A time before that stands as it is,
//! so a row that was touched differs from one that was not.

use std::collections::{BTreeMap, BTreeSet};

use enact::model::canonical_json;
use enact::store::qdrant::{Qdrant, QdrantOptions};
use enact::store::{VectorStore, WithVectors};
use secrecy::SecretString;
use serde_json::Value;

use super::stores::Stores;

/// Everything in both stores: rows by table, points by collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(BTreeMap<String, Rows>);

/// Texts, and how often each is there.
type Rows = BTreeMap<String, usize>;

/// Tables, and the columns whose values a sequence gave, or the time of an apply.
const TABLES: &str = "SELECT concat_ws('|', quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
    (SELECT string_agg(attname, '|') FROM pg_attribute a WHERE a.attrelid = c.oid AND (a.attidentity <> '' \
    OR (n.nspname, c.relname, a.attname) = ('enact', 'managed_unit', 'seen')))) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'gate') \
    AND (n.nspname, c.relname) NOT IN (('enact', 'run'), ('enact', 'journal'), ('enact', 'plan_line'), ('enact', 'before_image')) ORDER BY 1";

/// What is written alike in two runs.
struct Alike {
    runs: Vec<String>,
    saved_at: String,
}

impl State {
    /// Reads both stores; `None` when a collection went away meanwhile.
    pub fn read(stores: &Stores) -> Option<State> {
        let connection = stores.connect();
        stores.batch(&connection, "SET TimeZone = 'UTC'; SET extra_float_digits = 1");
        let saved_at = stores.value_on(&connection, "SELECT coalesce(max(at)::text, 'A') FROM gate.saved");
        let runs = "SELECT run_id FROM enact.run WHERE opened_at > (SELECT max(at) FROM gate.saved)";
        let alike = Alike { runs: stores.values_on(&connection, runs), saved_at: saved_at.replace(' ', "T") };
        let mut parts = BTreeMap::new();
        for line in stores.values_on(&connection, TABLES) {
            let mut words = line.split('|');
            let table = words.next().expect("a table").to_owned();
            let given: Vec<&str> = words.collect();
            let rows = stores.values_on(&connection, &format!("SELECT to_jsonb(t)::text FROM {table} t"));
            parts.insert(table, counted(rows.iter().map(|row| alike.row(row, &given))));
        }
        stores.close(connection);
        let whole = stores.runtime.block_on(read_vectors(&stores.url(), &alike, &mut parts));
        whole.then_some(State(parts))
    }

    /// What differs from another state; nothing when both are the same. At most two of each part.
    pub fn differences(&self, other: &State) -> Vec<String> {
        let none = Rows::new();
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let mut out = Vec::new();
        for name in names {
            let (mine, theirs) = (self.0.get(name).unwrap_or(&none), other.0.get(name).unwrap_or(&none));
            let differ = mine.keys().chain(theirs.keys()).filter(|text| mine.get(*text) != theirs.get(*text));
            let differ: BTreeSet<&String> = differ.collect();
            out.extend(differ.iter().take(2).map(|text| {
                let times = |rows: &Rows| rows.get(*text).copied().unwrap_or_default();
                let side = if times(mine) > times(theirs) { "more" } else { "fewer" };
                let near = differ.iter().filter(|other| **other != *text).map(|other| common(text, other)).max();
                format!("{name}: {side} of {}", excerpt(text, near.unwrap_or_default()))
            }));
        }
        out
    }

    /// How many rows and points there are.
    pub fn size(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

impl Alike {
    fn row(&self, text: &str, given: &[&str]) -> String {
        let mut value: Value = serde_json::from_str(text).expect("a row as JSON");
        if let Value::Object(columns) = &mut value {
            for column in given {
                columns.remove(*column);
            }
        }
        self.value(&mut value);
        self.text(&canonical_json(&value))
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.is_later(text) => "<later>".clone_into(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Times are spelled the same everywhere: `2026-05-24T00:00:00.5+00:00`.
    fn is_later(&self, text: &str) -> bool {
        let text = text.replacen(' ', "T", 1);
        let bytes = text.as_bytes();
        let timed = bytes.len() > 18 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':';
        timed && text.as_str() > self.saved_at.as_str()
    }

    fn text(&self, text: &str) -> String {
        self.runs.iter().fold(text.to_owned(), |text, run| text.replace(run, "<run>"))
    }
}

/// A client of the test's own.
pub async fn client(url: &str) -> Qdrant {
    let options =
        QdrantOptions { url: SecretString::from(url), api_key: None, timeout_ms: 20_000, retry_ms: 0, ca: None };
    Qdrant::connect(&options).await.expect("the vector server")
}

async fn read_vectors(url: &str, alike: &Alike, parts: &mut BTreeMap<String, Rows>) -> bool {
    let store = client(url).await;
    let aliases = store.aliases().await.expect("aliases");
    let aliases = aliases.into_iter().map(|(alias, name)| alike.text(&format!("{alias} is {name}")));
    parts.insert("aliases".to_owned(), counted(aliases));
    for name in store.collections().await.expect("collections") {
        let Some(facts) = store.collection(&name).await.expect("a collection") else { return false };
        let mut held = vec![alike.text(&format!("{facts:?}"))];
        let mut from = None;
        loop {
            let Ok(page) = store.points(&name, from.as_ref(), 1_000, WithVectors::Yes).await else { return false };
            held.extend(page.points.into_iter().map(|point| {
                let payload = canonical_json(&point.payload);
                alike.text(&format!("{} {payload} {:?}", point.id, point.vectors))
            }));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        parts.insert(alike.text(&format!("collection {name}")), counted(held.into_iter()));
    }
    true
}

fn counted(texts: impl Iterator<Item = String>) -> Rows {
    let mut out = Rows::new();
    for text in texts {
        *out.entry(text).or_default() += 1;
    }
    out
}

/// How many characters two texts begin with alike.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

/// The beginning of a text, and what stands where it differs from another.
fn excerpt(text: &str, at: usize) -> String {
    let part = |from: usize, length: usize| text.chars().skip(from).take(length).collect::<String>();
    if at < 200 { part(0, 400) } else { format!("{} … {}", part(0, 120), part(at.saturating_sub(60), 240)) }
}
