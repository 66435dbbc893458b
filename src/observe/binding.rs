//! The binding as far as a database has what it binds.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::ObserveError;
use super::managed::manages_anything;
use super::{read_catalog, read_epoch};
use crate::model::{Binding, Desired};
use crate::store::Tx;

/// The binding, or one that names nothing: where only rows are declared, nothing else of the project was ever applied, and the database has
/// none of the binding's tables of units. Plain tables can be managed without any unit.
///
/// # Errors
/// [`ObserveError::NotInitialised`] when there is no schema `enact`; those of the store.
pub async fn binding_in_use<'a>(
    tx: &mut dyn Tx,
    binding: &'a Binding,
    desired: Option<&Desired>,
    project: &str,
) -> Result<Cow<'a, Binding>, ObserveError> {
    if desired.is_some_and(|desired| !desired.is_rows_alone()) {
        return Ok(Cow::Borrowed(binding));
    }
    read_epoch(tx).await?;
    if manages_anything(tx, project).await? {
        return Ok(Cow::Borrowed(binding));
    }
    let tables: BTreeSet<_> = binding.units.tables.iter().cloned().collect();
    let (found, _) = read_catalog(tx, &tables, &BTreeSet::new()).await?;
    Ok(if found.is_empty() { Cow::Owned(binding.of_rows_alone()) } else { Cow::Borrowed(binding) })
}
