//! Approvals: who let a plan be applied, and whether that is enough.
//!
//! An approver is the database role that opened the session (`session_user`): no flag, no `SET ROLE` and no file can say
//! another, and a trigger of the table writes it whatever the statement says. What the client calls itself is kept beside it, for people. An
//! approval is of a digest, holds until it expires or its approver revokes it, and counts once for each role.
//!
//! It is checked before a run is opened, and again in the deciding transaction, where the rows are locked until the commit:
//! whoever revokes comes before the decision or after it, never between.
//!
//! *Not held here:* who owns the table or is a superuser can write anything into it, and a saved plan names its author
//! itself. Approvals are among people who may use Enact, not against the owner of the database.

use serde::Serialize;

use super::error::ApplyError;
use crate::model::ApprovalRule;
use crate::plan::SavedPlan;
use crate::store::{Param, Query, Record, Relational, Sql, StoreError, Tx};

/// One approval of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The database role.
    pub approver: String,
    /// User and host, as the client says.
    pub client: Option<String>,
    /// When, as PostgreSQL writes it.
    pub approved_at: String,
    /// Until when it holds.
    pub expires_at: Option<String>,
    /// Whether it counts now.
    pub state: ApprovalState,
}

/// Whether an approval counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// It does.
    Valid,
    /// Its time is over.
    Expired,
    /// Its approver took it back.
    Revoked,
}

impl ApprovalState {
    /// The state as people read it.
    pub fn word(self) -> &'static str {
        match self {
            ApprovalState::Valid => "valid",
            ApprovalState::Expired => "expired",
            ApprovalState::Revoked => "revoked",
        }
    }
}

/// What is known of the approvals of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approvals {
    /// What has to be satisfied.
    pub rule: ApprovalRule,
    /// The database role that made the plan.
    pub author: Option<String>,
    /// All of them, revoked and expired ones too.
    pub given: Vec<Approval>,
}

impl Approvals {
    /// Those that count.
    pub fn counting(&self) -> impl Iterator<Item = &Approval> {
        self.given.iter().filter(|one| one.state == ApprovalState::Valid && !self.is_by_author(one))
    }

    /// Whether there are enough.
    pub fn suffice(&self) -> bool {
        let known = !self.rule.not_by_author || self.author.is_some();
        self.rule.is_none() || (known && self.counting().count() >= self.rule.required as usize)
    }

    /// What is needed and what there is, in one sentence.
    pub fn words(&self) -> String {
        let ApprovalRule { required, not_by_author } = self.rule;
        let noun = if required == 1 { "approval" } else { "approvals" };
        let by = match (not_by_author, &self.author) {
            (false, _) => String::new(),
            (true, Some(author)) => format!(" by others than its author \"{author}\""),
            (true, None) => " by others than its author, whom it does not name".to_owned(),
        };
        let have: Vec<String> = self.given.iter().map(|one| self.one(one)).collect();
        let have = if have.is_empty() { "there is none".to_owned() } else { format!("there is: {}", have.join(", ")) };
        format!("the plan needs {required} {noun}{by}; {have}")
    }

    fn one(&self, approval: &Approval) -> String {
        let Approval { approver, state, .. } = approval;
        match state {
            ApprovalState::Valid if self.is_by_author(approval) => format!("\"{approver}\" (the author)"),
            ApprovalState::Valid => format!("\"{approver}\""),
            ApprovalState::Expired | ApprovalState::Revoked => format!("\"{approver}\" ({})", state.word()),
        }
    }

    fn is_by_author(&self, approval: &Approval) -> bool {
        self.rule.not_by_author && self.author.as_ref() == Some(&approval.approver)
    }
}

const READ: &str = "SELECT approver, client, approved_at::text, expires_at::text, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' \
     WHEN expires_at <= pg_catalog.clock_timestamp() THEN 'expired' ELSE 'valid' END \
     FROM enact.approval WHERE plan_digest = $1 ORDER BY approved_at, approver";

/// Reads the approvals of a plan under a rule.
///
/// # Errors
/// Those of the store.
pub async fn plan_approvals(
    store: &mut dyn Relational,
    plan: &SavedPlan,
    rule: ApprovalRule,
) -> Result<Approvals, StoreError> {
    Ok(approvals(plan, rule, &store.query(&of_plan(Sql::new(READ), plan)).await?))
}

