//! Retention: the column that says how old a row is, how many rows are too old, and whether the day has come.

use super::ask::read_only;
use super::error::ObserveError;
use crate::diff::codes;
use crate::model::{
    Binding, Diagnostic, Observed, Retention, RetentionFacts, RetentionPolicy, Spot, TableFacts, name_hint,
};
use crate::store::{Fault, Param, Query, Sql, StoreError, Tx};

/// What the policy's row says.
#[derive(Default)]
struct Policy {
    column: Option<String>,
    keep_days: Option<i64>,
    scope: Option<(String, Vec<String>)>,
}

/// Reads one retention; the inner error is the author's to mend.
pub(super) async fn read_retention(
    tx: &mut dyn Tx,
    retention: &Retention,
    binding: &Binding,
    observed: &Observed,
) -> Result<Result<RetentionFacts, Diagnostic>, ObserveError> {
    let Some(facts) = observed.tables.get(&retention.table.value) else {
        let detail = format!("there is no table \"{}\" that this role can see", retention.table.value);
        return Ok(Err(Diagnostic::error(codes::UNKNOWN_TABLE, detail).at(&retention.table.place)));
    };
    let policy = match &binding.retention {
        Some(source) if observed.tables.contains_key(&source.table) => read_policy(tx, source, retention).await?,
        Some(_) | None => Policy::default(),
    };
    let column = match column(retention, &policy, facts) {
        Ok(column) => column,
        Err(diagnostic) => return Ok(Err(diagnostic)),
    };
    let due = match due(tx, retention.not_before.as_ref()).await {
        Ok(due) => due,
        Err(error) if error.fault == Fault::Refused => {
            let place = retention.not_before.as_ref().map_or(&retention.place, |day| &day.place);
            return Ok(Err(Diagnostic::error(codes::BAD_VALUE, format!("not_before: {}", error.message)).at(place)));
        }
        Err(error) => return Err(error.into()),
    };
    let old = count_old(tx, retention, &column, &policy).await?;
    Ok(Ok(RetentionFacts { column, old, due }))
}

async fn read_policy(tx: &mut dyn Tx, source: &RetentionPolicy, retention: &Retention) -> Result<Policy, ObserveError> {
    let sql = Sql::new("SELECT ").ident(&source.column).text("::text, ").ident(&source.keep_days).text("::bigint, ");
    let sql = match &source.scope {
        Some(scope) => sql.ident(scope).text("::text[]"),
        None => sql.text("NULL::text[]"),
    };
    let sql = sql.text(" FROM ").table(&source.table).text(" WHERE ").ident(&source.target).text("::text IN ($1, $2)");
    let table = &retention.table.value;
    let query = Query::new(sql).bind(Param::Text(table.name().to_owned())).bind(Param::Text(table.to_string()));
    let records = tx.query(&query).await?;
    let Some(record) = records.first() else { return Ok(Policy::default()) };
    let scope = record.texts(2).to_vec();
    Ok(Policy {
        column: record.text(0).map(str::to_owned),
        keep_days: record.int(1),
        scope: source.scope_column.clone().filter(|_| !scope.is_empty()).map(|column| (column, scope)),
    })
}

/// The column, from the plan or from the policy, which must agree with the plan.
fn column(retention: &Retention, policy: &Policy, facts: &TableFacts) -> Result<String, Diagnostic> {
    let table = &retention.table.value;
    if let Some(days) = policy.keep_days
        && u64::try_from(days).ok().and_then(|days| days.checked_mul(86_400)) != Some(retention.keep_seconds)
    {
        let detail = format!("\"{table}\" is kept for {days} days by its policy, not {}", retention.keep.value);
        let hint = format!("write keep: {days}d, or change the policy's row first");
        return Err(Diagnostic::error(codes::RETENTION, detail).at(&retention.keep.place).hint(hint));
    }
    let (name, place) = match (&retention.column, &policy.column) {
        (Some(Spot { value, place }), Some(found)) if value != found => {
            let detail = format!("the age of a row of \"{table}\" is in \"{found}\" by its policy, not in \"{value}\"");
            return Err(Diagnostic::error(codes::RETENTION, detail).at(place).hint("leave column out"));
        }
        (Some(Spot { value, place }), _) => (value.clone(), place),
        (None, Some(found)) => (found.clone(), &retention.place),
        (None, None) => {
            let detail = format!("nothing says which column of \"{table}\" tells how old a row is");
            let hint = "add column: created_at, or whatever it is called";
            return Err(Diagnostic::error(codes::RETENTION, detail).at(&retention.place).hint(hint));
        }
    };
    let Some(found) = facts.columns.get(&name) else {
        let detail = format!("table \"{table}\" has no column \"{name}\"");
        let hint = name_hint(&name, facts.columns.keys().map(String::as_str));
        return Err(Diagnostic::error(codes::UNKNOWN_COLUMN, detail).at(place).hint(hint));
    };
    if !found.type_name.starts_with("timestamp") && found.type_name != "date" {
        let detail = format!("column \"{name}\" of \"{table}\" is {}, which is no time", found.type_name);
        return Err(Diagnostic::error(codes::RETENTION, detail).at(place).hint("name a timestamp or a date"));
    }
    Ok(name)
}

/// Whether a day has come, by the clock of the transaction. Days begin at midnight UTC.
pub async fn due(tx: &mut dyn Tx, day: Option<&Spot<String>>) -> Result<bool, StoreError> {
    match day {
        None => Ok(true),
        Some(day) => has_come(tx, &day.value).await,
    }
}

/// Whether a day such as `2026-06-22` has come, by the clock of the transaction.
///
/// # Errors
/// Those of the store; a day that the calendar does not have.
pub async fn has_come(tx: &mut dyn Tx, day: &str) -> Result<bool, StoreError> {
    let sql = Sql::new("SELECT now() >= ($1::text::date)::timestamp AT TIME ZONE 'UTC'");
    let records = read_only(tx, &Query::new(sql).bind(Param::Text(day.to_owned()))).await?;
    Ok(records.first().is_some_and(|record| record.is_true(0)))
}

async fn count_old(tx: &mut dyn Tx, retention: &Retention, column: &str, policy: &Policy) -> Result<u64, ObserveError> {
    let sql = Sql::new("SELECT pg_catalog.count(*) FROM ")
        .table(&retention.table.value)
        .text(" WHERE ")
        .ident(column)
        .text(" < now() - pg_catalog.make_interval(secs => $1::float8)");
    let sql = match &policy.scope {
        Some((scope, _)) => sql.text(" AND ").ident(scope).text("::text = ANY ($2)"),
        None => sql,
    };
    let seconds = i64::try_from(retention.keep_seconds).unwrap_or(i64::MAX);
    let query = Query::new(sql).bind(Param::Int(seconds));
    let query = match &policy.scope {
        Some((_, values)) => query.bind(Param::Texts(values.clone())),
        None => query,
    };
    let records = tx.query(&query).await?;
    Ok(records.first().and_then(|record| record.int(0)).and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}
