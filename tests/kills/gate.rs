//! A gate in the journal: the server holds an entry back before it is written, for as long as the test wants.
//!
//! It is a trigger of the test's database that waits for an advisory lock. So a boundary of the journal is met exactly, whatever
//! the machine's speed, and production code holds no switch for it. Enact's own limit for locks does not count here: a slow
//! machine may need longer than that for what a test does meanwhile. Beside it stands a trigger that refuses rows of the
//! ledger, which makes a run go back.

use std::time::Duration;

use super::process::poll;
use super::stores::{Connection, Stores};

/// The lock that entries wait for.
const KEY: i64 = 4_242;

/// Makes the gate. Both switches are off.
pub const SQL: &str = "CREATE SCHEMA gate; \
CREATE TABLE gate.switch (stop_at bigint, refuse boolean NOT NULL); \
INSERT INTO gate.switch VALUES (NULL, false); \
CREATE TABLE gate.saved (at timestamptz NOT NULL); \
CREATE FUNCTION gate.stop() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = 0 AS $$ BEGIN \
  IF EXISTS (SELECT FROM gate.switch WHERE stop_at = NEW.seq) THEN PERFORM pg_advisory_xact_lock(4242); END IF; \
  RETURN NEW; END $$; \
CREATE FUNCTION gate.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN \
  IF EXISTS (SELECT FROM gate.switch WHERE refuse) THEN RAISE EXCEPTION 'the test refuses this row'; END IF; \
  RETURN NEW; END $$; \
CREATE TRIGGER stop BEFORE INSERT ON enact.journal FOR EACH ROW EXECUTE FUNCTION gate.stop(); \
CREATE TRIGGER refuse BEFORE INSERT ON public.iu_vector_sync_point FOR EACH ROW EXECUTE FUNCTION gate.refuse()";

/// A closed gate. Open when dropped.
pub struct Gate<'a> {
    stores: &'a Stores,
    holder: Option<Connection>,
}

impl<'a> Gate<'a> {
    /// Closes the gate at the entry with this number, counted from 1.
    pub fn close(stores: &'a Stores, entry: usize) -> Gate<'a> {
        stores.sql(&format!("UPDATE gate.switch SET stop_at = {entry}"));
        let holder = stores.connect();
        stores.batch(&holder, &format!("SELECT pg_advisory_lock({KEY})"));
        Gate { stores, holder: Some(holder) }
    }

    /// Waits until a session stands at the gate, and gives its server process; `None` when nobody came.
    pub fn reached(&self, limit: Duration, alive: impl FnMut() -> bool) -> Option<i32> {
        let query = format!(
            "SELECT coalesce(min(pid), 0)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = {KEY}"
        );
        let holder = self.holder.as_ref().expect("a closed gate");
        let mut alive = alive;
        let look = || {
            let running = alive();
            let pid: i32 = self.stores.value_on(holder, &query).parse().expect("a process id");
            if pid == 0 && running { None } else { Some(pid) }
        };
        poll(limit, look).filter(|pid| *pid != 0)
    }

    /// Opens the gate for good.
    pub fn open(mut self) {
        self.open_now();
    }

    fn open_now(&mut self) {
        if let Some(holder) = self.holder.take() {
            self.stores.sql("UPDATE gate.switch SET stop_at = NULL");
            self.stores.close(holder);
        }
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.open_now();
        }
    }
}