/// Approves a plan as the session's own role, for so many seconds or for ever.
///
/// # Errors
/// Those of the store.
pub async fn approve(
    store: &mut dyn Relational,
    plan: &SavedPlan,
    client: &str,
    seconds: Option<u64>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO enact.approval AS a (plan_digest, approver, client, approved_at, expires_at) VALUES ($1, session_user, $2, \
               now(), now() + pg_catalog.make_interval(secs => $3::bigint::float8)) ON CONFLICT (plan_digest, approver) DO UPDATE SET \
               client = excluded.client, approved_at = excluded.approved_at, expires_at = excluded.expires_at, revoked_at = NULL";
    let sql = if seconds.is_some() { Sql::new(sql) } else { Sql::new(FOR_EVER) };
    let query = of_plan(sql, plan).bind(Param::Text(client.to_owned()));
    let seconds = seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    store.query(&seconds.into_iter().fold(query, |query, seconds| query.bind(Param::Int(seconds)))).await.map(|_| ())
}

const FOR_EVER: &str = "INSERT INTO enact.approval AS a (plan_digest, approver, client, approved_at) VALUES ($1, session_user, $2, now()) \
     ON CONFLICT (plan_digest, approver) DO UPDATE SET client = excluded.client, approved_at = excluded.approved_at, \
     expires_at = NULL, revoked_at = NULL";

/// Takes back the approval of the session's own role. Gives whether there was one.
///
/// # Errors
/// Those of the store.
pub async fn revoke(store: &mut dyn Relational, plan: &SavedPlan) -> Result<bool, StoreError> {
    let sql = "UPDATE enact.approval SET revoked_at = now() WHERE plan_digest = $1 AND approver = session_user \
               AND revoked_at IS NULL RETURNING approver";
    Ok(!store.query(&of_plan(Sql::new(sql), plan)).await?.is_empty())
}

/// Refuses a plan without enough approvals.
pub(super) async fn check(store: &mut dyn Relational, plan: &SavedPlan, rule: ApprovalRule) -> Result<(), ApplyError> {
    if rule.is_none() {
        return Ok(());
    }
    judge(plan_approvals(store, plan, rule).await?)
}

/// Refuses it inside the deciding transaction, and keeps what was read from changing before the commit.
pub(super) async fn check_locked(tx: &mut dyn Tx, plan: &SavedPlan, rule: ApprovalRule) -> Result<(), ApplyError> {
    if rule.is_none() {
        return Ok(());
    }
    let query = of_plan(Sql::new(READ).text(" FOR SHARE"), plan);
    let records = tx.query(&query).await.map_err(|error| {
        error.context("locking the approvals").hint("GRANT SELECT, UPDATE ON enact.approval to the role that applies")
    })?;
    judge(approvals(plan, rule, &records))
}

fn judge(approvals: Approvals) -> Result<(), ApplyError> {
    if approvals.suffice() { Ok(()) } else { Err(ApplyError::NotApproved(approvals.words())) }
}

fn of_plan(sql: Sql, plan: &SavedPlan) -> Query {
    Query::new(sql).bind(Param::Text(plan.digest.to_string()))
}

fn approvals(plan: &SavedPlan, rule: ApprovalRule, records: &[Record]) -> Approvals {
    let text = |record: &Record, index: usize| record.text(index).map(str::to_owned);
    let one = |record: &Record| Approval {
        approver: text(record, 0).unwrap_or_default(),
        client: text(record, 1),
        approved_at: text(record, 2).unwrap_or_default(),
        expires_at: text(record, 3),
        state: match record.text(4) {
            Some("valid") => ApprovalState::Valid,
            Some("expired") => ApprovalState::Expired,
            Some(_) | None => ApprovalState::Revoked,
        },
    };
    Approvals { rule, author: plan.author.clone(), given: records.iter().map(one).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(approver: &str, state: ApprovalState) -> Approval {
        let approved_at = "2026-03-12 10:00:00+00".to_owned();
        Approval { approver: approver.to_owned(), client: None, approved_at, expires_at: None, state }
    }

    #[test]
    fn an_author_an_expired_and_a_revoked_approval_do_not_count() {
        let rule = ApprovalRule { required: 1, not_by_author: true };
        let all = [ApprovalState::Valid, ApprovalState::Expired, ApprovalState::Revoked];
        let given = ["an", "binh", "chi"].into_iter().zip(all).map(|(who, state)| given(who, state)).collect();
        let mut approvals = Approvals { rule, author: Some("an".to_owned()), given };
        assert!(!approvals.suffice());
        let words = "the plan needs 1 approval by others than its author \"an\"; there is: \"an\" (the author), \
                     \"binh\" (expired), \"chi\" (revoked)";
        assert_eq!(approvals.words(), words);
        approvals.given.push(super::tests::given("dung", ApprovalState::Valid));
        assert!(approvals.suffice());
    }

    #[test]
    fn a_plan_without_an_author_is_nobody_elses() {
        let rule = ApprovalRule { required: 1, not_by_author: true };
        let approvals = Approvals { rule, author: None, given: vec![given("an", ApprovalState::Valid)] };
        assert!(!approvals.suffice());
    }
}
