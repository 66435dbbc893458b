//! Smaller cases of a case: one thing taken away.

use super::schema::{Case, Mode, Named, State, Target, Trigger};

/// All of them, those that lose most first. Some are no cases: their rows break their own constraints.
pub fn smaller(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    for index in (0..case.tables.len()).rev() {
        out.extend(without_table(case, index));
    }
    for (index, of) in case.plan.iter().enumerate() {
        for row in 0..of.rows.len() {
            out.push(change(case, |case| {
                case.plan[index].rows.remove(row);
            }));
        }
    }
    for (index, table) in case.tables.iter().enumerate() {
        out.extend((0..table.triggers.len()).map(|place| {
            change(case, |case| {
                case.tables[index].triggers.remove(place);
            })
        }));
        out.extend((0..table.references.len()).map(|place| without_reference(case, index, place)));
        out.extend((0..table.values.len()).filter_map(|place| without_value(case, index, place)));
        if table.generated.is_some() {
            out.push(change(case, |case| case.tables[index].generated = None));
        }
        out.extend((0..table.seeds.len()).map(|row| {
            change(case, |case| {
                case.tables[index].seeds.remove(row);
            })
        }));
    }
    for (index, of) in case.plan.iter().enumerate() {
        for (row, declared) in of.rows.iter().enumerate() {
            if declared.odd {
                out.push(change(case, |case| case.plan[index].rows[row].odd = false));
            }
            out.extend(with_less(case, index, row));
        }
    }
    out
}

fn change(case: &Case, how: impl FnOnce(&mut Case)) -> Case {
    let mut case = case.clone();
    how(&mut case);
    case
}

fn without_table(case: &Case, index: usize) -> Option<Case> {
    let mut others = case.tables.iter().enumerate().filter(|(other, _)| *other != index);
    let is_needed = others.any(|(_, table)| table.references.iter().any(|reference| reference.to == index));
    if is_needed || case.tables.len() == 1 {
        return None;
    }
    Some(change(case, |case| {
        case.tables.remove(index);
        case.plan.retain(|of| of.table != index);
        for of in case.plan.iter_mut().filter(|of| of.table > index) {
            of.table -= 1;
        }
        let references = case.tables.iter_mut().flat_map(|table| &mut table.references);
        for reference in references.filter(|reference| reference.to > index) {
            reference.to -= 1;
        }
    }))
}

fn without_reference(case: &Case, index: usize, place: usize) -> Case {
    change(case, |case| {
        case.tables[index].references.remove(place);
        case.tables[index].seeds.iter_mut().for_each(|row| {
            row.references.remove(place);
        });
        for row in case.plan.iter_mut().filter(|of| of.table == index).flat_map(|of| &mut of.rows) {
            if let State::Present { references, .. } = &mut row.state {
                references.remove(place);
            }
        }
    })
}

fn without_value(case: &Case, index: usize, place: usize) -> Option<Case> {
    let table = &case.tables[index];
    let is_within = |mode: &Mode| matches!(mode, Mode::Sync { within: Some(_), .. });
    let is_used = table.generated.is_some_and(|of| of >= place)
        || table.triggers.iter().any(|trigger| matches!(trigger, Trigger::Rewrite(of) if *of >= place))
        || case.plan.iter().any(|of| of.table == index && is_within(&of.mode));
    (!is_used).then(|| {
        change(case, |case| {
            case.tables[index].values.remove(place);
            case.tables[index].seeds.iter_mut().for_each(|row| {
                row.values.remove(place);
            });
            for row in case.plan.iter_mut().filter(|of| of.table == index).flat_map(|of| &mut of.rows) {
                if let State::Present { values, .. } = &mut row.state {
                    values.remove(place);
                }
            }
        })
    })
}

/// The same row with one thing less named.
fn with_less(case: &Case, index: usize, row: usize) -> Vec<Case> {
    let State::Present { keys, references, values } = &case.plan[index].rows[row].state else { return Vec::new() };
    type Less<'a> = &'a dyn Fn(&mut [Named], &mut [Target], &mut [Named]);
    let less = |how: Less<'_>| {
        change(case, |case| {
            if let State::Present { keys, references, values } = &mut case.plan[index].rows[row].state {
                how(keys, references, values);
            }
        })
    };
    let keys = (0..keys.len()).filter(|key| keys[*key] != Named::No);
    let references = (0..references.len()).filter(|place| references[*place] != Target::No);
    let values = (0..values.len()).filter(|place| values[*place] != Named::No);
    let keys = keys.map(|key| less(&|keys, _, _| keys[key] = Named::No));
    let references = references.map(|place| less(&|_, references, _| references[place] = Target::No));
    let values = values.map(|place| less(&|_, _, values| values[place] = Named::No));
    keys.chain(references).chain(values).collect()
}
