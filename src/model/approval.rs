//! How many approvals a plan needs, and whose count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an environment asks for before a plan is applied to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRule {
    /// How many database roles have to approve.
    pub required: u32,
    /// Whether the approval of the role that made the plan does not count.
    pub not_by_author: bool,
}

impl ApprovalRule {
    /// Whether nothing is asked for.
    pub fn is_none(&self) -> bool {
        self.required == 0
    }

    /// What satisfies both rules.
    #[must_use]
    pub fn stricter(self, other: ApprovalRule) -> ApprovalRule {
        ApprovalRule {
            required: self.required.max(other.required),
            not_by_author: self.not_by_author || other.not_by_author,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_rules_holds() {
        let (plan, now) =
            (ApprovalRule { required: 2, not_by_author: false }, ApprovalRule { required: 1, not_by_author: true });
        assert_eq!(plan.stricter(now), ApprovalRule { required: 2, not_by_author: true });
        assert_eq!(plan.stricter(ApprovalRule::default()), plan);
    }
}
