//! One plan file: its sections, read into the model.
//!
//! Text in a plan file is data: `${…}` means nothing here, and connections have no key.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::checks::check;
use super::codes;
use super::gates::gate;
use super::promotion::promotion;
use super::protect::protection;
use super::retention::retention;
use super::rows::{FromFile, TableRows, table_rows};
use super::selection::named_selection;
use super::tree::{Kind, Node};
use super::vectors::{chunk_policy, vector_set};
use super::walk::{Fields, text, unknown_key, usable_name};
use super::yaml::parse_document;
use crate::model::{Desired, Diagnostic, Diagnostics, Digest, Place, SourceFile, Spot};

/// Keys of a plan file.
pub(super) const PLAN_KEYS: &[&str] = &[
    "enact",
    "plan",
    "units",
    "promotions",
    "rows",
    "chunk_policies",
    "vector_sets",
    "gates",
    "checks",
    "protect",
    "retention",
];
/// Keys that somebody may look for here and that belong to `enact.yaml`.
const CONFIG_KEYS: &[&str] =
    &["environments", "default", "env_file", "postgres", "qdrant", "embedders", "binding", "roles"];

/// What kind of thing a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    Units,
    Promotion,
    ChunkPolicy,
    VectorSet,
    Protection,
    Check,
    Gate,
    Retention,
}

impl Section {
    /// What a message calls it.
    pub fn noun(self) -> &'static str {
        match self {
            Section::Units => "selection of units",
            Section::Promotion => "promotion",
            Section::ChunkPolicy => "chunk policy",
            Section::VectorSet => "vector set",
            Section::Protection => "protection",
            Section::Check => "check",
            Section::Gate => "gate",
            Section::Retention => "retention",
        }
    }
}

/// What a file says: what could be read of it, and the names it claims even where the rest could not be read.
#[derive(Debug, Default)]
pub(super) struct PlanFile {
    pub desired: Desired,
    pub claims: BTreeMap<(Section, String), Place>,
    /// The data files that it names.
    pub data: Vec<FromFile>,
    /// The names it refers to, also from entries that could not be read.
    pub references: Vec<(Section, Spot<String>)>,
}

/// Reads one file's text.
pub(super) fn read_plan(file: &Arc<str>, source: &str, out: &mut Diagnostics) -> PlanFile {
    let mut plan = PlanFile::default();
    let before = out.0.len();
    let root = parse_document(file, source, out);
    let Some(root) = root.filter(|root| root.kind != Kind::Null) else {
        if out.0.len() == before {
            let diagnostic = Diagnostic::error(codes::EMPTY, format!("empty plan: \"{file}\" says nothing"));
            out.push(diagnostic.hint("begin with enact: v1 and plan: <name>"));
        }
        return plan;
    };
    if let Some(fields) = Fields::open_any(&root, "a plan file", &root.place, out) {
        check_keys(&fields, out);
        format_version(&fields, out);
        if let Some(name) = fields.require_text("plan", out).filter(|name| usable_name(name, "a plan", out).is_some()) {
            let digest = Digest::of_bytes(source.as_bytes());
            plan.desired.files.push(SourceFile { path: file.to_string(), plan: name.value, digest });
        }
        read_sections(&fields, &mut plan, out);
    }
    plan
}

fn check_keys(fields: &Fields<'_>, out: &mut Diagnostics) {
    for entry in fields.entries() {
        let key = entry.key.value.as_str();
        if PLAN_KEYS.contains(&key) {
            continue;
        }
        if CONFIG_KEYS.contains(&key) {
            let hint = "connections and environments belong in enact.yaml";
            out.push(unknown_key(&entry.key, "a plan file", PLAN_KEYS).hint(hint));
        } else {
            out.push(unknown_key(&entry.key, "a plan file", PLAN_KEYS));
        }
    }
}

