//! What a binding must satisfy before any database is asked.

use std::collections::BTreeSet;

use super::binding::texts_of;
use super::codes;
use super::tree::{Kind, Node};
use super::walk::suggest;
use crate::model::{
    Binding, Diagnostic, Diagnostics, FunctionCall, IdScheme, Place, Template, TemplateScope, TransitionWork,
};

const RUN: &[&str] = &["plan.name", "actor", "tool.revision", "apply.time"];
const PROMOTION: &[&str] = &[
    "promotion.name",
    "promotion.to",
    "set.hash",
    "set.count",
    "namespace",
    "review.decision",
    "review.reviewer",
    "review.rationale",
    "review.at",
];
const UNIT: &[&str] =
    &["unit.id", "unit.address", "unit.title", "unit.anchor", "unit.content_hash", "unit.lifecycle", "unit.ordinal"];
const STEP: &[&str] = &["from", "to"];
const POINT: &[&str] = &["status", "point.key", "point.id", "chunk.index", "chunk.key", "chunk.count", "chunk.sha256"];

/// Reports everything that is wrong with a binding. The tree is the same file's, for places.
pub(super) fn check(binding: &Binding, tree: &Node, out: &mut Diagnostics) {
    let names = Names::new(binding);
    let mut check = Check { tree, out };
    lifecycle(binding, &names, &mut check);
    promotion(binding, &names, &mut check);
    for refresh in &binding.refresh {
        check.call(&refresh.call, &names.run, "refresh");
        gate_exists(binding, refresh.gate.as_deref(), "refresh", &mut check);
    }
    if let Some(ledger) = &binding.ledger {
        check.template(&ledger.key, &names.ledger_key, "ledger");
        check.call(&ledger.record, &names.ledger, "ledger");
        gate_exists(binding, ledger.gate.as_deref(), "ledger", &mut check);
    }
    for value in binding.payload.values() {
        check.templates(value, &names.payload, "payload");
    }
    for (name, scheme) in &binding.id_schemes {
        let text = match scheme {
            IdScheme::Md5 { prefix, text } => {
                if prefix.len() > 32 || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
                    check.report("id_schemes", format!("the prefix of \"{name}\" is not up to 32 hexadecimal digits"));
                }
                text
            }
            IdScheme::Uuid5 { namespace, text } => {
                if uuid::Uuid::parse_str(namespace).is_err() {
                    check.report("id_schemes", format!("the namespace of \"{name}\" is not a uuid"));
                }
                text
            }
        };
        check.template(text, &names.id, "id_schemes");
    }
}

fn gate_exists(binding: &Binding, gate: Option<&str>, section: &str, check: &mut Check<'_>) {
    if let (Some(gate), None) = (gate, &binding.gates) {
        check.report(section, format!("the gate \"{gate}\" is named and there is no section \"gates\""));
    }
}

fn lifecycle(binding: &Binding, names: &Names, check: &mut Check<'_>) {
    let states: Vec<&str> = binding.lifecycle.states.iter().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    for transition in &binding.lifecycle.transitions {
        let (from, to) = (transition.from.as_str(), transition.to.as_str());
        for state in [from, to] {
            if !states.contains(&state) {
                let detail =
                    format!("the transition {from} to {to} names the state \"{state}\", which is not in the list");
                check.report_hint("lifecycle", detail, suggest(state, &states));
            }
        }
        if from == to || !seen.insert((from, to)) {
            check.report("lifecycle", format!("the transition {from} to {to} is there twice or goes nowhere"));
        }
        match &transition.work {
            TransitionWork::Call(call) => check.call(call, &names.transition, "lifecycle"),
            TransitionWork::Update(update) => {
                if update.key.is_empty() || update.set.is_empty() {
                    check.report(
                        "lifecycle",
                        format!("the update of \"{}\" needs a key and a value to set", update.table),
                    );
                }
                for value in update.key.values().chain(update.set.values()) {
                    check.templates(value, &names.transition, "lifecycle");
                }
            }
        }
    }
}

