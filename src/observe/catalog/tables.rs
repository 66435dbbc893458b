//! Facts of tables: columns with their types' own equality, unique indexes, foreign keys in both directions, triggers,
//! row-level security.

use std::collections::{BTreeMap, BTreeSet};

use super::{named, table_of, text};
use crate::diff::rows::identity::columns_of;
use crate::model::{
    CheckFacts, Column, ColumnKind, ForeignKey, OnChange, TableFacts, TableKind, TableName, UniqueIndex,
};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// A relation is known by its columns; each row is one of them. A domain is followed to the type under it.
const COLUMNS: &str = "WITH RECURSIVE cols AS ( \
  SELECT c.oid AS rel, n.nspname, c.relname, c.relkind, c.relhasrules, c.relispartition, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, \
   a.attidentity, a.attgenerated, a.attcollation, d.adbin, d.adrelid, d.oid AS filler \
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
  JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = c.relname \
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')), \
 chain AS ( \
  SELECT DISTINCT atttypid AS start, atttypid AS type, false AS not_null, false AS filled, 0 AS depth FROM cols \
  UNION ALL SELECT c.start, t.typbasetype, c.not_null OR t.typnotnull, c.filled OR t.typdefault IS NOT NULL, c.depth + 1 \
  FROM chain c JOIN pg_catalog.pg_type t ON t.oid = c.type AND t.typtype = 'd'), \
 base AS (SELECT DISTINCT ON (start) start, type, not_null, filled FROM chain ORDER BY start, depth DESC) \
 SELECT c.nspname::text, c.relname::text, c.relkind::text, c.attname::text, pg_catalog.format_type(c.atttypid, c.atttypmod), \
  pg_catalog.format_type(b.type, -1), t.typname::text, t.typtype::text, t.typcategory::text, et.typname::text, \
  CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END::bigint, \
  t.typname = 'citext' OR coalesce(et.typname = 'citext', false) OR coalesce(NOT co.collisdeterministic, false), \
  CASE WHEN c.attcollation <> 0 AND c.attcollation <> t.typcollation THEN pg_catalog.format('%I.%I', cn.nspname, co.collname) END, \
  c.attnotnull OR b.not_null, \
  (c.adbin IS NOT NULL AND c.attgenerated = '') OR c.attidentity <> '' OR b.filled, \
  pg_catalog.pg_get_expr(c.adbin, c.adrelid), \
  c.attgenerated <> '', c.attidentity = 'a', \
  q.objid::regclass::text, \
  pg_catalog.has_column_privilege(c.rel, c.attnum, 'SELECT'), \
  pg_catalog.has_table_privilege(c.rel, 'SELECT') AND c.relkind IN ('r', 'p'), \
  pg_catalog.row_security_active(c.rel), pg_catalog.pg_relation_is_updatable(c.rel, true)::bigint, \
  coalesce(pg_catalog.has_sequence_privilege(q.objid, 'USAGE') AND pg_catalog.has_sequence_privilege(q.objid, 'UPDATE'), false), \
  (SELECT pg_catalog.array_agg(f.attname::text) FROM pg_catalog.pg_attribute f \
   WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped), \
  c.atttypid <> b.type, c.relhasrules AND c.relkind IN ('r', 'p'), c.relispartition, \
  c.relkind = 'v' AND NOT pg_catalog.pg_column_is_updatable(c.rel, c.attnum, true) \
 FROM cols c JOIN base b ON b.start = c.atttypid JOIN pg_catalog.pg_type t ON t.oid = b.type \
 LEFT JOIN pg_catalog.pg_type et ON et.oid = t.typelem AND t.typcategory = 'A' \
 LEFT JOIN LATERAL (SELECT d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
  AND d.refobjid = c.rel AND d.refobjsubid = c.attnum AND d.deptype IN ('a', 'i') \
  UNION SELECT d.refobjid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
  WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = c.filler AND d.refclassid = 'pg_catalog.pg_class'::regclass \
  ORDER BY 1 LIMIT 1) q ON true \
 LEFT JOIN pg_catalog.pg_collation co ON co.oid = c.attcollation LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace \
 ORDER BY c.rel, c.attnum";

