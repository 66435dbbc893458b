//! A world as plan files and as SQL.

use std::fmt::Write as _;

use super::oracle::Resource;
use super::world::{
    Declared, Doc, Files, Mode, Project, Recipe, Rollout, Row, Rows, Selection, Set, SetName, Status, Table,
};

/// Tables that every database starts with, beside that of the documents.
pub const TABLES: &str = "CREATE TABLE public.settings (name text PRIMARY KEY, value text NOT NULL DEFAULT 'none', note text);
CREATE TABLE public.rates (region text, code int, value numeric(8,2) NOT NULL DEFAULT 0, note text, PRIMARY KEY (region, code));
CREATE TABLE public.frozen (id int PRIMARY KEY, value int NOT NULL);
";

/// How names of one world are told from those of others on the vector server.
#[derive(Debug, Clone, Copy)]
pub struct Prefix<'a>(pub &'a str);

impl Prefix<'_> {
    pub fn set(&self, name: SetName) -> String {
        let name = match name {
            SetName::Texts => "texts",
            SetName::More => "more",
            SetName::Wiki => "wiki",
        };
        format!("{}_{name}", self.0)
    }

    /// The address that Enact prints.
    pub fn address(&self, resource: &Resource, slug: impl Fn(u8) -> u8) -> String {
        match resource {
            Resource::Row(table @ Table::Settings, key) => format!("row.{}[name={}]", table.name(), setting(*key)),
            Resource::Row(table @ Table::Rates, key) => {
                format!("row.{}[code={},region={}]", table.name(), key % 3, region(*key))
            }
            Resource::Set(name) => format!("vector_set.{}", self.set(*name)),
            Resource::Promotion(name) => format!("promotion.p{name}"),
            Resource::Move(doc) => format!("lifecycle[\"{}\"]", slug_text(slug(*doc))),
            Resource::Protection => "protect.still".to_owned(),
        }
    }
}

fn setting(key: u8) -> String {
    format!("k{key}")
}

fn region(key: u8) -> &'static str {
    if key < 3 { "eu" } else { "us" }
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Table::Settings => "public.settings",
            Table::Rates => "public.rates",
        }
    }

    /// A value as a file spells it; the table may keep it otherwise.
    fn spelled(self, value: u8) -> String {
        match self {
            Table::Settings => format!("\"v{value}\""),
            Table::Rates if value.is_multiple_of(2) => format!("{value}.5"),
            Table::Rates => format!("{value}.50"),
        }
    }

    fn key(self, key: u8) -> String {
        match self {
            Table::Settings => format!("{{ name: {} }}", setting(key)),
            Table::Rates => format!("{{ region: {}, code: {} }}", region(key), key % 3),
        }
    }

    pub fn condition(self, key: u8) -> String {
        match self {
            Table::Settings => format!("name = '{}'", setting(key)),
            Table::Rates => format!("region = '{}' AND code = {}", region(key), key % 3),
        }
    }

    /// The number of a key, as SQL.
    pub fn key_number(self) -> &'static str {
        match self {
            Table::Settings => "substr(name, 2)::int",
            Table::Rates => "code + CASE region WHEN 'us' THEN 3 ELSE 0 END",
        }
    }

    /// The number of a value, as SQL.
    pub fn value_number(self) -> &'static str {
        match self {
            Table::Settings => "substr(value, 2)::int",
            Table::Rates => "(value - 0.5)::int",
        }
    }

    fn value_sql(self, value: u8) -> String {
        match self {
            Table::Settings => format!("'v{value}'"),
            Table::Rates => format!("{value}.5"),
        }
    }

    /// Makes a row what it is.
    pub fn write(self, key: u8, row: &Row) -> String {
        let (columns, keys) = match self {
            Table::Settings => ("name", format!("'{}'", setting(key))),
            Table::Rates => ("region, code", format!("'{}', {}", region(key), key % 3)),
        };
        let note = row.note.map_or("NULL".to_owned(), |note| format!("'n{note}'"));
        let value = self.value_sql(row.value);
        format!(
            "INSERT INTO {} ({columns}, value, note) VALUES ({keys}, {value}, {note}) \
             ON CONFLICT ({columns}) DO UPDATE SET value = {value}, note = {note}",
            self.name()
        )
    }
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Draft => "draft",
            Status::Published => "published",
            Status::Archived => "archived",
        }
    }
}

pub fn slug_text(slug: u8) -> String {
    format!("{}/{slug}", if slug.is_multiple_of(2) { "a" } else { "b" })
}

pub fn title_text(title: u8) -> String {
    format!("Title {title}")
}

pub fn doc_id(doc: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{doc:02}")
}

/// Forty characters, so that two of them are longer than a narrow chunk.
pub fn paragraph(number: u8) -> String {
    format!("Paragraph number {number:02} speaks about item {number:02}")
}

pub fn body_text(body: &[u8]) -> String {
    body.iter().map(|number| paragraph(*number)).collect::<Vec<_>>().join("\n\n")
}