fn promotion(binding: &Binding, names: &Names, check: &mut Check<'_>) {
    let promotion = &binding.promotion;
    if let Some(hash) = &promotion.set_hash {
        check.template(&hash.line, &names.unit, "promotion");
    }
    if let Some(scheme) = &promotion.default_scheme
        && !binding.id_schemes.contains_key(scheme)
    {
        let known: Vec<&str> = binding.id_schemes.keys().map(String::as_str).collect();
        let detail = format!("the default scheme \"{scheme}\" is not among id_schemes");
        check.report_hint("promotion", detail, suggest(scheme, &known));
    }
    for row in &promotion.rows {
        let scope = match row.per {
            TemplateScope::Promotion => &names.promotion,
            TemplateScope::Unit => &names.promotion_unit,
        };
        for value in row.values.values() {
            check.templates(value, scope, "promotion");
        }
        let missing = row.key.iter().find(|column| !row.values.contains_key(*column));
        if row.key.is_empty() || missing.is_some() {
            check.report(
                "promotion",
                format!("the row \"{}\" needs a key whose columns are among its values", row.name),
            );
        }
    }
}

/// The names that templates may use, by place.
struct Names {
    run: Vec<String>,
    unit: Vec<String>,
    id: Vec<String>,
    promotion: Vec<String>,
    promotion_unit: Vec<String>,
    transition: Vec<String>,
    ledger_key: Vec<String>,
    ledger: Vec<String>,
    payload: Vec<String>,
}

impl Names {
    fn new(binding: &Binding) -> Names {
        let own = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let unit: Vec<String> =
            own(UNIT).into_iter().chain(binding.units.fields.keys().map(|field| format!("unit.{field}"))).collect();
        let ids = binding.promotion.ids.keys().map(|id| format!("id.{id}"));
        let promotion = [own(RUN), own(PROMOTION), ids.collect()].concat();
        let chunk = own(&POINT[3..6]);
        Names {
            run: own(RUN),
            id: [own(&["plan.name", "kind"]), own(PROMOTION)].concat(),
            promotion_unit: [promotion.clone(), unit.clone()].concat(),
            transition: [promotion.clone(), unit.clone(), own(STEP)].concat(),
            ledger_key: [unit.clone(), chunk].concat(),
            payload: [unit.clone(), own(&["point.key"]), own(&POINT[3..])].concat(),
            ledger: [own(RUN), unit.clone(), own(POINT)].concat(),
            promotion,
            unit,
        }
    }
}

struct Check<'a> {
    tree: &'a Node,
    out: &'a mut Diagnostics,
}

impl Check<'_> {
    fn call(&mut self, call: &FunctionCall, names: &[String], section: &str) {
        for value in call.arguments.values() {
            self.templates(value, names, section);
        }
    }

    fn templates(&mut self, value: &serde_json::Value, names: &[String], section: &str) {
        for text in texts_of(value) {
            self.template(text, names, section);
        }
    }

    fn template(&mut self, text: &str, names: &[String], section: &str) {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => return self.report_at(text, section, error.to_string(), None),
        };
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        for name in template.names() {
            // A review may carry more values than the ones that Enact knows.
            let more = name.starts_with("review.") && known.contains(&"review.at");
            if !more && !known.contains(&name) {
                let detail = format!("\"{text}\" names \"{name}\", which has no value here");
                self.report_at(text, section, detail, Some(suggest(name, &known)));
            }
        }
    }

    fn report(&mut self, section: &str, detail: String) {
        let place = self.section(section);
        self.out.push(Diagnostic::error(codes::BAD_BINDING, detail).at(&place));
    }

    fn report_hint(&mut self, section: &str, detail: String, hint: String) {
        let place = self.section(section);
        self.out.push(Diagnostic::error(codes::BAD_BINDING, detail).at(&place).hint(hint));
    }

    fn report_at(&mut self, text: &str, section: &str, detail: String, hint: Option<String>) {
        let place = find_text(self.tree, text).unwrap_or_else(|| self.section(section));
        let diagnostic = Diagnostic::error(codes::BAD_BINDING, detail).at(&place);
        self.out.push(match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        });
    }

    fn section(&self, name: &str) -> Place {
        match &self.tree.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|entry| entry.key.value == name)
                .map_or_else(|| self.tree.place.clone(), |entry| entry.key.place.clone()),
            _ => self.tree.place.clone(),
        }
    }
}

/// Where a text stands for the first time.
fn find_text(node: &Node, text: &str) -> Option<Place> {
    match &node.kind {
        Kind::Plain(own) | Kind::Text(own) if own == text => Some(node.place.clone()),
        Kind::List(items) => items.iter().find_map(|item| find_text(item, text)),
        Kind::Map(entries) => entries.iter().find_map(|entry| find_text(&entry.value, text)),
        Kind::Null | Kind::Plain(_) | Kind::Text(_) | Kind::Json(_) => None,
    }
}