/// A type's equality is that of the operator class that sorts or hashes it by default. Types that are stored like another one
/// (`varchar`, `cidr`, `regclass`) have that one's, enums and ranges their kind's.
const EQUALITY: &str = "SELECT DISTINCT ON (w.type) w.type::bigint, pg_catalog.format('OPERATOR(%I.%s)', ns.nspname, o.oprname) \
  FROM unnest($1::text[]::oid[]) AS w(type) JOIN pg_catalog.pg_type t ON t.oid = w.type \
  JOIN pg_catalog.pg_opclass oc ON oc.opcdefault AND oc.opcintype IN (w.type, \
   CASE t.typtype WHEN 'e' THEN 3500 WHEN 'r' THEN 3831 WHEN 'm' THEN 4537 ELSE w.type END, \
   coalesce((SELECT k.casttarget FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_type p ON p.oid = k.casttarget AND p.typispreferred \
    WHERE k.castsource = w.type AND k.castmethod = 'b' AND k.castcontext = 'i' LIMIT 1), w.type)) \
  JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname IN ('btree', 'hash') \
  JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype \
   AND ao.amopstrategy = CASE am.amname WHEN 'btree' THEN 3 ELSE 1 END \
  JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr JOIN pg_catalog.pg_namespace ns ON ns.oid = o.oprnamespace \
  ORDER BY w.type, (oc.opcintype = w.type) DESC, am.amname";

/// What the server's own types are compared with; no other default can be given to them.
const OWN_EQUALITY: &str = "OPERATOR(pg_catalog.=)";
/// The server's own types that are asked for most, by their ids (`pg_type.dat`): bool, bytea, char, name, int8, int2, int4, text,
/// oid, float4, float8, inet, bpchar, varchar, date, time, timestamp, timestamptz, interval, timetz, numeric, uuid, jsonb.
const OWN_TYPES: [i64; 23] = [
    16, 17, 18, 19, 20, 21, 23, 25, 26, 700, 701, 869, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 3802,
];

/// `indnullsnotdistinct` came with PostgreSQL 15.
const INDEXES: &str = "SELECT n.nspname::text, c.relname::text, ic.relname::text, i.indisprimary, \
 (SELECT pg_catalog.array_agg(coalesce(a.attname::text, '') ORDER BY k) FROM pg_catalog.generate_series(1, i.indnkeyatts) k \
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k - 1] AND i.indkey[k - 1] <> 0), \
 (SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, false) ORDER BY k) \
  FROM pg_catalog.generate_series(1, i.indnkeyatts) k), \
 pg_catalog.pg_get_expr(i.indpred, i.indrelid), coalesce((pg_catalog.to_jsonb(i)->>'indnullsnotdistinct')::boolean, false), \
 coalesce(k.condeferrable, false), \
 (SELECT pg_catalog.array_agg(pg_catalog.format('OPERATOR(%I.%s)', pn.nspname, p.oprname) ORDER BY o.i) \
  FROM unnest(k.conexclop) WITH ORDINALITY o(op, i) JOIN pg_catalog.pg_operator p ON p.oid = o.op \
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.oprnamespace) \
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = c.relname \
 LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') \
 WHERE (i.indisunique OR i.indisexclusion) AND i.indisvalid ORDER BY 1, 2, i.indisprimary DESC, i.indexrelid";

