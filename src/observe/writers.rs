//! What may change units beside the statements that name them: the tables behind views, triggers, and what functions say that
//! they write.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Binding, TableName, TransitionWork, UnitTrigger, UnitWriters};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// The tables that units are read from: those that are named, those behind views, partitions with what they are parts of.
const TABLES: &str = "WITH RECURSIVE base(oid) AS (\
 SELECT c.oid FROM unnest($1, $2) AS w(s, t) JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t \
 UNION SELECT x.oid FROM base b CROSS JOIN LATERAL (\
  SELECT d.refobjid AS oid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d \
   ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass \
   WHERE r.ev_class = b.oid \
  UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = b.oid \
  UNION ALL SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = b.oid) x) \
 SELECT n.nspname::text, c.relname::text FROM base JOIN pg_catalog.pg_class c ON c.oid = base.oid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
 AND n.nspname <> 'pg_catalog'";

const TRIGGERS: &str = "SELECT n.nspname::text, c.relname::text, p.prosrc, \
 pg_catalog.string_to_array(pg_catalog.encode(t.tgargs, 'escape'), '\\000') \
 FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN unnest($1, $2) AS w(s, t) \
 ON w.s = n.nspname AND w.t = c.relname JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
 WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'";

const FUNCTIONS: &str = "SELECT n.nspname::text, p.proname::text, \
 coalesce(nullif(p.prosrc, ''), pg_catalog.pg_get_function_sqlbody(p.oid), '') \
 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = p.proname";

/// Reads what may change the units of a binding when rows of these tables are written, or when units are moved.
///
/// # Errors
/// Those of the store.
pub(super) async fn read_writers(
    tx: &mut dyn Tx,
    binding: &Binding,
    written: &BTreeSet<TableName>,
) -> Result<UnitWriters, StoreError> {
    let named: BTreeSet<TableName> = binding.units.tables.iter().cloned().collect();
    let tables: BTreeSet<TableName> = named_rows(tx, TABLES, &named).await?.iter().filter_map(table).collect();
    let watched = tables.union(written).cloned().collect();
    let triggers = named_rows(tx, TRIGGERS, &watched).await?;
    let triggers = triggers.iter().filter_map(|record| {
        let source = record.text(2).unwrap_or_default().to_owned();
        let arguments = record.texts(3).iter().filter(|text| !text.is_empty()).cloned().collect();
        Some(UnitTrigger { table: table(record)?, source, arguments })
    });
    let calls = binding.lifecycle.transitions.iter().filter_map(|transition| match &transition.work {
        TransitionWork::Call(call) => Some(call.function.clone()),
        TransitionWork::Update(_) => None,
    });
    let mut functions: BTreeMap<TableName, String> = BTreeMap::new();
    for record in named_rows(tx, FUNCTIONS, &calls.collect()).await? {
        if let Some(name) = table(&record) {
            // Overloads are read as one text.
            functions.entry(name).or_default().push_str(record.text(2).unwrap_or_default());
        }
    }
    Ok(UnitWriters { tables, triggers: triggers.collect(), functions })
}

async fn named_rows(
    tx: &mut dyn Tx,
    sql: &'static str,
    names: &BTreeSet<TableName>,
) -> Result<Vec<Record>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let (schemas, tables) = names.iter().map(|name| (name.schema().to_owned(), name.name().to_owned())).unzip();
    tx.query(&Query::new(Sql::new(sql)).bind(Param::Texts(schemas)).bind(Param::Texts(tables))).await
}

fn table(record: &Record) -> Option<TableName> {
    Some(TableName::new(record.text(0)?, record.text(1)?))
}
