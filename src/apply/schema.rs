//! The schema `enact`: what Enact writes down beside the data it governs.
//!
//! | table | holds |
//! | --- | --- |
//! | `meta` | the schema's version and the epoch, a random uuid |
//! | `run` | one row for each run, with the first line of its plan |
//! | `plan_line` | the saved plan of each run by lines, so that a resume needs no file |
//! | `journal` | intents and effects of each run, in order |
//! | `managed` | what earlier applies own, by project, with what later plans need to know; of no project is what was written before version 8 |
//! | `before_image`, `staged_point` | points that an in-place write takes away, and those it brings |
//! | `approval` | who approved which digest |
//! | `managed_before` | what a run found owned of what it changed, so that it can be reverted |
//! | `managed_row` | each declared row by project, table and key, with an MD5 digest of each declared column as the database spells it, and the short values themselves |
//! | `managed_unit`, `managed_point` | the units and points of each vector set; buckets of a point's digest, which its payload has too |
//! | `unit_before`, `point_before` | what a run found of these where it changed them |
//! | `managed_table` | by project and table, a digest of the keys that its rows are declared by, and the parts that are synced |
//!
//! Version 2 keeps with each run what its preflight found, version 3 has `managed_before`. Version 4 says of an approval from
//! where it was given and when it was revoked, and holds that nobody approves in the name of another role. Version 5 writes down declared rows.
//! Version 6 keeps what a plan counts beside it, so that a list of runs reads no plan.
//! Version 7 keeps plans by lines; those of older runs stand whole in `run`. Version 8 writes down short values of rows and what is
//! synced, and says of everything whose it is. Version 9 has tables for units and points, which were JSON before.
//! Version 10 keeps a digest of each unit as it was read when it was indexed, and one of what the rows of
//! a table are declared with; what is managed can be read without the units of promotions.

use crate::store::{Param, Query, Relational, Sql, StoreError, Tx, TxMode};

/// The version that this Enact writes.
pub const SCHEMA_VERSION: i64 = 10;
/// The version that keeps what a run's plan counted beside the plan.
pub(super) const WITH_SUMMARY: i64 = 6;

const STATEMENTS: [&str; 9] = [
    "CREATE SCHEMA IF NOT EXISTS enact",
    "CREATE TABLE IF NOT EXISTS enact.meta (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL, epoch text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS enact.run (run_id text PRIMARY KEY, plan_digest text NOT NULL, environment text NOT NULL, \
     actor text NOT NULL, runner text NOT NULL, plan text NOT NULL, opened_at timestamptz NOT NULL DEFAULT now(), \
     closed_at timestamptz, outcome text)",
    "CREATE TABLE IF NOT EXISTS enact.journal (run_id text NOT NULL REFERENCES enact.run, seq bigint NOT NULL, entry jsonb NOT NULL, \
     written_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), PRIMARY KEY (run_id, seq))",
    "CREATE TABLE IF NOT EXISTS enact.managed (address text PRIMARY KEY, digest text NOT NULL, attributes jsonb NOT NULL, \
     run_id text NOT NULL REFERENCES enact.run)",
    "CREATE TABLE IF NOT EXISTS enact.before_image (run_id text NOT NULL REFERENCES enact.run, collection text NOT NULL, \
     point_id text NOT NULL, point jsonb NOT NULL, PRIMARY KEY (run_id, collection, point_id))",
    "CREATE TABLE IF NOT EXISTS enact.staged_point (run_id text NOT NULL REFERENCES enact.run, collection text NOT NULL, \
     point_id text NOT NULL, point jsonb NOT NULL, PRIMARY KEY (run_id, collection, point_id))",
    "CREATE TABLE IF NOT EXISTS enact.approval (plan_digest text NOT NULL, approver text NOT NULL, \
     approved_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz, PRIMARY KEY (plan_digest, approver))",
    "CREATE INDEX IF NOT EXISTS run_plan_digest_idx ON enact.run (plan_digest)",
];

