//! Gates, checks, retentions and protections: what differs, what does not hold, what a reviewer should know.
//!
//! - A gate is a row of the binding's table; its declared value is compared with the live one.
//! - A check that fails when planned is an error, or a finding where it only warns.
//! - A retention opens its gate when its day has come and its paired check holds, never the gate alone. While the check
//!   does not hold, it is planned only where declared rows of the same plan may make it hold; the apply asks again. The rows
//!   of a promotion make no job, and a promotion never waits for one.
//! - Checks and protections are written down by the apply, so that a verification needs no plan file.

use serde_json::json;

use super::change::{Change, ChangeDetail, Finding, Reason};
use super::codes;
use super::compare::Comparison;
use super::protected::refuse_writes;
use crate::model::{
    Address, Binding, Desired, Diagnostic, Diagnostics, Digest, Gate, Observed, Place, ProtectionPin, Retention,
    RetentionFacts, Spot, digest_of, name_hint,
};

pub(super) fn guard_changes(
    desired: &Desired,
    binding: &Binding,
    observed: &Observed,
    out: &mut Comparison,
    errors: &mut Diagnostics,
) {
    let mut guards = GuardDiff { desired, binding, observed, out, errors };
    guards.gates();
    guards.checks();
    guards.retentions();
    guards.protections();
    refuse_writes(desired, binding, observed, out, errors);
}

struct GuardDiff<'a> {
    desired: &'a Desired,
    binding: &'a Binding,
    observed: &'a Observed,
    out: &'a mut Comparison,
    errors: &'a mut Diagnostics,
}

impl<'a> GuardDiff<'a> {
    fn change(&mut self, address: Address, place: &Place, reason: Reason, detail: ChangeDetail) {
        let declared_at = Some(place.to_string());
        self.out.changes.push(Change { address, declared_at, reasons: vec![reason], detail });
    }

    fn find(&mut self, code: &str, address: Address, message: String) {
        self.out.findings.push(Finding { code: code.to_owned(), address: Some(address), message });
    }

    /// The binding's gates and the live value of one of them.
    fn gate(&mut self, name: &str, place: &Place) -> Option<(&'a Gate, String)> {
        let Some(gates) = &self.binding.gates else {
            let detail = format!("the binding \"{}\" does not say where gates live", self.binding.name);
            self.errors.push(Diagnostic::error(codes::NOT_IN_BINDING, detail).at(place));
            return None;
        };
        match self.observed.gates.get(name).cloned().flatten() {
            Some(value) => Some((gates, value)),
            None => {
                let known = self.observed.guards.known_gates.iter().map(String::as_str);
                let (detail, hint) = if self.observed.guards.known_gates.contains(name) {
                    (format!("gate \"{name}\" has no value in \"{}\"", gates.table), "give it a value first".to_owned())
                } else {
                    (format!("gate \"{name}\" has no row in \"{}\"", gates.table), gate_hint(name, known))
                };
                self.errors.push(Diagnostic::error(codes::UNKNOWN_GATE, detail).at(place).hint(hint));
                None
            }
        }
    }

    fn gates(&mut self) {
        for (name, resource) in &self.desired.gates {
            let Some((gates, before)) = self.gate(name, &resource.place) else { continue };
            let after = resource.value.value.clone();
            if after != gates.open && after != gates.shut {
                let message = format!("\"{after}\" is neither \"{}\" (open) nor \"{}\" (shut)", gates.open, gates.shut);
                self.find(codes::GATE_VALUE.id, Address::gate(name), message);
            }
            if before != after {
                let detail = ChangeDetail::Gate { gate: name.clone(), before, after };
                self.change(Address::gate(name), &resource.place, Reason::ValuesDiffer, detail);
            }
        }
    }

    fn checks(&mut self) {
        for (name, resource) in &self.desired.checks {
            let address = Address::check(name);
            let answer = self.observed.guards.answers.get(name).filter(|_| resource.before);
            if let Some(why) = answer.and_then(|answer| resource.check.expect.refutes(answer)) {
                if resource.check.warning {
                    self.find(codes::CHECK_WARNING.id, address.clone(), why);
                } else {
                    let detail = format!("check \"{name}\": {why}");
                    let hint = "mend what it found, or correct the check";
                    let diagnostic = Diagnostic::error(codes::CHECK_FAILED, detail).at(&resource.query_place);
                    self.errors.push(diagnostic.hint(hint));
                }
            }
            let when = match (resource.before, resource.after) {
                (true, true) => "judged before and after",
                (true, false) => "judged before",
                (false, true) | (false, false) => "judged after",
            };
            let detail = |record| ChangeDetail::Guard { name: name.clone(), what: when.to_owned(), count: 1, record };
            let record = json!(resource.check);
            let digest = digest_of(&json!([record, resource.before, resource.after]));
            self.record(address, &resource.place, &digest, Reason::ValuesDiffer, detail(Box::new(record)));
        }
    }

