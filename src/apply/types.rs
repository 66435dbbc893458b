//! Types that statements name without a parameter: those of the saved plan have to be the catalog's, so that a type's name
//! never brings anything else into a statement.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::TableName;
use crate::observe::{read_catalog, read_only_tables};
use crate::plan::{CallsWork, Parameter, SavedPlan, TransitionBy, Work};
use crate::store::{StoreError, Tx};

/// Compares the types of every column and parameter that a plan's updates and calls name.
pub(super) async fn compare(tx: &mut dyn Tx, plan: &SavedPlan, moved: &mut Vec<String>) -> Result<(), StoreError> {
    let (tables, functions) = named(plan);
    let of_tables = read_only_tables(tx, &tables.keys().map(|name| (*name).clone()).collect()).await?;
    let (_, of_functions) =
        read_catalog(tx, &BTreeSet::new(), &functions.keys().map(|name| (*name).clone()).collect()).await?;
    for (table, columns) in tables {
        let facts = of_tables.get(table);
        let live = |name: &str| facts.and_then(|facts| facts.columns.get(name)).map(|column| column.type_name.clone());
        differences(table, &columns, live, moved);
    }
    for (function, parameters) in functions {
        let facts = of_functions.get(function);
        let live = |name: &str| {
            let parameter = facts.and_then(|facts| facts.parameters.iter().find(|parameter| parameter.name == name));
            parameter.map(|parameter| parameter.type_name.clone())
        };
        differences(function, &parameters, live, moved);
    }
    Ok(())
}

type Named<'p> = BTreeMap<&'p TableName, BTreeSet<&'p Parameter>>;

fn named(plan: &SavedPlan) -> (Named<'_>, Named<'_>) {
    let (mut tables, mut functions) = (Named::new(), Named::new());
    for step in &plan.steps {
        let call: &CallsWork = match &step.work {
            Work::Transitions(work) => match &work.by {
                TransitionBy::Calls(calls) => calls,
                TransitionBy::Updates(update) => {
                    tables.entry(&update.table).or_default().extend(update.key.iter().chain(&update.set));
                    continue;
                }
            },
            Work::Calls(call) | Work::Refresh { call, status: _ } => call,
            _ => continue,
        };
        functions.entry(&call.function).or_default().extend(&call.parameters);
    }
    (tables, functions)
}

fn differences(
    of: &TableName,
    planned: &BTreeSet<&Parameter>,
    live: impl Fn(&str) -> Option<String>,
    moved: &mut Vec<String>,
) {
    for Parameter { name, type_name } in planned {
        match live(name) {
            Some(now) if now == *type_name => {}
            Some(now) => {
                moved.push(format!("{name} of \"{of}\" has the type {now}, and the plan says \"{type_name}\""))
            }
            None => moved.push(format!("\"{of}\" has no {name} any more")),
        }
    }
}
