//! What the guards of a plan find: seals of what is protected, answers of checks, old rows of retentions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ask::{ask, explain, read_only};
use super::error::ObserveError;
use super::retention::read_retention;
use super::seal::Sealing;
use super::snapshot::Request;
use crate::diff::codes;
use crate::model::{
    Address, Desired, Diagnostic, Diagnostics, FilterValue, GuardFacts, Guarded, Observed, Place, Protected,
    ProtectionPin, Spot, TableFacts, TableName, name_hint,
};
use crate::store::{Fault, Param, Query, Sql, StoreError, Tx, VectorStore};

/// Tables that guards name.
pub(super) fn guard_tables(request: &Request<'_>) -> Vec<TableName> {
    let protected = request.desired.protect.values().filter_map(|protection| match &protection.of {
        Protected::Table { table, .. } => Some(table.value.clone()),
        Protected::Units(_) | Protected::Query(_) | Protected::Collection(_) => None,
    });
    let retention = request.desired.retention.values().map(|retention| retention.table.value.clone());
    let policies = request.binding.retention.iter().filter(|_| !request.desired.retention.is_empty());
    protected.chain(retention).chain(policies.map(|policy| policy.table.clone())).collect()
}

/// Gates that guards name.
pub(super) fn guard_gates(desired: &Desired) -> impl Iterator<Item = String> {
    desired.gates.keys().cloned().chain(desired.retention.values().map(|retention| retention.gate.value.clone()))
}

/// Reads everything that the guards of a plan need.
pub(super) async fn observe_guards(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    observed: &Observed,
) -> Result<GuardFacts, ObserveError> {
    let mut reader =
        Reader { vectors, request, observed, facts: GuardFacts::default(), errors: Diagnostics::default() };
    for (name, protection) in &request.desired.protect {
        if let Some(of) = reader.guarded(tx, name, &protection.of).await? {
            reader.seal(tx, name, of, &protection.place).await?;
        }
    }
    reader.checks(tx).await?;
    for (name, retention) in &request.desired.retention {
        let read = read_retention(tx, retention, request.binding, observed).await?;
        match read {
            Ok(found) => drop(reader.facts.retention.insert(name.clone(), found)),
            Err(error) => reader.errors.push(error),
        }
    }
    reader.known_gates(tx).await?;
    let Reader { facts, errors, .. } = reader;
    Ok(errors.into_result(facts).map(|(facts, _)| facts)?)
}

struct Reader<'a> {
    vectors: &'a dyn VectorStore,
    request: &'a Request<'a>,
    observed: &'a Observed,
    facts: GuardFacts,
    errors: Diagnostics,
}