fn format_version(fields: &Fields<'_>, out: &mut Diagnostics) {
    let Some(written) = fields.require("enact", out).and_then(|node| text(node, "enact", out)) else { return };
    if written.value != "v1" {
        let detail = format!("the format \"{}\" is not known", written.value);
        out.push(Diagnostic::error(codes::VERSION, detail).at(&written.place).hint("write enact: v1"));
    }
}

fn read_sections(fields: &Fields<'_>, plan: &mut PlanFile, out: &mut Diagnostics) {
    let PlanFile { desired, claims, references, data: _ } = plan;
    each(fields, "units", Section::Units, claims, out, |name, node, out| {
        desired.units.extend(named_selection(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "promotions", Section::Promotion, claims, out, |name, node, out| {
        references.extend(reference(node, "units", Section::Units));
        desired.promotions.extend(promotion(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "chunk_policies", Section::ChunkPolicy, claims, out, |name, node, out| {
        desired.chunk_policies.extend(chunk_policy(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "vector_sets", Section::VectorSet, claims, out, |name, node, out| {
        references.extend(reference(node, "units", Section::Units));
        references.extend(reference(node, "chunk_policy", Section::ChunkPolicy));
        desired.vector_sets.extend(vector_set(name, node, out).map(|value| (name.value.clone(), value)));
    });
    read_guards(fields, plan, out);
    read_rows(fields, plan, out);
}

fn read_rows(fields: &Fields<'_>, plan: &mut PlanFile, out: &mut Diagnostics) {
    let Some(rows) = fields.get("rows") else { return };
    let Some(tables) = Fields::open_any(rows, "\"rows\"", &rows.place, out) else { return };
    let mut entries: Vec<_> = tables.entries().iter().collect();
    // By name, because a table may be spelled in two ways and the order of keys means nothing.
    entries.sort_by(|a, b| a.key.value.cmp(&b.key.value));
    for entry in entries {
        let TableRows { sets, synced, file } = table_rows(&entry.key, &entry.value, out);
        plan.desired.rows.extend(sets);
        plan.desired.synced.extend(synced);
        plan.data.extend(file);
    }
}

fn read_guards(fields: &Fields<'_>, plan: &mut PlanFile, out: &mut Diagnostics) {
    let PlanFile { desired, claims, references, data: _ } = plan;
    each(fields, "gates", Section::Gate, claims, out, |name, node, out| {
        desired.gates.extend(gate(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "checks", Section::Check, claims, out, |name, node, out| {
        desired.checks.extend(check(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "protect", Section::Protection, claims, out, |name, node, out| {
        references.extend(reference(node, "units", Section::Units));
        desired.protect.extend(protection(name, node, out).map(|value| (name.value.clone(), value)));
    });
    each(fields, "retention", Section::Retention, claims, out, |name, node, out| {
        if let Some(paired) = child(node, "paired") {
            references.extend(reference(paired, "check", Section::Check));
        }
        desired.retention.extend(retention(name, node, out).map(|value| (name.value.clone(), value)));
    });
}

fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
}

fn reference(node: &Node, key: &str, section: Section) -> Option<(Section, Spot<String>)> {
    let value = child(node, key)?;
    value.scalar_text().map(|name| (section, Spot { value: name, place: value.place.clone() }))
}

fn each(
    fields: &Fields<'_>,
    key: &str,
    section: Section,
    claims: &mut BTreeMap<(Section, String), Place>,
    out: &mut Diagnostics,
    mut read: impl FnMut(&Spot<String>, &Node, &mut Diagnostics),
) {
    let Some(node) = fields.get(key) else { return };
    let Some(entries) = Fields::open_any(node, &format!("\"{key}\""), &node.place, out) else { return };
    for entry in entries.entries() {
        claims.insert((section, entry.key.value.clone()), entry.key.place.clone());
        if usable_name(&entry.key, &format!("a {}", section.noun()), out).is_some() {
            read(&entry.key, &entry.value, out);
        }
    }
}