/// Makes a document what it is; the time of its last change stays.
pub fn write_doc(id: u8, doc: &Doc) -> String {
    let (slug, title, status) = (slug_text(doc.slug), title_text(doc.title), doc.status.word());
    let body = body_text(&doc.body);
    format!(
        "INSERT INTO public.documents (id, slug, title, body, status) VALUES ('{}', '{slug}', '{title}', '{body}', '{status}') \
         ON CONFLICT (id) DO UPDATE SET slug = '{slug}', title = '{title}', body = '{body}', status = '{status}'",
        doc_id(id)
    )
}

impl Project {
    pub fn folder(self) -> &'static str {
        match self {
            Project::Main => "main",
            Project::Wiki => "wiki",
        }
    }
}

impl Files {
    /// The one plan file of a project.
    pub fn yaml(&self, prefix: Prefix<'_>) -> String {
        let Files { tables, sets, away: _, promotions, protect } = self;
        let mut out = "enact: v1\nplan: world\n".to_owned();
        if !tables.is_empty() {
            out.push_str("rows:\n");
        }
        tables.iter().for_each(|(table, rows)| rows.yaml(*table, &mut out));
        if !promotions.is_empty() {
            out.push_str("promotions:\n");
        }
        for (name, promotion) in promotions {
            let half = if promotion.even { "a" } else { "b" };
            let _in_memory = writeln!(
                out,
                "  p{name}:\n    units: {{ slug_prefix: {half}/, lifecycle: draft }}\n    to: published\n    \
                 review: {{ decision: approve, reviewer: editors, rationale: read }}"
            );
        }
        if !sets.is_empty() {
            out.push_str("chunk_policies:\n");
        }
        sets.iter().for_each(|(name, set)| set.policy(prefix.set(*name), &mut out));
        if !sets.is_empty() {
            out.push_str("vector_sets:\n");
        }
        sets.iter().for_each(|(name, set)| set.yaml(prefix.set(*name), &mut out));
        if *protect {
            out.push_str("protect:\n  still: { table: public.frozen }\n");
        }
        out
    }
}

impl Rows {
    fn yaml(&self, table: Table, out: &mut String) {
        let mode = match self.mode {
            Mode::Upsert => "upsert",
            Mode::Insert => "insert",
            Mode::Sync => "sync",
        };
        let key = match table {
            Table::Settings => "[name]",
            Table::Rates => "[region, code]",
        };
        let empty = if self.rows.is_empty() { " []" } else { "" };
        let _in_memory = writeln!(out, "  {}:\n    mode: {mode}\n    key: {key}\n    rows:{empty}", table.name());
        for (number, declared) in &self.rows {
            let what = match declared {
                Declared::Absent => "absent: true".to_owned(),
                Declared::Present { value, note } => {
                    let note =
                        note.map(|note| note.map_or(", note: null".to_owned(), |note| format!(", note: n{note}")));
                    format!("values: {{ value: {}{} }}", table.spelled(*value), note.unwrap_or_default())
                }
            };
            let _in_memory = writeln!(out, "      - {{ key: {}, {what} }}", table.key(*number));
        }
    }
}

impl Selection {
    fn yaml(&self) -> String {
        let half = self.even.map(|even| format!("slug_prefix: {}/", if even { "a" } else { "b" }));
        let status = self.status.map(|status| format!("lifecycle: {}", status.word()));
        let all = (half.is_none() && status.is_none()).then(|| "lifecycle: [draft, published, archived]".to_owned());
        half.into_iter().chain(status).chain(all).collect::<Vec<_>>().join(", ")
    }
}

impl Set {
    fn policy(&self, name: String, out: &mut String) {
        let Recipe { wide, titled, empty_title, payload_title: _, payload_status: _ } = self.recipe;
        let chars = if wide { 1_000 } else { 60 };
        let text = if titled { "{title}\\n\\n{chunk}" } else { "{chunk}" };
        let empty = if empty_title { "title" } else { "skip" };
        let _in_memory = writeln!(
            out,
            "  {name}: {{ splitter: text, max_chars: {chars}, overlap_chars: 0, text: \"{text}\", empty_body: {empty} }}"
        );
    }

    fn yaml(&self, name: String, out: &mut String) {
        let Recipe { payload_title, payload_status, .. } = self.recipe;
        let title = if payload_title { ", title" } else { "" };
        let status = if payload_status { ", lifecycle" } else { "" };
        let rollout = match self.rollout {
            Rollout::Auto => "auto",
            Rollout::InPlace => "in_place",
            Rollout::BlueGreen => "blue_green",
        };
        let units = self.selection.yaml();
        let _in_memory = writeln!(
            out,
            "  {name}:\n    units: {{ {units} }}\n    chunk_policy: {name}\n    \
             vectors: {{ words: {{ sparse: bm25, language: none }} }}\n    payload: [slug, chunk_index, text{title}{status}]\n    \
             rollout: {rollout}\n    max_delete: 100%"
        );
        if self.index {
            out.push_str("    payload_indexes: { slug: keyword }\n");
        }
        if self.keyed {
            out.push_str(
                "    ids: { scheme: key, namespace: 6ba7b811-9dad-11d1-80b4-00c04fd430c8, template: \"{unit.address}#{chunk.key}\" }\n",
            );
        }
    }
}