impl Reader<'_> {
    async fn guarded(&mut self, tx: &mut dyn Tx, name: &str, of: &Protected) -> Result<Option<Guarded>, ObserveError> {
        match of {
            Protected::Units(units) => {
                let selection = self.request.desired.selection(units).clone();
                let sets = self.sets().await?;
                Ok(Some(Guarded::Units { selection, sets }))
            }
            Protected::Table { table, filter } => self.table(tx, table, filter).await,
            Protected::Query(query) => {
                let read = explain(tx, &query.value).await;
                let what = format!("protection \"{name}\"");
                let read = self.readable(read, &query.place, &what)?;
                Ok(read.map(|()| Guarded::Query { query: query.value.clone() }))
            }
            Protected::Collection(collection) => {
                if self.vectors.collection(&collection.value).await?.is_some() {
                    return Ok(Some(Guarded::Collection { collection: collection.value.clone() }));
                }
                let mut known = self.vectors.collections().await?;
                known.extend(self.observed.aliases.keys().cloned());
                let detail = format!("there is no collection or alias \"{}\"", collection.value);
                let hint = name_hint(&collection.value, known.iter().map(String::as_str));
                self.errors.push(Diagnostic::error(codes::UNKNOWN_COLLECTION, detail).at(&collection.place).hint(hint));
                Ok(None)
            }
        }
    }

    /// The live collection of every vector set that is declared or managed.
    async fn sets(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let prefix = Address::vector_set("");
        let managed = self.observed.managed.keys().filter_map(|address| address.as_str().strip_prefix(prefix.as_str()));
        let managed = managed.filter(|name| !name.contains('[')).map(str::to_owned);
        let names: BTreeSet<String> = self.request.desired.vector_sets.keys().cloned().chain(managed).collect();
        let mut out = BTreeMap::new();
        for name in names {
            if let Some(facts) = self.vectors.collection(&name).await? {
                out.insert(name, facts.name);
            }
        }
        Ok(out)
    }

    async fn table(
        &mut self,
        tx: &mut dyn Tx,
        table: &Spot<TableName>,
        filter: &BTreeMap<String, Spot<Value>>,
    ) -> Result<Option<Guarded>, ObserveError> {
        let Some(facts) = self.observed.tables.get(&table.value) else {
            let detail = format!("there is no table \"{}\" that this role can see", table.value);
            self.errors.push(Diagnostic::error(codes::UNKNOWN_TABLE, detail).at(&table.place));
            return Ok(None);
        };
        let mut values = BTreeMap::new();
        for (column, wanted) in filter {
            if let Some(value) = self.filter_value(tx, &table.value, facts, column, wanted).await? {
                values.insert(column.clone(), value);
            }
        }
        let complete = values.len() == filter.len();
        let key = facts.primary_key.clone();
        Ok(complete.then(|| Guarded::Table { table: table.value.clone(), filter: values, key }))
    }

    async fn filter_value(
        &mut self,
        tx: &mut dyn Tx,
        table: &TableName,
        facts: &TableFacts,
        column: &str,
        wanted: &Spot<Value>,
    ) -> Result<Option<FilterValue>, ObserveError> {
        let Some(found) = facts.columns.get(column) else {
            let detail = format!("table \"{table}\" has no column \"{column}\"");
            let hint = name_hint(column, facts.columns.keys().map(String::as_str));
            self.errors.push(Diagnostic::error(codes::UNKNOWN_COLUMN, detail).at(&wanted.place).hint(hint));
            return Ok(None);
        };
        let type_name = found.type_name.clone();
        let text = match &wanted.value {
            Value::Null => return Ok(Some(FilterValue { type_name, value: None })),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let sql = Sql::new("SELECT ($1::text::").trusted(&type_name).text(")::text");
        match read_only(tx, &Query::new(sql).bind(Param::Text(text))).await {
            Ok(records) => {
                let value = records.first().and_then(|record| record.text(0)).map(str::to_owned);
                Ok(Some(FilterValue { type_name, value }))
            }
            Err(error) if error.fault == Fault::Refused => {
                let detail = format!("a value for \"{column}\" of \"{table}\": {}", error.message);
                let hint = "write it as PostgreSQL reads the column's type";
                self.errors.push(Diagnostic::error(codes::BAD_VALUE, detail).at(&wanted.place).hint(hint));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn seal(&mut self, tx: &mut dyn Tx, name: &str, of: Guarded, place: &Place) -> Result<(), ObserveError> {
        let nothing = BTreeMap::new();
        let sealing = Sealing {
            binding: self.request.binding,
            vectors: self.vectors,
            instead: &nothing,
            exempt: &BTreeSet::new(),
        };
        let read = sealing.read(tx, &of, None).await;
        if let Some(seal) = self.readable(read, place, &format!("protection \"{name}\""))? {
            self.facts.protect.insert(name.to_owned(), ProtectionPin { of, seal });
        }
        Ok(())
    }

    /// Checks that are judged now are asked, and those of retentions; the others are read by the database all the same.
    async fn checks(&mut self, tx: &mut dyn Tx) -> Result<(), ObserveError> {
        let desired = self.request.desired;
        let paired: BTreeSet<&String> = desired.retention.values().map(|retention| &retention.check.value).collect();
        for (name, resource) in &desired.checks {
            let what = format!("check \"{name}\"");
            let query = &resource.check.query;
            if resource.before || paired.contains(name) {
                let read = ask(tx, query).await;
                if let Some(answer) = self.readable(read, &resource.query_place, &what)? {
                    self.facts.answers.insert(name.clone(), answer);
                }
            } else {
                let read = explain(tx, query).await;
                self.readable(read, &resource.query_place, &what)?;
            }
        }
        Ok(())
    }

    async fn known_gates(&mut self, tx: &mut dyn Tx) -> Result<(), ObserveError> {
        let Some(gates) = &self.request.binding.gates else { return Ok(()) };
        if guard_gates(self.request.desired).all(|name| self.observed.gates.get(&name).is_some_and(Option::is_some)) {
            return Ok(());
        }
        let sql = Sql::new("SELECT ").ident(&gates.key).text("::text FROM ").table(&gates.table).text(" LIMIT 1000");
        let records = tx.query(&Query::new(sql)).await?;
        self.facts.known_gates = records.iter().filter_map(|record| record.text(0).map(str::to_owned)).collect();
        Ok(())
    }

    /// What the database refuses is the author's to mend, at its place; what it could not answer stays an error.
    fn readable<T>(
        &mut self,
        read: Result<T, StoreError>,
        place: &Place,
        what: &str,
    ) -> Result<Option<T>, ObserveError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.fault == Fault::Refused => {
                let diagnostic = Diagnostic::error(codes::QUERY, format!("{what}: {}", error.message)).at(place);
                // Sessions look in no schema by themselves, so that a name means the same for every role.
                let code = error.code.as_deref();
                let schema = matches!(code, Some("42P01" | "42883"));
                let schema =
                    schema.then(|| "check the name, and name the schema too, such as public.documents".to_owned());
                let own_role = (code == Some("42501"))
                    .then(|| "it is read as the connection's own role: grant that what it reads".to_owned());
                self.errors.push(match own_role.or(error.hint).or(schema) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
