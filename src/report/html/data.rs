//! The data of the page: every change, in the groups of the other surfaces. Texts that occur often stand once in a list and are
//! named by their place in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::changes;
use crate::plan::SavedPlan;
use crate::report::action::Action;
use crate::report::body::tally_text;
use crate::report::escape;
use crate::report::style::Role;

/// Changes that are on the page; of more, those that lose something, and the rest by group.
const LISTED: usize = 20_000;

/// The version of the page's data; a script outside may read it.
const FORMAT_VERSION: &str = "1.0";

/// Everything the script shows.
#[derive(Debug, Serialize)]
pub struct PageData {
    format_version: &'static str,
    digest: String,
    /// What can happen; a change names one by its place.
    actions: Vec<ActionData>,
    /// Why changes happen.
    reasons: Vec<String>,
    /// The groups, in the order of the sections.
    groups: Vec<GroupData>,
    /// The changes, group by group.
    changes: Vec<ChangeData>,
}

/// One action.
#[derive(Debug, Serialize)]
struct ActionData {
    symbol: &'static str,
    word: &'static str,
    tone: &'static str,
}

/// One group of changes: a table, a promotion, a vector set.
#[derive(Debug, Serialize)]
struct GroupData {
    kind: &'static str,
    name: String,
    tally: String,
}

/// One change as the page lists it. The keys are short because there may be tens of thousands.
#[derive(Debug, Default, Serialize)]
pub struct ChangeData {
    /// The group.
    pub g: usize,
    /// The action.
    pub a: usize,
    /// The address, or that of the unit where a vector set's points change.
    pub n: String,
    /// What it is called: a title, a kind of row.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub s: String,
    /// The reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub w: Vec<usize>,
    /// Where it is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether something is lost that is not made again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub x: bool,
    /// What exactly.
    #[serde(flatten)]
    pub detail: DetailData,
}

/// What exactly changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DetailData {
    /// Column, and the rows of its difference. A row is a list of pieces, each `-old`, `+new` or `=both`; a path in a JSON
    /// value stands in front as `.path`.
    Fields(Vec<(String, Vec<Vec<String>>)>),
    /// Column and value of a row that comes or goes.
    Values(Vec<(String, Shown)>),
    /// The states before and after.
    Move(String, String),
    /// The chunks and points of one unit.
    Points(PointsData),
    /// Lines of the other surfaces: depth, symbol, parts with their tone.
    Lines(Vec<LineData>),
}

/// Depth, symbol, and the parts with their tones.
pub type LineData = (usize, &'static str, Vec<(&'static str, String)>);

impl Default for DetailData {
    fn default() -> DetailData {
        DetailData::Lines(Vec::new())
    }
}

/// A value.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// As it is.
    Text(String),
    /// Not a text: `NULL`, the time of the apply.
    Word([String; 1]),
}

/// The points of one unit.
#[derive(Debug, Serialize)]
pub struct PointsData {
    /// In words.
    pub sum: String,
    /// Each chunk: `kept`, `copy` or `embed`, tokens, point, the point that vectors are taken from.
    pub chunks: Vec<(&'static str, u64, String, Option<String>)>,
    /// Points that go.
    pub gone: Vec<String>,
}

/// Counts by action and noun.
type Tally = BTreeMap<(Action, &'static str), u64>;

/// A group that is being gathered.
struct Group {
    kind: &'static str,
    name: String,
    tally: Tally,
    /// Changes of it that are not on the page.
    left_out: u64,
}

/// What makes the lists of the page.
pub struct Lists {
    reasons: BTreeMap<String, usize>,
    groups: Vec<Group>,
    changes: Vec<ChangeData>,
    /// The longest value that is shown whole, in characters.
    pub value_chars: usize,
}

impl Lists {
    /// Begins a group that the changes after it belong to.
    pub fn group(&mut self, kind: &'static str, name: &str) {
        self.groups.push(Group { kind, name: escape::terminal(name), tally: BTreeMap::new(), left_out: 0 });
    }

    /// The places of reasons in the page's list.
    pub fn reasons(&mut self, reasons: &[String]) -> Vec<usize> {
        let mut places = Vec::new();
        for reason in reasons {
            let next = self.reasons.len();
            places.push(*self.reasons.entry(escape::terminal(reason)).or_insert(next));
        }
        places
    }

    /// Adds a change to the last group.
    pub fn change(&mut self, action: Action, noun: &'static str, mut change: ChangeData) {
        let Some(group) = self.groups.last_mut() else { panic!("BUG: a change without a group") };
        *group.tally.entry((action, noun)).or_default() += 1;
        if self.changes.len() >= LISTED && !change.x {
            group.left_out += 1;
            return;
        }
        change.g = self.groups.len() - 1;
        change.a = place(action);
        self.changes.push(change);
    }
}

/// Gathers everything the script shows.
pub fn page_data(plan: &SavedPlan) -> PageData {
    let value_chars = changes::value_chars(plan);
    let mut lists = Lists { reasons: BTreeMap::new(), groups: Vec::new(), changes: Vec::new(), value_chars };
    changes::gather(plan, &mut lists);
    let mut reasons = vec![String::new(); lists.reasons.len()];
    for (reason, place) in lists.reasons {
        reasons[place] = reason;
    }
    let group = |Group { kind, name, tally, left_out }: Group| {
        let more = match left_out {
            0 => String::new(),
            more => format!("; {more} of them are not on this page: enact show --verbose has all"),
        };
        GroupData { kind, name, tally: tally_text(&tally) + &more }
    };
    PageData {
        format_version: FORMAT_VERSION,
        digest: plan.digest.to_string(),
        actions: Action::ALL.iter().map(|action| action_data(*action)).collect(),
        reasons,
        groups: lists.groups.into_iter().map(group).collect(),
        changes: lists.changes,
    }
}

fn action_data(action: Action) -> ActionData {
    ActionData { symbol: action.symbol(), word: action.word(), tone: tone(action.role()) }
}

fn place(action: Action) -> usize {
    let Some(place) = Action::ALL.iter().position(|other| *other == action) else {
        panic!("BUG: an action is not in the legend");
    };
    place
}

/// The class of a part of a line.
pub fn tone(role: Role) -> &'static str {
    match role {
        Role::Plain => "plain",
        Role::Strong => "strong",
        Role::Faint => "faint",
        Role::Add => "add",
        Role::Change => "change",
        Role::Remove => "remove",
        Role::Move => "move",
        Role::Warn => "warn",
    }
}
