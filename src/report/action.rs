//! What happens to a thing: its symbol, its word and its colour, which always go together.

use super::style::Role;
use crate::diff::{ChangeDetail, CollectionChange, RowChange};

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It comes into being.
    Create,
    /// It becomes another in its place.
    Update,
    /// It goes, and another takes its place.
    Replace,
    /// It goes.
    Delete,
    /// It moves to another lifecycle state.
    Promote,
    /// It is read again from what it is made of.
    Refresh,
    /// It stays, and Enact no longer manages it.
    Forget,
    /// It stays, and Enact manages it from now on.
    Adopt,
}

impl Action {
    /// All of them, in the order of the legend.
    pub const ALL: [Action; 8] = [
        Action::Create,
        Action::Update,
        Action::Replace,
        Action::Delete,
        Action::Promote,
        Action::Refresh,
        Action::Forget,
        Action::Adopt,
    ];

    /// What a change does to its resource.
    pub fn of(detail: &ChangeDetail) -> Action {
        match detail {
            ChangeDetail::Row { change: RowChange::Create { .. }, .. } => Action::Create,
            ChangeDetail::Row { change: RowChange::Update { .. }, .. } => Action::Update,
            ChangeDetail::Row { change: RowChange::Delete { .. }, .. } => Action::Delete,
            ChangeDetail::Row { change: RowChange::TakeOver { .. }, .. } => Action::Adopt,
            ChangeDetail::Lifecycle { .. } => Action::Promote,
            ChangeDetail::Promotion { .. } | ChangeDetail::Guard { .. } => Action::Create,
            ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. } => Action::Update,
            ChangeDetail::Refresh { .. } => Action::Refresh,
            ChangeDetail::VectorSet(set) => match &set.collection {
                CollectionChange::New => Action::Create,
                CollectionChange::Replace { .. } | CollectionChange::Return { .. } => Action::Replace,
                CollectionChange::InPlace { .. } => Action::Update,
                CollectionChange::Adopt { .. } => Action::Adopt,
            },
            ChangeDetail::Forget => Action::Forget,
        }
    }

    /// The symbol.
    pub fn symbol(self) -> &'static str {
        match self {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "-/+",
            Action::Delete => "-",
            Action::Promote => ">",
            Action::Refresh => "<=",
            Action::Forget => ".",
            Action::Adopt => "=",
        }
    }

    /// The word beside it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
            Action::Promote => "promote",
            Action::Refresh => "refresh",
            Action::Forget => "forget",
            Action::Adopt => "adopt",
        }
    }

    pub(super) fn role(self) -> Role {
        match self {
            Action::Create => Role::Add,
            Action::Update => Role::Change,
            Action::Replace | Action::Delete => Role::Remove,
            Action::Promote | Action::Refresh => Role::Move,
            Action::Forget | Action::Adopt => Role::Faint,
        }
    }
}