/// What each version adds to the one before, in order. Every statement adds and can be run again.
const UPGRADES: [(i64, &[&str]); 9] = [
    (2, &["ALTER TABLE enact.run ADD COLUMN IF NOT EXISTS preflight jsonb"]),
    (
        3,
        &[
            "CREATE TABLE IF NOT EXISTS enact.managed_before (run_id text NOT NULL REFERENCES enact.run, address text NOT NULL, \
           digest text NOT NULL, attributes jsonb NOT NULL, PRIMARY KEY (run_id, address))",
        ],
    ),
    (4, &APPROVALS),
    (
        5,
        &[
            "CREATE TABLE IF NOT EXISTS enact.managed_row (project text NOT NULL, relation text NOT NULL, key jsonb NOT NULL, \
             digests jsonb NOT NULL, run_id text NOT NULL, PRIMARY KEY (project, relation, key))",
            "CREATE TABLE IF NOT EXISTS enact.managed_table (project text NOT NULL, relation text NOT NULL, declared text NOT NULL, \
             PRIMARY KEY (project, relation))",
        ],
    ),
    (
        WITH_SUMMARY,
        &[
            "ALTER TABLE enact.run ADD COLUMN IF NOT EXISTS summary jsonb",
            "UPDATE enact.run SET summary = plan::jsonb->'summary' WHERE summary IS NULL AND pg_catalog.starts_with(plan, '{')",
        ],
    ),
    (
        7,
        &[
            "CREATE TABLE IF NOT EXISTS enact.plan_line (run_id text NOT NULL REFERENCES enact.run, seq bigint NOT NULL, \
             line text NOT NULL, PRIMARY KEY (run_id, seq))",
        ],
    ),
    (
        8,
        &[
            "ALTER TABLE enact.managed_row ADD COLUMN IF NOT EXISTS texts jsonb",
            "ALTER TABLE enact.managed_table ADD COLUMN IF NOT EXISTS synced jsonb",
            "ALTER TABLE enact.managed ADD COLUMN IF NOT EXISTS project text NOT NULL DEFAULT ''",
            "ALTER TABLE enact.managed DROP CONSTRAINT IF EXISTS managed_pkey",
            "CREATE UNIQUE INDEX IF NOT EXISTS managed_project_address_idx ON enact.managed (project, address)",
        ],
    ),
    (9, &super::schema_points::STATEMENTS),
    (
        10,
        &[
            "ALTER TABLE enact.managed_unit ADD COLUMN IF NOT EXISTS seen bytea",
            "ALTER TABLE enact.managed_table ADD COLUMN IF NOT EXISTS contents text",
            "ALTER TABLE enact.managed ADD COLUMN IF NOT EXISTS brief jsonb \
             GENERATED ALWAYS AS (CASE WHEN pg_catalog.jsonb_typeof(attributes) = 'object' THEN attributes - 'units' END) STORED",
        ],
    ),
];

/// Whoever may write approvals writes their own only. A later statement of another role is refused, not corrected.
const APPROVALS: [&str; 4] = [
    "ALTER TABLE enact.approval ADD COLUMN IF NOT EXISTS client text, ADD COLUMN IF NOT EXISTS revoked_at timestamptz",
    "CREATE OR REPLACE FUNCTION enact.own_approval() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN \
     IF TG_OP = 'INSERT' THEN NEW.approver := session_user; NEW.approved_at := now(); RETURN NEW; END IF; \
     IF OLD.approver <> session_user OR NEW.approver <> OLD.approver OR NEW.plan_digest <> OLD.plan_digest THEN \
     RAISE EXCEPTION 'approval of % is not that of %', OLD.approver, session_user USING ERRCODE = 'insufficient_privilege'; END IF; \
     RETURN NEW; END $$",
    "DROP TRIGGER IF EXISTS own_approval ON enact.approval",
    "CREATE TRIGGER own_approval BEFORE INSERT OR UPDATE ON enact.approval FOR EACH ROW EXECUTE FUNCTION enact.own_approval()",
];

/// What an owner has to run where the role may not create a schema; these roles may use it then. It may be run again, and
/// on an older version.
pub fn init_sql(grant_to: &[String]) -> String {
    let mut out = String::from("BEGIN;\n");
    for statement in STATEMENTS {
        out.push_str(statement);
        out.push_str(";\n");
    }
    for statement in UPGRADES.iter().flat_map(|(_, statements)| *statements) {
        out.push_str(statement);
        out.push_str(";\n");
    }
    out.push_str(&format!(
        "INSERT INTO enact.meta (version, epoch) VALUES ({SCHEMA_VERSION}, gen_random_uuid()::text) \
         ON CONFLICT (one) DO UPDATE SET version = greatest(enact.meta.version, excluded.version);\n"
    ));
    for role in grant_to {
        let grant = Sql::new("GRANT USAGE ON SCHEMA enact TO ")
            .ident(role)
            .text(";\nGRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA enact TO ")
            .ident(role)
            .text(";\n");
        out.push_str(grant.as_str());
    }
    out.push_str("COMMIT;\n");
    out
}

