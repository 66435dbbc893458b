//! A database that one case after the other is played in: to make one for each would take longer than the case.

use tokio_postgres::Client;

use super::super::base::{Server, client, forget};
use super::ddl::{audit_log, ident};
use super::schema::Case;
use super::values::PREPARATION;

const THERE: &str = "CREATE FUNCTION pg_temp.there(value anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$ \
    BEGIN IF value IS NULL THEN RAISE 'nobody is referred to'; END IF; RETURN value; END $$";

/// A database without tables of a case.
pub struct Stage {
    pub conninfo: String,
    pub sql: Client,
    /// Empties what Enact has written down.
    forget: String,
}

impl Stage {
    /// Makes one.
    pub async fn open(server: &mut Server) -> Stage {
        let name = server.database().await;
        let conninfo = server.conninfo(&name);
        let sql = client(&conninfo).await;
        sql.batch_execute(PREPARATION).await.expect("what all cases have");
        sql.batch_execute(THERE).await.expect("a function of the session");
        let forget = forget(&sql).await;
        Stage { conninfo, sql, forget }
    }

    /// Makes the tables of a case; says why where they cannot be made.
    pub async fn set(&self, case: &Case) -> Result<(), String> {
        self.sql.batch_execute(&case.ddl()).await.map_err(|error| format!("{error:?}"))
    }

    /// Takes them away again.
    pub async fn clear(&self, case: &Case) {
        let tables = case.tables.iter().map(|table| table.path()).collect::<Vec<_>>().join(", ");
        let functions = case.tables.iter().flat_map(|table| {
            table.triggers.iter().map(|trigger| format!("public.{}", ident(&table.function(*trigger))))
        });
        let functions: Vec<String> = functions.collect();
        let mut undo = format!("DROP TABLE {tables}, {} CASCADE; ", audit_log());
        if !functions.is_empty() {
            undo.push_str(&format!("DROP FUNCTION {}; ", functions.join(", ")));
        }
        self.sql.batch_execute(&(undo + &self.forget)).await.expect("an empty database");
    }
}
