//! Expands a promotion into the names its templates use and the rows it writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::ids::derive_id;
use super::resolve::{PromotionRecord, ResolvedPromotion, Resolver};
use super::scope::{APPLY_TIME, fill_row_value};
use crate::model::{
    DeclaredRow, Diagnostic, Promotion, RowOrigin, RowSet, RowState, RowTemplate, Spot, TemplateScope, UnitFacts,
    UnitNames,
};

impl Resolver<'_> {
    pub(super) fn promotion_names(
        &mut self,
        promotion: &Promotion,
        record: &PromotionRecord,
    ) -> Option<BTreeMap<String, Value>> {
        let mut names = UnitNames::default();
        let plan =
            self.desired.files.iter().find(|file| file.path == *promotion.place.file).map_or("", |file| &file.plan);
        names.set("plan.name", plan);
        names.set("promotion.name", promotion.name.as_str());
        names.set("promotion.to", record.to.as_str());
        names.set("to", record.to.as_str());
        names.set("actor", self.actor);
        names.set("tool.revision", concat!("enact/", env!("CARGO_PKG_VERSION")));
        names.set("set.hash", record.set_hash.clone().map_or(Value::Null, Value::from));
        names.set("set.count", record.units.len() as u64);
        names.set("namespace", record.namespace.as_str());
        names.set("apply.time", APPLY_TIME);
        names.set("review.decision", promotion.review.decision.as_str());
        names.set("review.reviewer", promotion.review.reviewer.as_str());
        names.set("review.rationale", promotion.review.rationale.as_str());
        names.set("review.at", promotion.review.at.as_deref().unwrap_or(APPLY_TIME));
        for (key, value) in &promotion.review.more {
            names.set(&format!("review.{key}"), value.clone());
        }
        self.derived_ids(promotion, record, &mut names)?;
        names.values.remove("kind");
        Some(names.values)
    }

    fn derived_ids(
        &mut self,
        promotion: &Promotion,
        record: &PromotionRecord,
        names: &mut UnitNames<'_>,
    ) -> Option<()> {
        if self.binding.promotion.ids.is_empty() {
            return Some(());
        }
        let place = promotion.ids.scheme.as_ref().map_or(&promotion.place, |spot| &spot.place);
        let name = record.scheme.clone().unwrap_or_default();
        let Some(scheme) = self.binding.id_schemes.get(&name) else {
            let known: Vec<&str> = self.binding.id_schemes.keys().map(String::as_str).collect();
            self.errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_SCHEME,
                    format!("the binding \"{}\" has no id scheme \"{name}\"", self.binding.name),
                )
                .at(place)
                .hint(crate::model::name_hint(&name, known)),
            );
            return None;
        };
        for (id_name, kind) in &self.binding.promotion.ids {
            names.set("kind", kind.as_str());
            match derive_id(scheme, names) {
                Ok(id) => names.set(&format!("id.{id_name}"), id),
                Err(error) => return self.template_error(promotion, id_name, &error),
            }
        }
        Some(())
    }

    pub(super) fn rows(&mut self) {
        let promotions = self.out.promotions.clone();
        for (name, promotion) in &promotions {
            if promotion.record.units.is_empty() {
                continue;
            }
            for template in &self.binding.promotion.rows {
                self.template_rows(name, promotion, template);
            }
        }
        self.out.rows.extend(self.desired.rows.iter().cloned());
        self.out.synced.clone_from(&self.desired.synced);
    }

    fn template_rows(&mut self, name: &str, promotion: &ResolvedPromotion, template: &RowTemplate) {
        let units: Vec<Option<(&UnitFacts, u64)>> = match template.per {
            TemplateScope::Promotion => vec![None],
            TemplateScope::Unit => promotion.record.units.iter().zip(1..).map(Some).collect(),
        };
        let value_columns = template.values.keys().filter(|column| !template.key.contains(column));
        let mut set = RowSet {
            table: Spot { value: template.table.clone(), place: promotion.place.clone() },
            key: template.key.clone(),
            columns: value_columns.cloned().collect(),
            state: RowState::Present,
            origin: RowOrigin::Promotion {
                name: name.to_owned(),
                kind: template.name.clone(),
                recorded: promotion.recorded,
            },
            computed: Vec::new(),
            rows: Vec::new(),
        };
        for unit in units {
            let names = UnitNames { values: promotion.names.clone(), unit };
            let mut cells = Vec::new();
            for column in set.key.iter().chain(&set.columns) {
                let Some(value) = template.values.get(column) else { continue };
                match fill_row_value(value, &names) {
                    Ok(value) => cells.push(Spot { value, place: promotion.place.clone() }),
                    Err(error) => {
                        self.errors.push(
                            Diagnostic::error(
                                codes::TEMPLATE,
                                format!("row \"{}\", column \"{column}\": {error}", template.name),
                            )
                            .at(&promotion.place)
                            .hint(format!(
                                "add it under the promotion's review, or change the binding \"{}\"",
                                self.binding.name
                            )),
                        );
                        return;
                    }
                }
            }
            set.rows.push(DeclaredRow { cells, place: promotion.place.clone() });
        }
        self.out.rows.push(set);
    }
}
