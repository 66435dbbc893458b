//! From what lives to what a plan file would say of it. Pure.
//!
//! ```text
//! Live ── managed (what applies wrote down) ──┐
//!      ── promotions (rows read back)         ├──▶ Recognised (Desired, comments, what is left out and why)
//!      ── sets (collections, ledger, texts)   │
//!      ── rows, gates                        ──┘
//! ```
//!
//! - **Nothing is guessed without a proof.** A promotion is recognised when an id scheme of the binding gives the ids that its
//!   rows have; a vector set when a namespace gives the ids that its points have; a chunk policy when it cuts the texts as the
//!   ledger says that they were cut. What has no proof is left out with the reason, or written with a comment that says so.
//! - What Enact itself applied is written as its author declared it.
//! - The result, read again and planned, asks for no change of rows, units or points.
//!
//! *Not here:* reading the stores (`observe`), YAML (`spec`), taking over (`diff::adopt`).

mod forms;
mod managed;
mod policy;
mod promotions;
mod rows;
mod sets;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

pub use policy::CutUnit;
pub use rows::{RowsAsked, key_of};

use crate::diff::codes;
use crate::model::{
    Address, Binding, CollectionFacts, Desired, Diagnostic, Environment, GateResource, LedgerRow, LiveRow, Managed,
    Place, PointId, Spot, TableFacts, TableName, UnitFacts,
};
use crate::spec::Comments;

/// What lives, as far as a plan file could declare it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// What earlier applies own.
    pub managed: BTreeMap<Address, Managed>,
    /// All units by id.
    pub units: BTreeMap<String, UnitFacts>,
    /// Rows of the tables that a promotion writes.
    pub records: BTreeMap<TableName, Vec<LiveRow>>,
    /// Gates that stand open or shut.
    pub gates: BTreeMap<String, String>,
    /// Tables whose rows were asked for.
    pub tables: BTreeMap<TableName, LiveTable>,
    /// Rows of the ledger by point key, where such a collection may be wanted.
    pub ledger: BTreeMap<String, LedgerRow>,
    /// Collections that the ledger covers and nothing manages, by vector set.
    pub sets: BTreeMap<String, LiveSet>,
}

/// Rows of one table.
#[derive(Debug, Clone, Default)]
pub struct LiveTable {
    /// Its catalog facts.
    pub facts: TableFacts,
    /// Its rows.
    pub rows: Vec<LiveRow>,
}

/// A collection that nothing manages.
#[derive(Debug, Clone)]
pub struct LiveSet {
    /// The collection behind the name.
    pub facts: CollectionFacts,
    /// Whether the name is an alias.
    pub alias: bool,
    /// Its points.
    pub points: BTreeSet<PointId>,
    /// How many points have each payload field.
    pub fields: BTreeMap<String, u64>,
    /// Some of its units with the texts of their chunks, as digests.
    pub cut: Vec<CutUnit>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Resources by address; empty for all that can be found.
    pub only: BTreeSet<Address>,
    /// Rows, which are never written unless they are asked for.
    pub rows: Vec<RowsAsked>,
    /// Namespaces that ids may have been derived under.
    pub namespaces: Vec<String>,
    /// Resources that plan files declare already.
    pub declared: BTreeSet<Address>,
}

impl Wanted {
    /// Whether nothing is named, so that everything but rows is wanted.
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.rows.is_empty()
    }

    /// Whether resources of a kind are wanted: promotions for [`Address::promotion`].
    pub fn kind(&self, address_of: fn(&str) -> Address) -> bool {
        let begins = address_of("");
        self.is_whole() || self.only.iter().any(|address| address.as_str().starts_with(begins.as_str()))
    }

    fn wants(&self, address: &Address) -> bool {
        (self.is_whole() || self.only.contains(address)) && !self.declared.contains(address)
    }
}

/// What recognition stands on.
pub struct Known<'a> {
    /// The binding.
    pub binding: &'a Binding,
    /// The environment.
    pub environment: &'a Environment,
    /// Components of a vector by embedder.
    pub dimensions: &'a BTreeMap<String, u64>,
}

/// What was recognised.
#[derive(Debug, Clone, Default)]
pub struct Recognised {
    /// What a plan file would say.
    pub desired: Desired,
    /// What should be said beside it.
    pub comments: Comments,
    /// What lives and cannot be written, with the reason.
    pub left_out: BTreeMap<Address, Diagnostic>,
}

impl Recognised {
    fn comment(&mut self, address: &Address, text: impl Into<String>) {
        self.comments.of.entry(address.clone()).or_default().push(text.into());
    }

    fn leave_out(&mut self, address: Address, why: &str, hint: Option<&str>) {
        let mut diagnostic = Diagnostic::warning(codes::NOT_RECOGNISED, format!("\"{address}\" is not written: {why}"));
        if let Some(hint) = hint {
            diagnostic = diagnostic.hint(hint);
        }
        self.left_out.insert(address, diagnostic);
    }
}

/// Recognises what lives.
///
/// # Errors
/// Resources that were asked for by name and are not there.
pub fn recognise(live: &Live, known: &Known<'_>, wanted: &Wanted) -> Result<Recognised, Vec<Diagnostic>> {
    let mut out = Recognised::default();
    managed::add(live, wanted, &mut out);
    promotions::add(live, known, wanted, &mut out);
    sets::add(live, known, wanted, &mut out);
    add_gates(live, known, wanted, &mut out);
    let mut missing = rows::add(live, wanted, &mut out);
    let found = out.desired.addresses();
    let said = |address: &Address| found.contains(address) || out.left_out.contains_key(address);
    for address in wanted.undeclared().filter(|address| !said(address)) {
        let detail = format!("nothing that lives is called \"{address}\"");
        let hint = "enact export writes everything that can be written";
        missing.push(Diagnostic::error(codes::NOTHING_THERE, detail).hint(hint));
    }
    if missing.is_empty() { Ok(out) } else { Err(missing) }
}

fn add_gates(live: &Live, known: &Known<'_>, wanted: &Wanted, out: &mut Recognised) {
    let Some(gates) = &known.binding.gates else { return };
    for (name, value) in live.gates.iter().filter(|(name, _)| wanted.wants(&Address::gate(name))) {
        if *value == gates.open {
            out.comment(&Address::gate(name), "Stands open.");
        }
        let gate = GateResource { value: spot(value.clone()), place: nowhere() };
        out.desired.gates.insert(name.clone(), gate);
    }
}

/// The place of what no file says yet.
fn nowhere() -> Place {
    Place { file: "what lives".into(), line: 1, column: 1, start: 0, end: 0 }
}

fn spot<T>(value: T) -> Spot<T> {
    Spot { value, place: nowhere() }
}
