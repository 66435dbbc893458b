//! Promotions, read back from the rows that they wrote.
//!
//! The binding's row templates are run backwards: a row of the template that names the most gives the promotion's name, its
//! review, its set hash and its ids; the rows of the other templates are found by these ids. What makes it a promotion is
//! the proof: one of the binding's id schemes, under the promotion's name or its name in capitals (`IU_CORE_8000X` for
//! `iu-core-8000x`) or a namespace that the user gives, derives exactly the ids of the rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::forms::{Form, Names};
use super::{Known, Live, Recognised, Wanted, nowhere, spot};
use crate::diff::{derive_id, set_hash};
use crate::model::{Address, Condition, IdChoice, Promotion, Review, Selection, TemplateScope, UnitFacts, UnitsRef};

pub(super) fn add(live: &Live, known: &Known<'_>, wanted: &Wanted, out: &mut Recognised) {
    let forms: Vec<Form<'_>> = known.binding.promotion.rows.iter().map(|template| Form::of(template, live)).collect();
    let (once, per_unit): (Vec<Form<'_>>, Vec<Form<'_>>) =
        forms.into_iter().partition(|form| form.template.per == TemplateScope::Promotion);
    let Some(first) = once.iter().max_by_key(|form| form.names()) else { return };
    let by_address = live.units.values().map(|unit| (unit.address.as_str(), unit)).collect();
    let reader = Reader { live, by_address, known, wanted, first, once: &once, per_unit: per_unit.first() };
    for row in first.rows {
        let Some(names) = first.read(row, &Names::new()) else { continue };
        let Some(name) = names.get("promotion.name").cloned() else { continue };
        let address = Address::promotion(&name);
        if out.desired.promotions.contains_key(&name) || !wanted.wants(&address) {
            continue;
        }
        match reader.promotion(&name, names) {
            Ok(promotion) => {
                if !live.managed.contains_key(&address) {
                    out.comment(&address, "Made before Enact knew of it: enact import takes it over.");
                }
                out.desired.promotions.insert(name, promotion);
            }
            Err(why) => {
                let hint = "if its ids have a namespace of their own, add --namespace NAME";
                out.leave_out(address, &why, Some(hint));
            }
        }
    }
}

struct Reader<'a> {
    live: &'a Live,
    by_address: BTreeMap<&'a str, &'a UnitFacts>,
    known: &'a Known<'a>,
    wanted: &'a Wanted,
    first: &'a Form<'a>,
    once: &'a [Form<'a>],
    per_unit: Option<&'a Form<'a>>,
}

impl Reader<'_> {
    fn promotion(&self, name: &str, mut names: Names) -> Result<Promotion, String> {
        for form in self.once.iter().filter(|form| form.template.name != self.first.template.name) {
            let [row] = form.rows_of(&names)[..] else {
                return Err(format!("there is no {} of it", form.template.name));
            };
            names = form.read(row, &names).unwrap_or(names);
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

    /// The units that the rows for each unit name.
    fn units(&self, names: &Names) -> Result<Vec<&UnitFacts>, String> {
        let Some(form) = self.per_unit else {
            return Err("no row says which units it moved".to_owned());
        };
        let mut units = Vec::new();
        for row in form.rows_of(names) {
            let read = form.read(row, names).unwrap_or_default();
            let unit = match (read.get("unit.id"), read.get("unit.address")) {
                (Some(id), _) => self.live.units.get(id),
                (None, Some(address)) => self.by_address.get(address.as_str()).copied(),
                (None, None) => None,
            };
            let named = read.get("unit.address").or(read.get("unit.id"));
            units.push(unit.ok_or_else(|| format!("its unit {} is gone", named.map_or("", String::as_str)))?);
        }
        if units.is_empty() {
            return Err(format!("there is no {} of it", form.template.name));
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