/// PostgreSQL keeps a copy of a constraint for each partition of either table: those of the referring one count there, those
/// of the referred one do not. `confdelsetcols` came with PostgreSQL 15.
const FOREIGN_KEYS: &str = "SELECT n.nspname::text, c.relname::text, k.conname::text, fn.nspname::text, fc.relname::text, \
 (SELECT pg_catalog.array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.conkey) WITH ORDINALITY o(n, i) \
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.n), \
 (SELECT pg_catalog.array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.confkey) WITH ORDINALITY o(n, i) \
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.n), \
 (SELECT pg_catalog.array_agg(pg_catalog.format('OPERATOR(%I.%s)', pn.nspname, p.oprname) ORDER BY o.i) \
  FROM unnest(k.conpfeqop) WITH ORDINALITY o(op, i) JOIN pg_catalog.pg_operator p ON p.oid = o.op \
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.oprnamespace), \
 k.confdeltype::text, k.confupdtype::text, k.confmatchtype = 'f', k.condeferrable, o.s IS NOT NULL, i.s IS NOT NULL, \
 (SELECT pg_catalog.array_agg(a.attname::text) FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid \
  AND pg_catalog.to_jsonb(k)->'confdelsetcols' @> pg_catalog.to_jsonb(a.attnum)) \
 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace \
 LEFT JOIN unnest($1, $2) AS o(s, t) ON o.s = n.nspname AND o.t = c.relname \
  AND (k.conparentid = 0 OR k.confrelid = (SELECT u.confrelid FROM pg_catalog.pg_constraint u WHERE u.oid = k.conparentid)) \
 LEFT JOIN unnest($1, $2) AS i(s, t) ON i.s = fn.nspname AND i.t = fc.relname AND (k.conparentid = 0 OR (fc.relispartition AND NOT c.relispartition)) \
 WHERE k.contype = 'f' AND (o.s IS NOT NULL OR i.s IS NOT NULL) ORDER BY 1, 2, 3";

/// Constraints of checks, and what the partitions of a table take. `conenforced` came with PostgreSQL 18.
const CHECKS: &str = "SELECT n.nspname::text, c.relname::text, 'partitions', NULL::text[], CASE c.relkind \
 WHEN 'r' THEN pg_catalog.pg_get_partition_constraintdef(c.oid) \
 ELSE coalesce((SELECT pg_catalog.string_agg('(' || pg_catalog.pg_get_partition_constraintdef(p.relid) || ')', ' OR ') \
  FROM pg_catalog.pg_partition_tree(c.oid) p WHERE p.isleaf AND p.relid <> c.oid), 'false') END \
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = c.relname \
 WHERE c.relkind = 'p' OR (c.relkind = 'r' AND c.relispartition) \
 UNION ALL SELECT n.nspname::text, c.relname::text, k.conname::text, \
 (SELECT pg_catalog.array_agg(a.attname::text ORDER BY o.i) FROM unnest(k.conkey) WITH ORDINALITY o(n, i) \
  JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.n), \
 pg_catalog.pg_get_expr(k.conbin, k.conrelid) \
 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = c.relname \
 WHERE k.contype = 'c' AND coalesce((pg_catalog.to_jsonb(k)->>'conenforced')::boolean, true) ORDER BY 1, 2, 3";

/// Bits of `tgtype` (`pg_trigger.h`): row 1, before 2, insert 4, instead 64.
const FILLING: &str = "SELECT DISTINCT n.nspname::text, c.relname::text FROM pg_catalog.pg_trigger g \
 JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = c.relname \
 WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND (g.tgtype & 1) = 1 AND (g.tgtype & 4) = 4 AND (g.tgtype & 66) <> 0";

/// Bits of `pg_relation_is_updatable`: `1 << CMD_UPDATE`, `CMD_INSERT`, `CMD_DELETE`.
const COMMANDS: [(i64, &str); 3] = [(4, "UPDATE"), (8, "INSERT"), (16, "DELETE")];

