//! Promotions, read back from the rows that they wrote.
//!
//! The binding's row templates are run backwards: a row of the template that names the most gives the promotion's name, its
//! review, its set hash and its ids; the rows of the other templates are found by these ids. What makes it a promotion is
//! the proof: one of the binding's id schemes, under the promotion's name or its name in capitals (`IU_CORE_8000X` for
//! `iu-core-8000x`) or a namespace that the user gives, derives exactly the ids of the rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Known, Live, Recognised, Wanted, nowhere, spot};
use crate::diff::{derive_id, set_hash};
use crate::model::{
    Address, Condition, IdChoice, LiveRow, Promotion, Review, RowTemplate, Selection, Template, TemplateScope,
    UnitFacts, UnitsRef,
};

type Names = BTreeMap<String, String>;

/// What cannot be written, by kind of reason: each with how many and one of them.
type Unproven = BTreeMap<String, Vec<String>>;

pub(super) fn add(live: &Live, known: &Known<'_>, wanted: &Wanted, out: &mut Recognised) {
    let templates = &known.binding.promotion.rows;
    let once = templates.iter().filter(|template| template.per == TemplateScope::Promotion);
    let Some(first) = once.max_by_key(|template| names_of(template).len()) else { return };
    let reader = Reader { live, known, wanted, first };
    let mut unproven = Unproven::new();
    for row in live.records.get(&first.table).into_iter().flatten() {
        let Some(names) = read_row(first, row, &Names::new()) else { continue };
        let Some(name) = names.get("promotion.name") else { continue };
        let address = Address::promotion(name);
        if out.desired.promotions.contains_key(name) || !wanted.wants(&address) {
            continue;
        }
        match reader.promotion(name, names.clone()) {
            Ok(promotion) => {
                if !live.managed.contains_key(&address) {
                    out.comment(&address, "Made before Enact knew of it: enact import takes it over.");
                }
                out.desired.promotions.insert(name.clone(), promotion);
            }
            Err(why) => unproven.entry(why).or_default().push(name.clone()),
        }
    }
    for (why, names) in unproven {
        for name in names {
            let hint = "if its ids have a namespace of their own, add --namespace NAME";
            out.leave_out(&format!("\"{}\"", Address::promotion(&name)), &why, Some(hint));
        }
    }
}

struct Reader<'a> {
    live: &'a Live,
    known: &'a Known<'a>,
    wanted: &'a Wanted,
    first: &'a RowTemplate,
}

impl Reader<'_> {
    fn promotion(&self, name: &str, mut names: Names) -> Result<Promotion, String> {
        let templates = &self.known.binding.promotion.rows;
        for template in templates.iter().filter(|t| t.per == TemplateScope::Promotion && t.name != self.first.name) {
            let row = self.row_of(template, &names).ok_or_else(|| format!("there is no {} of it", template.name))?;
            for (name, value) in read_row(template, row, &names).unwrap_or_default() {
                names.entry(name).or_insert(value);
            }
        }
        let units = self.units(&names)?;
        let hash = self.same_hash(&names, &units)?;
        let ids = self.ids(name, &names, hash.as_deref())?;
        let states: BTreeSet<&str> = units.iter().map(|unit| unit.lifecycle.as_str()).collect();
        let to = match (names.get("promotion.to"), states.len()) {
            (Some(to), _) => to.clone(),
            (None, 1) => states.first().map(|state| (*state).to_owned()).unwrap_or_default(),
            (None, _) => return Err("its units are in several states, and nothing says which one was meant".to_owned()),
        };
        let addresses = units.iter().map(|unit| unit.address.clone()).collect();
        let conditions = BTreeMap::from([("address".to_owned(), Condition::In(addresses))]);
        Ok(Promotion {
            name: name.to_owned(),
            units: UnitsRef::Inline(spot(Selection { conditions })),
            to: spot(to),
            review: review(&names)?,
            ids,
            adopt: false,
            place: nowhere(),
        })
    }

    /// The one row of a template that has the ids that are known.
    fn row_of(&self, template: &RowTemplate, names: &Names) -> Option<&LiveRow> {
        let rows = self.live.records.get(&template.table)?;
        let mut fitting = rows.iter().filter(|row| shares_an_id(template, row, names));
        let row = fitting.next()?;
        fitting.next().is_none().then_some(row)
    }

    /// The units that the rows for each unit name.
    fn units(&self, names: &Names) -> Result<Vec<&UnitFacts>, String> {
        let templates = &self.known.binding.promotion.rows;
        let Some(template) = templates.iter().find(|template| template.per == TemplateScope::Unit) else {
            return Err("no row says which units it moved".to_owned());
        };
        let by_address: BTreeMap<&str, &UnitFacts> =
            self.live.units.values().map(|unit| (unit.address.as_str(), unit)).collect();
        let rows = self.live.records.get(&template.table).into_iter().flatten();
        let mut units = Vec::new();
        for row in rows.filter(|row| shares_an_id(template, row, names)) {
            let read = read_row(template, row, names).unwrap_or_default();
            let unit = match (read.get("unit.id"), read.get("unit.address")) {
                (Some(id), _) => self.live.units.get(id),
                (None, Some(address)) => by_address.get(address.as_str()).copied(),
                (None, None) => None,
            };
            let named = read.get("unit.address").or(read.get("unit.id"));
            units.push(unit.ok_or_else(|| format!("its unit {} is gone", named.map_or("", String::as_str)))?);
        }
        if units.is_empty() {
            return Err(format!("there is no {} of it", template.name));
        }
        units.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(units)
    }

    /// The set's hash, where the binding has a recipe: the ids stand on it, so it has to be that of the units as they are.
    fn same_hash(&self, names: &Names, units: &[&UnitFacts]) -> Result<Option<String>, String> {
        let Some(recipe) = &self.known.binding.promotion.set_hash else { return Ok(None) };
        let now = set_hash(recipe, units.iter().copied()).map_err(|error| error.to_string())?;
        match names.get("set.hash") {
            Some(then) if *then != now => {
                Err("its units were given other versions since, so their set has another hash".to_owned())
            }
            Some(_) | None => Ok(Some(now)),
        }
    }

    /// The scheme and the namespace that give the ids of the rows.
    fn ids(&self, name: &str, names: &Names, hash: Option<&str>) -> Result<IdChoice, String> {
        let binding = self.known.binding;
        if binding.promotion.ids.is_empty() {
            return Ok(IdChoice::default());
        }
        let capitals = name.to_uppercase().replace('-', "_");
        let given = self.wanted.namespaces.iter().map(String::as_str);
        let namespaces: Vec<&str> = given.chain([name, capitals.as_str()]).collect();
        for (scheme_name, scheme) in &binding.id_schemes {
            for namespace in &namespaces {
                let derives = binding.promotion.ids.iter().all(|(id, kind)| {
                    let scope = |asked: &str| match asked {
                        "namespace" => Some(Value::from(*namespace)),
                        "kind" => Some(Value::from(kind.as_str())),
                        "set.hash" => hash.map(Value::from),
                        other => names.get(other).map(|value| Value::from(value.as_str())),
                    };
                    let written = names.get(&format!("id.{id}"));
                    derive_id(scheme, &scope).is_ok_and(|derived| Some(&derived) == written)
                });
                if derives {
                    let scheme = (binding.promotion.default_scheme.as_ref() != Some(scheme_name))
                        .then(|| spot(scheme_name.clone()));
                    let namespace = (*namespace != name).then(|| (*namespace).to_owned());
                    return Ok(IdChoice { scheme, namespace });
                }
            }
        }
        Err(format!("no id scheme of the binding \"{}\" gives the ids of its rows", binding.name))
    }
}

