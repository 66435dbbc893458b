//! The binding's expressions over its units, read once for no row.
//!
//! All in one statement; only when that is refused, one by one, so that each that does not fit is named with its place.

use super::error::ObserveError;
use crate::diff::codes;
use crate::model::{Binding, Diagnostic, Diagnostics, UnitSource};
use crate::store::{Query, Sql, StoreError, Tx};

/// SQLSTATE: a privilege is missing.
const NOT_ALLOWED: &str = "42501";
/// SQLSTATE: the database cannot do this, such as locking what an outer join may leave empty.
const NOT_SUPPORTED: &str = "0A000";

/// Checks that every expression can be read.
///
/// # Errors
/// Each expression that cannot, with its place; those of the store.
pub(super) async fn check_expressions(tx: &mut dyn Tx, binding: &Binding) -> Result<(), ObserveError> {
    if !binding.has_units() {
        return Ok(());
    }
    let source = &binding.units;
    let all = expressions(source);
    let texts: Vec<&str> = all.iter().map(|(_, text)| *text).collect();
    let Err(refused) = read(tx, source, &texts).await? else { return check_locks(tx, binding).await };
    let mut errors = Diagnostics::default();
    match read(tx, source, &[]).await? {
        Err(refused) => errors.push(wrong(binding, "from or where", &source.from, &refused)),
        Ok(()) => {
            for (name, text) in &all {
                if let Err(refused) = read(tx, source, &[text]).await? {
                    errors.push(wrong(binding, name, text, &refused));
                }
            }
        }
    }
    if errors.has_errors() { Err(errors.into()) } else { Err(refused.into()) }
}

/// Checks the aliases whose rows an apply locks, each by itself only where all together are refused.
async fn check_locks(tx: &mut dyn Tx, binding: &Binding) -> Result<(), ObserveError> {
    let source = &binding.units;
    if try_lock(tx, source, &source.lock).await?.is_ok() {
        return Ok(());
    }
    let mut errors = Diagnostics::default();
    for alias in &source.lock {
        if let Err(refused) = try_lock(tx, source, std::slice::from_ref(alias)).await?
            && refused.code.as_deref() != Some(NOT_ALLOWED)
        {
            let detail = format!("lock of the binding \"{}\": {}", binding.name, refused.message);
            let hint = "\"lock\" names aliases of \"from\" whose rows can be locked; leave out one that an outer join may leave empty";
            errors.push(Diagnostic::error(codes::EXPRESSION, detail).at_some(binding.places.of(alias)).hint(hint));
        }
    }
    if errors.has_errors() { Err(errors.into()) } else { Ok(()) }
}

/// Whether this role may lock the rows of units. Where the binding names nothing to lock, nothing is.
///
/// # Errors
/// Those of the store.
pub async fn may_lock_units(tx: &mut dyn Tx, source: &UnitSource) -> Result<bool, StoreError> {
    Ok(!source.lock.is_empty() && try_lock(tx, source, &source.lock).await?.is_ok())
}

/// Lets the database read a lock without taking it. The inner error is its refusal.
async fn try_lock(
    tx: &mut dyn Tx,
    source: &UnitSource,
    aliases: &[String],
) -> Result<Result<(), StoreError>, StoreError> {
    if aliases.is_empty() {
        return Ok(Ok(()));
    }
    let sql = Sql::new("EXPLAIN SELECT true FROM ").trusted(&source.from).text(" WHERE (");
    let sql = sql.trusted(source.condition.as_deref().unwrap_or("true")).text(") FOR SHARE OF ");
    let query = Query::new(sql.list(aliases, |sql, alias| sql.ident(alias)));
    attempt(tx, &query, |code| code.starts_with("42") || code == NOT_SUPPORTED).await
}

fn expressions(source: &UnitSource) -> Vec<(&str, &str)> {
    let UnitSource { id, address, title, body, content_hash, lifecycle, anchor, fields, .. } = source;
    let own = [
        ("id", id),
        ("address", address),
        ("title", title),
        ("body", body),
        ("content_hash", content_hash),
        ("lifecycle", lifecycle),
    ];
    let anchor = anchor.iter().map(|text| ("anchor", text));
    let fields = fields.iter().map(|(name, text)| (name.as_str(), text));
    own.into_iter().chain(anchor).chain(fields).map(|(name, text)| (name, text.as_str())).collect()
}

/// Reads no row. The inner error is a refusal of the statement's text (SQLSTATE class 42), apart from a missing privilege.
async fn read(tx: &mut dyn Tx, source: &UnitSource, texts: &[&str]) -> Result<Result<(), StoreError>, StoreError> {
    let sql = Sql::new("SELECT true").text(if texts.is_empty() { "" } else { ", " });
    let sql = sql.list(texts, |sql, text| sql.text("(").trusted(text).text(")::text"));
    let sql = sql.text(" FROM ").trusted(&source.from).text(" WHERE (");
    let sql = sql.trusted(source.condition.as_deref().unwrap_or("true")).text(") AND false");
    attempt(tx, &Query::new(sql), |code| code.starts_with("42") && code != NOT_ALLOWED).await
}

/// Runs a query of which the transaction survives these refusals.
async fn attempt(
    tx: &mut dyn Tx,
    query: &Query,
    survives: impl Fn(&str) -> bool,
) -> Result<Result<(), StoreError>, StoreError> {
    savepoint(tx, "SAVEPOINT enact_expressions").await?;
    match tx.query(query).await {
        Ok(_) => {
            savepoint(tx, "RELEASE SAVEPOINT enact_expressions").await?;
            Ok(Ok(()))
        }
        Err(error) if error.code.as_deref().is_some_and(survives) => {
            savepoint(tx, "ROLLBACK TO SAVEPOINT enact_expressions").await?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

async fn savepoint(tx: &mut dyn Tx, statement: &'static str) -> Result<(), StoreError> {
    tx.query(&Query::new(Sql::new(statement))).await.map(|_| ())
}

fn wrong(binding: &Binding, name: &str, text: &str, refused: &StoreError) -> Diagnostic {
    let detail = format!("{name} of the binding \"{}\": {}", binding.name, refused.message);
    let hint = refused.hint.clone().unwrap_or_else(|| "write it over the tables of \"from\"".to_owned());
    Diagnostic::error(codes::EXPRESSION, detail).at_some(binding.places.of(text)).hint(hint)
}
