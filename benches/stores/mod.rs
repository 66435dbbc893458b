//! The stores of the benches: a private native PostgreSQL, and the local vector server in the process of the bench.
#![allow(dead_code, reason = "not every bench uses all of it")]

#[path = "../../tests/support/postgres.rs"]
pub mod postgres;
#[path = "../../tests/support/project.rs"]
pub mod project;

/// What the private PostgreSQL asks of the harness of the suite.
pub mod harness {
    pub enum Mark {
        Postgres,
        Releases,
    }

    pub fn declares(_mark: Mark) -> bool {
        true
    }
}

use std::time::{Duration, Instant};

use enact::store::VectorStore;
use enact::store::qdrant::Qdrant;
use futures::TryStreamExt;
use tokio_postgres::{Client, NoTls};

/// A project whose local servers are started.
pub const LOCAL: &str = "enact: v1\ndefault: local\nenvironments:\n  local: { local: { directory: .enact } }\n";

/// The `enact.yaml` of a bench: documents in this database, vectors on that server.
pub fn environment(conninfo: &str, vectors: &str) -> String {
    format!(
        "enact: v1\ndefault: bench\nenvironments:\n  bench:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    qdrant: {{ url: \"{vectors}\" }}\n    \
         binding: documents\n    embedders: {{ default: {{ kind: static }} }}\n    actor: bench\n    sweep_grace: 0s\n"
    )
}

/// A session of its own on a database.
pub async fn session(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// One `COPY` of id, slug, digest and state, and a scroll of all ids in pages of 10,000.
pub async fn bare_read(client: &Client, qdrant: &Qdrant, set: &str) -> Duration {
    let start = Instant::now();
    let copy =
        "COPY (SELECT id, slug, encode(sha256(convert_to(body, 'UTF8')), 'hex'), status FROM documents) TO STDOUT";
    let rows = client.copy_out(copy).await.expect("COPY TO");
    rows.try_for_each(async |_| Ok(())).await.expect("the rows");
    let mut from = None;
    loop {
        let (_, next) = qdrant.point_ids(set, from.as_ref(), 10_000).await.expect("ids");
        match next {
            Some(next) => from = Some(next),
            None => return start.elapsed(),
        }
    }
}