/// What the review was. The rows have to say all of it.
fn review(names: &Names) -> Result<Review, String> {
    let required = |key: &str| {
        names.get(&format!("review.{key}")).cloned().ok_or_else(|| format!("no row records the review's {key}"))
    };
    let known = ["decision", "reviewer", "rationale", "at"];
    let more = names.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix("review.").filter(|key| !known.contains(key))?;
        Some((key.to_owned(), Value::from(value.as_str())))
    });
    Ok(Review {
        decision: required("decision")?,
        reviewer: required("reviewer")?,
        rationale: required("rationale")?,
        at: names.get("review.at").cloned(),
        more: more.collect(),
        place: None,
    })
}

/// Every name in a template's values.
fn names_of(template: &RowTemplate) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut values: Vec<&Value> = template.values.values().collect();
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) => {
                let parsed = Template::parse(text);
                names.extend(parsed.iter().flat_map(Template::names).map(str::to_owned));
            }
            Value::Array(items) => values.extend(items),
            Value::Object(map) => values.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    names
}

/// Whether a row has one of the ids that are known where its template puts it, and none of them differs.
fn shares_an_id(template: &RowTemplate, row: &LiveRow, names: &Names) -> bool {
    let mut shared = false;
    for (column, value) in &template.values {
        let Some(id) = whole_name(value).filter(|name| name.starts_with("id.")) else { continue };
        match (names.get(&id), row.0.get(column).and_then(Option::as_deref)) {
            (Some(known), Some(live)) if known == live => shared = true,
            (Some(_), Some(_)) => return false,
            (Some(_) | None, _) => {}
        }
    }
    shared
}

fn whole_name(value: &Value) -> Option<String> {
    let template = Template::parse(value.as_str()?).ok()?;
    template.whole_name().map(str::to_owned)
}

/// What the names of a template stand for in a live row. Values that are one name are read first, so that they settle
/// what texts of several names mean. A row may say other things than the template where nothing is read from it.
fn read_row(template: &RowTemplate, row: &LiveRow, known: &Names) -> Option<Names> {
    let mut names = known.clone();
    let live = |column: &str| row.0.get(column).and_then(Option::as_deref);
    let (whole, rest): (Vec<_>, Vec<_>) = template.values.iter().partition(|(_, value)| whole_name(value).is_some());
    for (column, value) in whole {
        let (Some(name), Some(text)) = (whole_name(value), live(column)) else { continue };
        let settled = names.entry(name.clone()).or_insert_with(|| text.to_owned());
        if settled != text && (name.starts_with("id.") || name == "set.hash") {
            return None;
        }
    }
    for (column, value) in rest {
        if let Some(text) = live(column) {
            read_value(value, text, &mut names);
        }
    }
    Some(names)
}

fn read_value(template: &Value, text: &str, names: &mut Names) {
    match template {
        Value::String(written) => {
            let found = Template::parse(written).ok().and_then(|template| template.read_back(text, names));
            for (name, value) in found.into_iter().flatten() {
                names.entry(name).or_insert(value);
            }
        }
        Value::Object(map) => {
            let Ok(Value::Object(live)) = serde_json::from_str::<Value>(text) else { return };
            for (key, part) in map {
                match live.get(key) {
                    Some(Value::String(text)) => read_value(part, text, names),
                    Some(other) => read_value(part, &other.to_string(), names),
                    None => {}
                }
            }
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
