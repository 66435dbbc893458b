//! Probing within a session.

use std::collections::{BTreeMap, BTreeSet};

use super::reach::timeout_seconds;
use super::session::Session;
use crate::apply::SCHEMA_VERSION;
use crate::model::{Desired, Stores};
use crate::observe::{ObserveError, read_catalog};
use crate::preflight::{
    Area, Found, Needs, PostgresScope, Preflight, QdrantScope, diagnostics, probe_makers, probe_postgres, probe_qdrant,
};
use crate::store::{Fault, Relational, StoreError, TxMode};

impl Session {
    /// Probes what is needed and keeps the result for the run that may follow.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn probe(&mut self, needs: &Needs) -> Result<Vec<Found>, StoreError> {
        let embedded = matches!(self.environment.stores, Stores::Local { .. });
        let scope = PostgresScope { known_schema: SCHEMA_VERSION, embedded };
        let (mut found, now) = probe_postgres(&mut self.postgres, needs, scope).await?;
        let scope = QdrantScope { environment: &self.environment, timeout_seconds: timeout_seconds(&self.environment) };
        found.extend(probe_qdrant(&self.qdrant, needs, scope).await?);
        found.extend(probe_makers(&self.makers, needs).await);
        self.preflight = Some(Preflight::of(&self.environment.name, Some(now), &found));
        Ok(found)
    }

    /// What observing needs to read, for plan files that cannot be planned.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn reading_needs(&mut self, desired: &Desired) -> Result<Needs, StoreError> {
        let bare = Needs::of_files(desired, &self.binding, &BTreeMap::new());
        let tables = bare.tables.into_keys().map(|(_, table)| table).collect();
        let mut tx = self.postgres.begin(TxMode::Snapshot).await?;
        let (tables, _) = read_catalog(tx.as_mut(), &tables, &BTreeSet::new()).await?;
        tx.rollback().await?;
        Ok(Needs::of_files(desired, &self.binding, &tables))
    }

    /// A store that refuses to be read says one thing at a time; probing says all of it, and what to grant.
    pub(super) async fn why_unreadable(&mut self, desired: &Desired, error: ObserveError) -> ObserveError {
        let ObserveError::Store(refused) = &error else { return error };
        let relational = refused.code.as_deref() == Some("42501");
        let vectors = refused.code.as_deref().is_some_and(|code| code.starts_with(|c: char| c.is_ascii_alphabetic()));
        if refused.fault != Fault::Refused || !(relational || vectors) {
            return error;
        }
        let Ok(needs) = self.reading_needs(desired).await else { return error };
        let Ok(mut found) = self.probe(&needs).await else { return error };
        found.retain(|found| relational != matches!(found.probe.area, Area::Qdrant | Area::Collections));
        let found = diagnostics(&found);
        if found.has_errors() { ObserveError::Refused(found) } else { error }
    }
}
