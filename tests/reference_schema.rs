//! The reference schema on both kinds of PostgreSQL: a real server and the embedded one.

use std::net::{Ipv4Addr, SocketAddr};

use enact::local::{PostgresServer, schema};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::support::postgres::PrivateCluster;

async fn connect(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn load_all(client: &mut Client) {
    let transaction = client.transaction().await.unwrap();
    let all = schema::iu_core_sql().iter().copied().chain([schema::fixture_sql(), schema::documents_sql()]);
    for (name, sql) in all {
        transaction.batch_execute(sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    transaction.commit().await.unwrap();
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn answer(client: &Client, sql: &str) -> Value {
    client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

async fn status(client: &Client, sql: &str) -> Value {
    answer(client, sql).await["status"].clone()
}

async fn the_counts_are_the_fields(client: &Client) {
    for (sql, expected) in [
        ("SELECT count(*) FROM information_unit", 163),
        ("SELECT count(*) FROM unit_version", 163),
        ("SELECT count(*) FROM information_unit WHERE lifecycle_status = 'draft'", 151),
        ("SELECT count(*) FROM information_unit WHERE lifecycle_status = 'deprecated'", 12),
        ("SELECT count(*) FROM information_unit WHERE doc_code IN ('DIEU-28','DIEU-32','DIEU-35')", 86),
        ("SELECT count(*) FROM unit_version WHERE body = ''", 5),
        (
            "SELECT count(*) FROM information_unit WHERE NOT (fn_iu_verify_invariants(canonical_address)->>'all_pass')::boolean",
            0,
        ),
        ("SELECT count(*) FROM iu_vector_sync_point", 0),
        ("SELECT count(*) FROM iu_lifecycle_log", 0),
        ("SELECT count(*) FROM dot_config", 14),
        ("SELECT count(*) FROM cutter_governance.manifest_envelope", 0),
        ("SELECT count(*) FROM documents", 0),
    ] {
        assert_eq!(number(client, sql).await, expected, "{sql}");
    }
    assert_eq!(answer(client, "SELECT fn_iu_gate_verify_closed()").await["all_safe"], json!(true));
}

const REVIEW: &str = "
    INSERT INTO cutter_governance.manifest_envelope (envelope_id, operation_kind, status, source_doc_ref, created_by, created_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 'cut', 'applied', 'test', 'test', now());
    INSERT INTO cutter_governance.review_decision (review_decision_id, governance_event_kind, manifest_id, manifest_version, review_scope,
      status, verdict, findings, reviewer_class, reviewer_identity, risk_class_assessment, decision_at, decided_by,
      cross_signed_by_dot_verifier, version, created_at, updated_at)
    VALUES ('00000000-0000-0000-0000-000000000002', 'test', '00000000-0000-0000-0000-000000000001', '1', 'test', 'decided', 'approve',
      '[]', 'sovereign', '{}', 'low', now(), 'test', false, '1.0.0', now(), now());";

async fn amending_keeps_every_invariant(client: &Client) {
    let amend =
        |title: &str, body: &str| format!("SELECT fn_iu_amend('ICX-CONST/DIEU-2', '{title}', '{body}', 'tester')");
    let state = "SELECT jsonb_build_array(u.lifecycle_status, v.lifecycle_status, v.version_seq, u.identity_profile->>'title', v.body,
                   v.content_hash = fn_content_hash(v.body), v.enacted_at IS NOT NULL, u.content_anchor_ref = v.id::text, u.updated_by)
                 FROM information_unit u JOIN unit_version v ON v.id = u.version_anchor_ref WHERE canonical_address = 'ICX-CONST/DIEU-2'";

    assert_eq!(status(client, &amend("Article 2", "one")).await, "amended");
    assert_eq!(status(client, &amend("Article 2", "one")).await, "unchanged");
    assert_eq!(
        answer(client, state).await,
        json!(["draft", "draft", 2, "Article 2", "one", true, false, true, "tester"])
    );

    client.batch_execute(REVIEW).await.unwrap();
    let enact = "SELECT fn_iu_enact('ICX-CONST/DIEU-2', 'tester', '00000000-0000-0000-0000-000000000002')";
    assert_eq!(status(client, enact).await, "enacted");
    assert_eq!(status(client, &amend("Article 2", "two")).await, "amended");
    assert_eq!(status(client, &amend("Article Two", "two")).await, "amended");
    assert_eq!(
        answer(client, state).await,
        json!(["enacted", "enacted", 4, "Article Two", "two", true, true, true, "tester"])
    );
    let retire = "SELECT fn_iu_retire('ICX-CONST/DIEU-2', 'tester', '00000000-0000-0000-0000-000000000002')";
    assert_eq!(status(client, retire).await, "retired");

    assert_eq!(status(client, &amend("Article 2", "three")).await, "not_amendable");
    assert_eq!(status(client, "SELECT fn_iu_amend('nobody', 't', 'b', 'tester')").await, "iu_not_found");
    assert_eq!(status(client, "SELECT fn_iu_amend('ICX-CONST/DIEU-3', 't', NULL, 'tester')").await, "invalid_input");
    let broken = "SELECT count(*) FROM information_unit WHERE NOT (fn_iu_verify_invariants(canonical_address)->>'all_pass')::boolean";
    assert_eq!(number(client, broken).await, 0);
}

async fn the_guards_hold_after_the_tooling(client: &Client) {
    let place =
        |address: &str, parent: &str| format!("SELECT fn_iu_place('{address}', 'DOC', 7, 's1', {parent}, 'tester')");
    for (sql, expected) in [
        (place("ICX-CONST/DIEU-3", "'ICX-CONST/DIEU-4'"), "placed"),
        (place("ICX-CONST/DIEU-3", "'ICX-CONST/DIEU-4'"), "unchanged"),
        (place("ICX-CONST/DIEU-4", "'ICX-CONST/DIEU-3'"), "parent_is_descendant"),
        (place("ICX-CONST/DIEU-4", "'ICX-CONST/DIEU-4'"), "parent_is_descendant"),
        (place("ICX-CONST/DIEU-4", "'nobody'"), "parent_not_found"),
        (place("nobody", "NULL"), "iu_not_found"),
        (place("ICX-CONST/DIEU-3", "NULL"), "placed"),
    ] {
        assert_eq!(status(client, &sql).await, expected, "{sql}");
    }
    let direct = "UPDATE information_unit SET doc_code = 'X' WHERE canonical_address = 'ICX-CONST/DIEU-3'";
    let refused = client.batch_execute(direct).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().starts_with("IU Gateway blocked"), "{refused:?}");
}

#[test(postgres)]
async fn the_reference_schema_works_on_a_real_server() {
    let mut cluster = PrivateCluster::start().unwrap();
    cluster.create_database("iu core").unwrap();
    let mut client = connect(&cluster.conninfo("'iu core'")).await;
    load_all(&mut client).await;
    the_counts_are_the_fields(&client).await;
    amending_keeps_every_invariant(&client).await;
    the_guards_hold_after_the_tooling(&client).await;

    cluster.kill();
    cluster.restart().unwrap();
    let client = connect(&cluster.conninfo("'iu core'")).await;
    assert_eq!(number(&client, "SELECT count(*) FROM iu_lifecycle_log").await, 2);
    let role = connect(&cluster.conninfo_as("directus", "'iu core'")).await;
    assert_eq!(status(&role, "SELECT fn_iu_amend('pilot.1', 'as its owner', 'b', 'tester')").await, "amended");
}

#[test]
async fn the_reference_schema_works_on_the_embedded_server() {
    let temp = tempfile::tempdir().unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = PostgresServer::start(&temp.path().join("postgres"), any).await.unwrap();
    let mut client = connect(&server.conninfo()).await;
    load_all(&mut client).await;
    the_counts_are_the_fields(&client).await;
    amending_keeps_every_invariant(&client).await;
    the_guards_hold_after_the_tooling(&client).await;
    drop(client);
    server.shutdown().await.unwrap();
}
