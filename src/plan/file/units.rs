//! Units that move, one line each.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::head::{MovesHead, UnitRules};
use super::rule::{Column, Facts, Rule};
use super::slot::{NotThat, Slot};
use crate::diff::{Change, ChangeDetail};
use crate::model::{Address, Cell, UnitFacts};

/// The unit, target and promotion of a change that a line of units can be.
fn moved(change: &Change) -> Option<(&UnitFacts, &String, &String)> {
    let Change { address, declared_at: _, reasons: _, detail } = change;
    let ChangeDetail::Lifecycle { unit, to, promotion } = detail else { return None };
    (*address == Address::lifecycle(&unit.address)).then_some((unit, to, promotion))
}

/// How many changes from the first on are alike; 0 where the first is no move.
pub(super) fn alike(changes: &[Change]) -> usize {
    let Some((first, (unit, to, promotion))) = changes.first().and_then(|first| Some((first, moved(first)?))) else {
        return 0;
    };
    let same = |change: &&Change| {
        moved(change).is_some_and(|other| {
            (other.1, other.2) == (to, promotion)
                && (&change.declared_at, &change.reasons) == (&first.declared_at, &first.reasons)
                && other.0.fields.keys().eq(unit.fields.keys())
        })
    };
    changes.iter().take_while(same).count()
}

/// The head of these changes, which are alike.
pub(super) fn head(at: u32, changes: &[Change]) -> MovesHead {
    let units: Vec<&UnitFacts> = changes.iter().filter_map(|change| Some(moved(change)?.0)).collect();
    let first = &changes[0];
    let Some((unit, to, promotion)) = moved(first) else { panic!("BUG: a change is no move") };
    // What a field follows from is not itself a field, so that each can be read from what stands before it.
    let plain: Vec<UnitFacts> =
        units.iter().map(|unit| UnitFacts { fields: BTreeMap::new(), ..(*unit).clone() }).collect();
    let facts: Vec<Facts<'_>> = plain.iter().zip(1..).map(|(unit, ordinal)| Facts { unit, ordinal }).collect();
    let rule =
        |of: &dyn Fn(&UnitFacts) -> Cell| Column::of(units.iter().map(|unit| Cow::Owned(of(unit))).collect()).rule();
    let field = |name: &String| {
        let value = |unit: &UnitFacts| cell(unit.fields.get(name).cloned().flatten());
        let cells = units.iter().map(|unit| Cow::Owned(value(unit))).collect();
        Column { cells, facts: Some(&facts), keys: BTreeMap::new() }.rule()
    };
    MovesHead {
        at,
        count: u32::try_from(changes.len()).unwrap_or(u32::MAX),
        promotion: promotion.clone(),
        to: to.clone(),
        declared_at: first.declared_at.clone(),
        reasons: first.reasons.clone(),
        unit: UnitRules {
            title: rule(&|unit| Cell::Text(unit.title.clone())),
            lifecycle: rule(&|unit| Cell::Text(unit.lifecycle.clone())),
            content_hash: rule(&|unit| Cell::Text(unit.content_hash.clone())),
            anchor: rule(&|unit| cell(unit.anchor.clone())),
            empty_body: rule(&|unit| Cell::Text(unit.empty_body.to_string())),
        },
        fields: unit.fields.keys().map(|name| (name.clone(), field(name))).collect(),
    }
}

fn cell(text: Option<String>) -> Cell {
    text.map_or(Cell::Null, Cell::Text)
}

/// Writes the line of one of them.
pub(super) fn line(head: &MovesHead, change: &Change, write: &mut dyn FnMut(&[Slot<'_>])) {
    let Some((unit, _, _)) = moved(change) else { panic!("BUG: a change is no move") };
    let UnitRules { title, lifecycle, content_hash, anchor, empty_body } = &head.unit;
    let own = [
        (title, Cell::Text(unit.title.clone())),
        (lifecycle, Cell::Text(unit.lifecycle.clone())),
        (content_hash, Cell::Text(unit.content_hash.clone())),
        (anchor, cell(unit.anchor.clone())),
        (empty_body, Cell::Text(unit.empty_body.to_string())),
    ];
    let fields: Vec<(&Rule, Cell)> = head
        .fields
        .iter()
        .filter(|(_, rule)| rule.in_lines())
        .map(|(name, rule)| (rule, cell(unit.fields.get(name).cloned().flatten())))
        .collect();
    let mut slots = vec![Slot::text(&unit.id), Slot::text(&unit.address)];
    slots.extend(own.iter().chain(&fields).filter_map(|(rule, cell)| rule.slot(cell)));
    write(&slots);
}

/// Reads the line of one of them.
pub(super) fn read(head: &MovesHead, slots: Vec<Slot<'_>>) -> Result<Change, NotThat> {
    let mut slots = slots.into_iter();
    let mut text = || slots.next().ok_or(NotThat("an id and an address"))?.into_text();
    let (id, address) = (text()?, text()?);
    let mut unit = UnitFacts { id, address, ..UnitFacts::default() };
    let no_key = |_: &str| None;
    let mut next = |rule: &Rule, unit: Option<&UnitFacts>| {
        rule.cell(&mut slots, unit.map(|unit| Facts { unit, ordinal: 0 }), &no_key)
    };
    unit.title = required(next(&head.unit.title, None)?)?;
    unit.lifecycle = required(next(&head.unit.lifecycle, None)?)?;
    unit.content_hash = required(next(&head.unit.content_hash, None)?)?;
    unit.anchor = optional(next(&head.unit.anchor, None)?)?;
    unit.empty_body = match required(next(&head.unit.empty_body, None)?)?.as_str() {
        "true" => true,
        "false" => false,
        _ => return Err(NotThat("true or false")),
    };
    let mut fields = BTreeMap::new();
    for (name, rule) in &head.fields {
        fields.insert(name.clone(), optional(next(rule, Some(&unit))?)?);
    }
    unit.fields = fields;
    if slots.next().is_some() {
        return Err(NotThat("the end of the line"));
    }
    Ok(Change {
        address: Address::lifecycle(&unit.address),
        declared_at: head.declared_at.clone(),
        reasons: head.reasons.clone(),
        detail: ChangeDetail::Lifecycle { unit, to: head.to.clone(), promotion: head.promotion.clone() },
    })
}

fn required(cell: Cell) -> Result<String, NotThat> {
    optional(cell)?.ok_or(NotThat("a text"))
}

fn optional(cell: Cell) -> Result<Option<String>, NotThat> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Text(text) => Ok(Some(text)),
        Cell::ApplyTime | Cell::Reference(_) => Err(NotThat("a text")),
    }
}
