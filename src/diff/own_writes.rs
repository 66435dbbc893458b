//! Whether what a plan writes changes the units that it reads: then what is selected, promoted and indexed is known only
//! where its writes were tried.
//!
//! - Rows count where they go into a table that units are read from, directly, by a cascade or by a trigger that says so.
//! - Moves count where they set a column that a used field of the units is made of. The lifecycle itself is known.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, ChangeDetail};
use super::selections::all_selections;
use super::sql_words::{assigned_to_new, names, writes};
use crate::model::{Binding, Desired, Observed, PointIds, TableName, Template, TransitionWork};
use crate::points::Recipe;

/// What of a plan's own writes changes units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnWrites {
    /// Rows do.
    pub rows: bool,
    /// Moves do.
    pub moves: bool,
}

/// Whether the units have to be read where the plan's writes were tried; `None` where what lives says all.
pub fn own_writes(
    desired: &Desired,
    binding: &Binding,
    observed: &Observed,
    recipes: &BTreeMap<String, Recipe>,
    changes: &[Change],
) -> Option<OwnWrites> {
    if desired.promotions.is_empty() && desired.vector_sets.is_empty() {
        return None;
    }
    let moves = !desired.vector_sets.is_empty() && moves_count(desired, binding, observed, recipes, changes);
    let found = OwnWrites { rows: rows_count(observed, changes), moves };
    (found.rows || found.moves).then_some(found)
}

fn rows_count(observed: &Observed, changes: &[Change]) -> bool {
    let writers = &observed.writers;
    let followed = observed.rows.followers.iter().any(|followers| writers.tables.contains(&followers.table));
    let mut written = changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Row { table, .. } => Some(table),
        ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::VectorSet(_)
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => None,
    });
    let by_trigger = |table: &TableName| {
        let mut of_table = writers.triggers.iter().filter(|trigger| trigger.table == *table);
        of_table.any(|trigger| writes(&trigger.source, &writers.tables).rows)
    };
    followed || written.any(|table| writers.tables.contains(table) || by_trigger(table))
}

fn moves_count(
    desired: &Desired,
    binding: &Binding,
    observed: &Observed,
    recipes: &BTreeMap<String, Recipe>,
    changes: &[Change],
) -> bool {
    let moves: BTreeSet<(&str, &str)> = changes
        .iter()
        .filter_map(|change| match &change.detail {
            ChangeDetail::Lifecycle { unit, to, .. } => Some((unit.lifecycle.as_str(), to.as_str())),
            _ => None,
        })
        .collect();
    if moves.is_empty() {
        return false;
    }
    let writers = &observed.writers;
    let mut columns = BTreeSet::new();
    let made = binding.lifecycle.transitions.iter();
    for transition in made.filter(|one| moves.contains(&(one.from.as_str(), one.to.as_str()))) {
        match &transition.work {
            TransitionWork::Update(update) => columns.extend(update.set.keys().map(|column| column.to_lowercase())),
            TransitionWork::Call(call) => {
                let found = writes(writers.functions.get(&call.function).map_or("", String::as_str), &writers.tables);
                if found.whole_rows {
                    return true;
                }
                columns.extend(found.columns);
            }
        }
    }
    for trigger in writers.triggers.iter().filter(|trigger| writers.tables.contains(&trigger.table)) {
        columns.extend(assigned_to_new(&trigger.source));
        columns.extend(trigger.arguments.iter().map(|argument| argument.to_lowercase()));
        columns.extend(writes(&trigger.source, &writers.tables).columns);
    }
    let source = &binding.units;
    let fields = used_fields(desired, recipes);
    let own = [&source.id, &source.address, &source.title, &source.body, &source.content_hash];
    let used = fields.iter().filter(|field| *field != "lifecycle").filter_map(|field| source.expression(field));
    own.into_iter().map(String::as_str).chain(used).any(|text| !names(text).is_disjoint(&columns))
}

/// Fields of units that selections, texts, payloads and ids of these plan files use.
pub fn used_fields(desired: &Desired, recipes: &BTreeMap<String, Recipe>) -> BTreeSet<String> {
    let selected = all_selections(desired).into_iter().flat_map(|(selection, _)| selection.conditions.keys().cloned());
    let keys = desired.vector_sets.values().filter_map(|set| match &set.ids {
        PointIds::Content => None,
        PointIds::Key { template, .. } => Template::parse(template).ok(),
    });
    let keys: Vec<String> = keys.flat_map(|key| key.names().map(str::to_owned).collect::<Vec<_>>()).collect();
    let keyed = keys.iter().filter_map(|name| name.strip_prefix("unit.")).map(str::to_owned);
    selected.chain(recipes.values().flat_map(|recipe| recipe.fields.iter().cloned())).chain(keyed).collect()
}
