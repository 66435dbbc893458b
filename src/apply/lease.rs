//! One runner at a time.
//!
//! The lease is a session advisory lock: it dies with its process or its connection, and never has to be broken by hand.

use std::time::{Duration, Instant};

use super::error::ApplyError;
use crate::store::{Param, Query, Relational, Sql, StoreError, Tx};

/// The key of the lock: the first eight bytes of `blake3("enact lease")`.
pub const LEASE_KEY: i64 = 0x656e_6163_745f_6c65;

/// Whether this session holds the lock `$1`, as a condition.
pub(super) const HELD: &str = "EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
     AND l.pid = pg_catalog.pg_backend_pid() AND (l.classid::bigint << 32) | l.objid::bigint = $1)";

/// How often a waiting runner looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The lease, held until [`Lease::release`] or until the connection ends.
#[must_use]
pub struct Lease(());

impl Lease {
    /// Takes the lease, waiting up to `patience`.
    ///
    /// # Errors
    /// [`ApplyError::Locked`] with who holds it; those of the store.
    pub async fn take(store: &mut dyn Relational, patience: Duration) -> Result<Lease, ApplyError> {
        let began = Instant::now();
        loop {
            if store.try_lock(LEASE_KEY).await? {
                return Ok(Lease(()));
            }
            if began.elapsed() >= patience {
                return Err(ApplyError::Locked(holder(store).await?));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether this session holds it. An error means that the session is gone, and the lease with it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn held(store: &mut dyn Relational) -> Result<bool, StoreError> {
        Ok(store.query(&held()).await?.first().is_some_and(|record| record.is_true(0)))
    }

    /// Fails where a statement of the open transaction gave it back: no rollback brings it again.
    ///
    /// # Errors
    /// [`ApplyError::Refused`]; those of the store.
    pub async fn check_in(tx: &mut dyn Tx) -> Result<(), ApplyError> {
        if tx.query(&held()).await?.first().is_some_and(|record| record.is_true(0)) {
            return Ok(());
        }
        Err(ApplyError::Refused {
            step: "decide".to_owned(),
            why:
                "a statement of the plan, of a function or of a trigger gave back the lock that keeps other runs away \
                  (pg_advisory_unlock or pg_advisory_unlock_all)"
                    .to_owned(),
        })
    }

    /// Fails unless this session holds it.
    ///
    /// # Errors
    /// [`ApplyError::LeaseLost`]; those of the store, when the session is gone.
    pub async fn check(store: &mut dyn Relational) -> Result<(), ApplyError> {
        if Lease::held(store).await? { Ok(()) } else { Err(ApplyError::LeaseLost) }
    }

    /// Gives it back.
    ///
    /// # Errors
    /// Those of the store; the lock then ends with the connection.
    pub async fn release(self, store: &mut dyn Relational) -> Result<(), StoreError> {
        store.unlock(LEASE_KEY).await
    }
}

fn held() -> Query {
    Query::new(Sql::new("SELECT ").text(HELD)).bind(Param::Int(LEASE_KEY))
}

async fn holder(store: &mut dyn Relational) -> Result<String, StoreError> {
    let sql = "SELECT a.pid::text, coalesce(a.usename::text, '?'), coalesce(a.client_addr::text, 'local socket'), a.backend_start::text, \
               coalesce((SELECT r.runner || ', run ' || r.run_id || ', plan ' || pg_catalog.left(r.plan_digest, 12) FROM enact.run r \
                 WHERE r.closed_at IS NULL ORDER BY r.opened_at DESC LIMIT 1), a.application_name) \
               FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = ($1 >> 32)::oid AND l.objid = ($1 & 4294967295)::oid \
               AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Int(LEASE_KEY))).await?;
    Ok(match records.first() {
        Some(record) => {
            let text = |index: usize| record.text(index).unwrap_or("?").to_owned();
            format!("{} (database session {} of {} from {}, since {})", text(4), text(0), text(1), text(2), text(3))
        }
        None => "it was given back a moment ago; try again".to_owned(),
    })
}