    fn protections(&mut self) {
        for (name, protection) in &self.desired.protect {
            let Some(pin) = self.observed.guards.protect.get(name) else { continue };
            let address = Address::protect(name);
            let what = pin.of.describe();
            if let Some(managed) = self.observed.managed.get(&address)
                && let Ok(last) = serde_json::from_value::<ProtectionPin>(managed.attributes.clone())
                && last.of.same_thing(&pin.of)
            {
                let moved = last.seal.moved(&pin.seal, pin.of.noun());
                if !moved.is_empty() {
                    self.find(codes::PROTECTION_MOVED.id, address.clone(), moved.join("; "));
                }
            }
            let record = Box::new(json!(pin));
            let detail = ChangeDetail::Guard { name: name.clone(), what, count: pin.seal.count(), record };
            self.record(address, &protection.place, &pin.identity(), Reason::Moved, detail);
        }
    }

    /// Something that the apply writes down, where it is not written down so already.
    fn record(&mut self, address: Address, place: &Place, digest: &Digest, other: Reason, detail: ChangeDetail) {
        match self.observed.managed.get(&address) {
            Some(managed) if managed.digest == *digest => {}
            Some(_) => self.change(address, place, other, detail),
            None => self.change(address, place, Reason::NotThere, detail),
        }
    }

    fn retentions(&mut self) {
        for (name, retention) in &self.desired.retention {
            let Some((gates, before)) = self.gate(&retention.gate.value, &retention.gate.place) else { continue };
            let Some(facts) = self.observed.guards.retention.get(name) else { continue };
            self.retention(name, retention, facts, gates, before);
        }
    }

    fn retention(&mut self, name: &str, retention: &Retention, facts: &RetentionFacts, gates: &Gate, before: String) {
        let address = Address::retention(name);
        let check = &retention.check.value;
        let answer = self.observed.guards.answers.get(check);
        let expected = self.desired.checks.get(check).map(|resource| &resource.check.expect);
        let refuted = answer.zip(expected).and_then(|(answer, expected)| expected.refutes(answer));
        let early = retention.not_before.as_ref().filter(|_| !facts.due);
        let early = early.map(|day: &Spot<String>| format!("it is not yet {}", day.value));
        let unpaired = refuted.as_ref().map(|why| format!("its pair is not there (check \"{check}\": {why})"));
        let count = old_rows(facts.old, &retention.keep.value);
        if before == gates.open {
            if let Some(why) = early.or(unpaired) {
                let message = format!("gate \"{}\" is open although {why}; {count}", retention.gate.value);
                self.find(codes::RETENTION_OPEN.id, address, message);
            }
            return;
        }
        let rows_change =
            self.out.changes.iter().any(|change| matches!(change.detail, ChangeDetail::Row { kind: None, .. }));
        let waits = match (early, unpaired) {
            (Some(early), _) => Some(early),
            (None, Some(unpaired)) if rows_change => {
                let message = format!("{unpaired}; nothing of this plan is applied unless its own rows make that hold");
                self.find(codes::RETENTION_WAITS.id, address.clone(), message);
                None
            }
            (None, unpaired) => unpaired,
        };
        if let Some(why) = waits {
            let message = format!("{count}; gate \"{}\" stays shut: {why}", retention.gate.value);
            return self.find(codes::RETENTION_WAITS.id, address, message);
        }
        let detail = ChangeDetail::Retention {
            gate: retention.gate.value.clone(),
            table: retention.table.value.clone(),
            column: facts.column.clone(),
            old: facts.old,
            keep: retention.keep.value.clone(),
            check: check.clone(),
            not_before: retention.not_before.as_ref().map(|day| day.value.clone()),
            before,
            after: gates.open.clone(),
        };
        self.change(address, &retention.place, Reason::ValuesDiffer, detail);
    }
}

/// `412 rows older than 90 days would be deleted`.
pub fn old_rows(old: u64, keep: &str) -> String {
    let digits = keep.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match keep.get(digits.len()..).unwrap_or_default() {
        "h" => "hour",
        "w" => "week",
        _ => "day",
    };
    let plural = if digits == "1" { "" } else { "s" };
    let rows = if old == 1 { "1 row".to_owned() } else { format!("{old} rows") };
    format!("{rows} older than {digits} {unit}{plural} would be deleted")
}

/// Gates share long prefixes, so only the nearest few are told.
fn gate_hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match crate::model::closest(name, known.clone()) {
        Some(_) => name_hint(name, known),
        None => {
            let some: Vec<&str> = known.take(20).collect();
            name_hint(name, some)
        }
    }
}