/// Reads the facts of tables by name.
///
/// # Errors
/// Those of the store.
pub(super) async fn read_tables(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, TableFacts>, StoreError> {
    let mut out: BTreeMap<TableName, TableFacts> = BTreeMap::new();
    if tables.is_empty() {
        return Ok(out);
    }
    let records = tx.query(&named(COLUMNS, tables)).await?;
    let equalities = read_equalities(tx, &records).await?;
    for record in records {
        let facts = out.entry(table_of(&record)).or_default();
        facts.kind = match record.text(2) {
            Some("r") => TableKind::Table,
            Some("p") => TableKind::Partitioned,
            Some("v") => TableKind::View,
            Some(_) | None => TableKind::Other,
        };
        facts.located = record.is_true(20);
        facts.row_security = record.is_true(21);
        facts.has_rules = record.is_true(26);
        facts.partition = record.is_true(27);
        let bits = record.int(22).unwrap_or(0);
        facts.allows = COMMANDS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
        facts.columns.insert(text(&record, 3), column(&record, &equalities));
    }
    read_indexes(tx, tables, &mut out).await?;
    read_foreign_keys(tx, tables, &mut out).await?;
    for record in tx.query(&named(CHECKS, tables)).await? {
        if let Some(facts) = out.get_mut(&table_of(&record)) {
            let (name, expression) = (text(&record, 2), text(&record, 4));
            let mut columns = record.texts(3).to_vec();
            if record.texts(3).is_empty() {
                columns = columns_of(&expression, facts);
            }
            facts.checks.push(CheckFacts { name, columns, expression });
        }
    }
    for record in tx.query(&named(FILLING, tables)).await? {
        if let Some(facts) = out.get_mut(&table_of(&record)) {
            facts.fills_rows = true;
        }
    }
    Ok(out)
}

/// The equality of each type that a column holds, or an array of.
async fn read_equalities(tx: &mut dyn Tx, records: &[Record]) -> Result<BTreeMap<i64, String>, StoreError> {
    let types: BTreeSet<i64> = records.iter().filter_map(|record| record.int(10)).collect();
    let (own, others): (Vec<i64>, Vec<i64>) = types.into_iter().partition(|id| OWN_TYPES.contains(id));
    let mut out: BTreeMap<i64, String> = own.into_iter().map(|id| (id, OWN_EQUALITY.to_owned())).collect();
    if !others.is_empty() {
        let ids = others.iter().map(i64::to_string).collect();
        let found = tx.query(&Query::new(Sql::new(EQUALITY)).bind(Param::Texts(ids))).await?;
        out.extend(found.iter().filter_map(|record| Some((record.int(0)?, record.text(1)?.to_owned()))));
    }
    Ok(out)
}

fn column(record: &Record, equalities: &BTreeMap<i64, String>) -> Column {
    // An array has an equality where its elements have one; a composite type's depends on its fields.
    let equality = record.int(10).and_then(|id| equalities.get(&id)).filter(|_| record.text(7) != Some("c"));
    let equality = match record.text(8) {
        Some("A") => equality.map(|_| OWN_EQUALITY.to_owned()),
        Some(_) | None => equality.cloned(),
    };
    let optional = |index: usize| record.text(index).map(str::to_owned);
    Column {
        type_name: text(record, 4),
        base_type: text(record, 5),
        kind: kind(&text(record, 6), &text(record, 7), &text(record, 8), record.text(9), record.is_true(11)),
        fields: record.texts(24).to_vec(),
        domain: record.is_true(25),
        equality,
        spelling_matters: record.is_true(11),
        collation: optional(12),
        not_null: record.is_true(13),
        has_default: record.is_true(14),
        default: optional(15).filter(|_| !record.is_true(16)),
        generation: optional(15).filter(|_| record.is_true(16)),
        generated: record.is_true(16),
        identity_always: record.is_true(17),
        sequence: optional(18),
        may_set_sequence: record.is_true(23),
        readable: record.is_true(19),
        derived: record.is_true(28),
    }
}

/// By the type under the domains: its name, `typtype`, `typcategory`, and its elements'.
fn kind(name: &str, class: &str, category: &str, element: Option<&str>, folds: bool) -> ColumnKind {
    match (name, class, category) {
        ("json", ..) => ColumnKind::Json,
        ("jsonb", ..) => ColumnKind::Jsonb,
        ("text" | "varchar", ..) if !folds => ColumnKind::Text,
        ("name" | "char", ..) => ColumnKind::Cut,
        ("int2" | "int4" | "int8", ..) => ColumnKind::Integer,
        ("uuid", ..) => ColumnKind::Uuid,
        ("date" | "time" | "timetz" | "timestamp" | "timestamptz", ..) => ColumnKind::Time,
        (_, _, "A") if matches!(element, Some("json" | "jsonb")) => ColumnKind::ArrayOfJson,
        (_, _, "A") => ColumnKind::Array,
        (_, "c", _) => ColumnKind::Composite,
        _ => ColumnKind::Scalar,
    }
}

async fn read_indexes(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
    out: &mut BTreeMap<TableName, TableFacts>,
) -> Result<(), StoreError> {
    for record in tx.query(&named(INDEXES, tables)).await? {
        let Some(facts) = out.get_mut(&table_of(&record)) else { continue };
        let names = record.texts(4).iter().map(|name| Some(name.clone()).filter(|name| !name.is_empty()));
        let index = UniqueIndex {
            name: text(&record, 2),
            parts: names.zip(record.texts(5).iter().cloned()).collect(),
            predicate: record.text(6).map(str::to_owned),
            nulls_equal: record.is_true(7),
            deferrable: record.is_true(8),
            primary: record.is_true(3),
            exclusion: record.texts(9).to_vec(),
        };
        let columns: Option<Vec<String>> = index.parts.iter().map(|(column, _)| column.clone()).collect();
        match columns.filter(|_| index.predicate.is_none() && (index.exclusion.is_empty() || index.primary)) {
            Some(columns) if index.primary => facts.primary_key = columns,
            Some(columns) => facts.unique_keys.push(columns),
            None => {}
        }
        facts.unique.push(index);
    }
    Ok(())
}

async fn read_foreign_keys(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
    out: &mut BTreeMap<TableName, TableFacts>,
) -> Result<(), StoreError> {
    let on_change = |code: Option<&str>| match code {
        Some("c") => OnChange::Cascade,
        Some("n") => OnChange::SetNull,
        Some("d") => OnChange::SetDefault,
        Some(_) | None => OnChange::Refuse,
    };
    for record in tx.query(&named(FOREIGN_KEYS, tables)).await? {
        let key = ForeignKey {
            name: text(&record, 2),
            from: table_of(&record),
            columns: record.texts(5).to_vec(),
            to: TableName::new(text(&record, 3), text(&record, 4)),
            to_columns: record.texts(6).to_vec(),
            equal: record.texts(7).to_vec(),
            restricts: record.text(8) == Some("r") || record.text(9) == Some("r"),
            on_delete: on_change(record.text(8)),
            empties: if record.texts(14).is_empty() { record.texts(5).to_vec() } else { record.texts(14).to_vec() },
            on_update: on_change(record.text(9)),
            match_full: record.is_true(10),
            deferrable: record.is_true(11),
        };
        if let Some(facts) = out.get_mut(&key.from).filter(|_| record.is_true(12)) {
            facts.foreign_keys.push(key.clone());
        }
        if let Some(facts) = out.get_mut(&key.to).filter(|_| record.is_true(13)) {
            facts.referenced_by.push(key);
        }
    }
    Ok(())
}

/// The server's major version.
pub(crate) async fn server_major(tx: &mut dyn Tx) -> Result<i64, StoreError> {
    let sql = Sql::new("SELECT pg_catalog.current_setting('server_version_num')::bigint / 10000");
    Ok(tx.query(&Query::new(sql)).await?.first().and_then(|record| record.int(0)).unwrap_or(0))
}
