//! Everything that is in the tables of a case, as text.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::ddl::{MADE_FROM, UNTOUCHED, ident};
use super::schema::{Case, Made, TOUCHED, Table};

/// A row: its columns in the order of [`Table::columns`].
pub type Texts = Vec<Option<String>>;

/// Rows of each table by primary key, and what the audit triggers wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    pub tables: Vec<BTreeMap<Texts, Texts>>,
    /// Which kinds of change were seen of which row; how often is the writer's own matter.
    pub audit: BTreeSet<String>,
}

/// Rows of a query, as text.
pub async fn rows(client: &Client, query: &str) -> Result<Vec<Texts>, tokio_postgres::Error> {
    let messages = client.simple_query(query).await?;
    let texts = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect()),
        _ => None,
    });
    Ok(texts.collect())
}

impl Photo {
    pub async fn take(client: &Client, case: &Case) -> Photo {
        let mut tables = Vec::new();
        for table in &case.tables {
            let columns = table.columns(&case.tables);
            let list = columns.iter().map(|(name, _)| format!("{}::text", ident(name))).collect::<Vec<_>>().join(", ");
            let found = rows(client, &format!("SELECT {list} FROM {}", table.path())).await.expect("the rows");
            let width = table.keys[0].columns.len();
            tables.push(found.into_iter().map(|row| (row[..width].to_vec(), row)).collect());
        }
        let audit = rows(client, "SELECT what FROM public.audit_log").await.expect("the audit");
        Photo { tables, audit: audit.into_iter().flatten().flatten().collect() }
    }

    /// The same without what differs between two right ways: which number the database made, and when a trigger touched a row.
    #[must_use]
    pub fn plain(&self, case: &Case) -> Photo {
        let mut made: BTreeMap<(usize, String), String> = BTreeMap::new();
        for (index, (table, rows)) in case.tables.iter().zip(&self.tables).enumerate() {
            for row in rows.values().filter(|row| is_made(table, row)) {
                let width = table.keys[1].columns.len();
                made.insert((index, row[0].clone().unwrap_or_default()), format!("made for {:?}", &row[1..=width]));
            }
        }
        let plain = |table: &Table, index: usize, row: &Texts| {
            let mut row = row.clone();
            for (place, (name, _)) in table.columns(&case.tables).iter().enumerate() {
                let refers =
                    table.references.iter().find(|reference| reference.to_key == 0 && reference.columns[0] == *name);
                let of = if place == 0 { Some(index) } else { refers.map(|reference| reference.to) };
                if let (Some(of), Some(value)) = (of, &row[place])
                    && let Some(label) = made.get(&(of, value.clone()))
                {
                    row[place] = Some(label.clone());
                }
                if name == TOUCHED && row[place].as_deref() != Some(UNTOUCHED) {
                    row[place] = Some("touched".to_owned());
                }
            }
            row
        };
        let mut tables = Vec::new();
        for (index, (table, rows)) in case.tables.iter().zip(&self.tables).enumerate() {
            let width = table.keys[0].columns.len();
            let rows = rows.values().map(|row| plain(table, index, row));
            tables.push(rows.map(|row| (row[..width].to_vec(), row)).collect());
        }
        Photo { tables, audit: self.audit.clone() }
    }

    /// The same without what triggers do beside what is written.
    #[must_use]
    pub fn untouched(mut self, case: &Case) -> Photo {
        self.audit.clear();
        for (table, rows) in case.tables.iter().zip(&mut self.tables) {
            let columns = table.columns(&case.tables);
            let Some(place) = columns.iter().position(|(name, _)| name == TOUCHED) else { continue };
            rows.values_mut().for_each(|row| row[place] = None);
        }
        self
    }

    /// What is other here than there, a line for each row.
    pub fn difference(&self, other: &Photo, case: &Case) -> Vec<String> {
        let mut out = Vec::new();
        for (table, (one, two)) in case.tables.iter().zip(self.tables.iter().zip(&other.tables)) {
            let keys: BTreeSet<&Texts> = one.keys().chain(two.keys()).collect();
            let differ = keys.into_iter().filter(|key| one.get(*key) != two.get(*key));
            out.extend(differ.map(|key| {
                format!(
                    "{} {}: {} and not {}",
                    table.written(),
                    shown(key),
                    shown_row(one.get(key)),
                    shown_row(two.get(key))
                )
            }));
        }
        out.extend(self.audit.difference(&other.audit).map(|what| format!("audit: {what} is too much")));
        out.extend(other.audit.difference(&self.audit).map(|what| format!("audit: {what} is missing")));
        out
    }
}

/// Whether the database made the number of this row.
fn is_made(table: &Table, row: &Texts) -> bool {
    let id = row[0].as_deref().and_then(|id| id.parse::<u32>().ok());
    table.keys[0].made != Made::ByHand && id.is_some_and(|id| (MADE_FROM..1000).contains(&id))
}

fn shown(row: &Texts) -> String {
    row.iter().map(|text| text.as_deref().unwrap_or("∅")).collect::<Vec<_>>().join("|")
}

fn shown_row(row: Option<&Texts>) -> String {
    row.map_or("nothing".to_owned(), shown)
}