/// The version of the schema; `None` where there is none.
///
/// # Errors
/// Those of the store.
pub async fn schema_version(store: &mut dyn Relational) -> Result<Option<i64>, StoreError> {
    let there = Query::new(Sql::new("SELECT pg_catalog.to_regclass('enact.meta') IS NOT NULL"));
    if !store.query(&there).await?.first().is_some_and(|record| record.is_true(0)) {
        return Ok(None);
    }
    let records = store.query(&Query::new(Sql::new("SELECT version FROM enact.meta"))).await?;
    Ok(records.first().and_then(|record| record.int(0)))
}

/// Creates the schema where it is missing, and brings an older one up to this version. Gives whether it was made now.
///
/// # Errors
/// Those of the store; a schema of a newer Enact is refused.
pub async fn init(store: &mut dyn Relational) -> Result<bool, StoreError> {
    // Asked for first: a role that may not create anything needs nothing of what follows.
    if schema_version(store).await? == Some(SCHEMA_VERSION) {
        return Ok(false);
    }
    create_or_upgrade(store).await.map_err(|error| match error.code.as_deref() {
        Some(NOT_PERMITTED) => error.hint("enact init --print-sql --grant-to ROLE writes what an owner has to run"),
        Some(_) | None => error,
    })
}

/// SQLSTATE `insufficient_privilege`.
const NOT_PERMITTED: &str = "42501";

async fn create_or_upgrade(store: &mut dyn Relational) -> Result<bool, StoreError> {
    let mut tx = store.begin(TxMode::ReadWrite).await?;
    for statement in STATEMENTS {
        tx.query(&Query::new(Sql::new(statement))).await?;
    }
    let sql = "INSERT INTO enact.meta (version, epoch) VALUES ($1, pg_catalog.gen_random_uuid()::text) \
               ON CONFLICT DO NOTHING RETURNING epoch";
    let made = tx.query(&Query::new(Sql::new(sql)).bind(Param::Int(SCHEMA_VERSION))).await?;
    let version = tx.query(&Query::new(Sql::new("SELECT version FROM enact.meta"))).await?;
    let version = version.first().and_then(|record| record.int(0)).unwrap_or(0);
    if version > SCHEMA_VERSION {
        return Err(StoreError::new(
            crate::store::Fault::Refused,
            format!("schema \"enact\" has version {version}, and this Enact knows {SCHEMA_VERSION}"),
        )
        .hint("use the newer Enact that made it"));
    }
    // A schema made now has what every version added as well.
    let from = if made.is_empty() { version } else { 0 };
    upgrade_from(tx.as_mut(), from).await?;
    tx.commit().await?;
    Ok(!made.is_empty())
}

/// Brings an older schema up to this version; does nothing where it is.
///
/// # Errors
/// Those of the store: a role that does not own the schema may not.
pub async fn upgrade(store: &mut dyn Relational) -> Result<(), StoreError> {
    let records = store.query(&Query::new(Sql::new("SELECT version FROM enact.meta"))).await?;
    let version = records.first().and_then(|record| record.int(0)).unwrap_or(SCHEMA_VERSION);
    if version >= SCHEMA_VERSION {
        return Ok(());
    }
    let mut tx = store.begin(TxMode::ReadWrite).await?;
    let doing = format!("upgrading the schema \"enact\" from version {version} to {SCHEMA_VERSION}");
    upgrade_from(tx.as_mut(), version)
        .await
        .map_err(|error| error.context(&doing).hint("run enact init as its owner"))?;
    tx.commit().await
}

/// Brings an older schema up to this version where the role may do that; where it may not, what reads the schema says so.
///
/// # Errors
/// Those of the store, but for a missing right.
pub async fn upgrade_where_possible(store: &mut dyn Relational) -> Result<(), StoreError> {
    if schema_version(store).await?.is_none_or(|version| version >= SCHEMA_VERSION) {
        return Ok(());
    }
    match upgrade(store).await {
        Err(error) if error.code.as_deref() != Some(NOT_PERMITTED) => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

async fn upgrade_from(tx: &mut dyn Tx, version: i64) -> Result<(), StoreError> {
    for statement in UPGRADES.iter().filter(|(to, _)| *to > version).flat_map(|(_, statements)| *statements) {
        tx.query(&Query::new(Sql::new(statement))).await?;
    }
    let query = Query::new(Sql::new("UPDATE enact.meta SET version = $1 WHERE version < $1"));
    tx.query(&query.bind(Param::Int(SCHEMA_VERSION))).await.map(|_| ())
}
