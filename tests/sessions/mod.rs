//! Sessions of the client, against a real PostgreSQL of one's own, and against the embedded one over TCP.

mod connecting;

use enact::store::postgres::{ConnectOptions, Postgres};
use enact::store::{Cell, Fault, Param, Query, Record, Relational, Sql, StoreError, TxMode};
use secrecy::SecretString;
use serde_json::json;

use crate::support::postgres::PrivateCluster;
use crate::support::server::Server;

fn cluster() -> PrivateCluster {
    PrivateCluster::start().expect("a PostgreSQL")
}

fn options(conninfo: &str) -> ConnectOptions {
    ConnectOptions::new(SecretString::from(conninfo))
}

async fn connect(cluster: &PrivateCluster) -> Postgres {
    Postgres::connect(&options(&cluster.conninfo("postgres"))).await.expect("a session")
}

/// A session, and the server that has no other.
async fn alone() -> (Server, Postgres) {
    let server = Server::start().await;
    let session = Postgres::connect(&options(&server.conninfo())).await.expect("a session");
    (server, session)
}

async fn refused_by(conninfo: &str) -> StoreError {
    match Postgres::connect(&options(conninfo)).await {
        Ok(_) => panic!("it should not connect: {conninfo}"),
        Err(error) => error,
    }
}

fn sql(text: &'static str) -> Query {
    Query::new(Sql::new(text))
}

async fn run(session: &mut Postgres, text: &'static str) -> Vec<Record> {
    session.query(&sql(text)).await.expect(text)
}

async fn fails(session: &mut Postgres, query: &Query) -> StoreError {
    session.query(query).await.expect_err("it should fail")
}

/// Ends the other session of the cluster and waits until the server has none of it left.
async fn kill(killer: &mut Postgres, pid: i64) {
    let query = sql("SELECT pg_terminate_backend($1::bigint::int, 10000)").bind(Param::Int(pid));
    assert!(killer.query(&query).await.expect("terminated")[0].is_true(0));
}

async fn pid(session: &mut Postgres) -> i64 {
    run(session, "SELECT pg_backend_pid()").await[0].int(0).expect("a pid")
}

#[test]
async fn values_go_in_and_come_out_as_they_are() {
    let (_server, mut session) = alone().await;
    let hostile = "'; DROP TABLE t; --\\ \" $1 \u{1F600}";
    let document = json!({"a": [1, 1.5, null, {"b": hostile}], "big": 9_007_199_254_740_993_i64});
    let query = sql("SELECT $1, $2, $3, $4, $5, $6, $7::text::numeric::text, 'x'::name, 'y'::varchar, 3::smallint, 4::int, NULL::bool")
        .bind(Param::Null)
        .bind(Param::Bool(true))
        .bind(Param::Int(i64::MIN))
        .bind(Param::Text(hostile.to_owned()))
        .bind(Param::Texts(vec![hostile.to_owned(), String::new()]))
        .bind(Param::Json(document.clone()))
        .bind(Param::Text("12345678901234567890.123456789".to_owned()));
    let row = session.query(&query).await.expect("a row").remove(0);
    let cells: Vec<Cell> = row.0.into_iter().map(|(_, cell)| cell).collect();
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(
        cells,
        [
            Cell::Null,
            Cell::Bool(true),
            Cell::Int(i64::MIN),
            text(hostile),
            Cell::Texts(vec![hostile.to_owned(), String::new()]),
            Cell::Json(document),
            text("12345678901234567890.123456789"),
            text("x"),
            text("y"),
            Cell::Int(3),
            Cell::Int(4),
            Cell::Null,
        ]
    );
}

#[test(postgres)]
async fn the_same_value_gives_the_same_text_for_every_role() {
    let cluster = cluster();
    let mut owner = connect(&cluster).await;
    run(&mut owner, "ALTER ROLE enact_admin SET TimeZone = 'Asia/Tokyo'").await;
    run(&mut owner, "ALTER ROLE enact_admin SET DateStyle = 'SQL, DMY'").await;
    run(&mut owner, "ALTER ROLE enact_admin SET search_path = public").await;
    run(&mut owner, "ALTER ROLE enact_admin SET synchronous_commit = off").await;
    let mut session = connect(&cluster).await;
    let row = run(&mut session, "SELECT '2026-01-02 03:04:05+00'::timestamptz::text, '90 days 3 hours'::interval::text, \
        0.1::float8::text, '\\xff'::bytea::text, current_setting('search_path'), current_setting('synchronous_commit'), \
        current_setting('application_name')").await.remove(0);
    let texts: Vec<_> = (0..7).map(|i| row.text(i).unwrap_or_default()).collect();
    assert_eq!(texts, ["2026-01-02 03:04:05+00", "90 days 03:00:00", "0.1", "\\xff", "pg_catalog", "on", "enact"]);
    assert!(session.server().version.starts_with(|c: char| c.is_ascii_digit()));
}

#[test]
async fn a_result_that_cannot_be_read_is_refused_before_it_is_done() {
    let (_server, mut session) = alone().await;
    run(&mut session, "CREATE TABLE public.t (n numeric)").await;
    let error = fails(&mut session, &sql("INSERT INTO public.t VALUES (1) RETURNING n AS amount")).await;
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.contains("\"amount\" has the type numeric"), "{error}");
    assert_eq!(run(&mut session, "SELECT count(*) FROM public.t").await[0].int(0), Some(0));
    let error = fails(&mut session, &sql("SELECT ARRAY['a', NULL]")).await;
    assert_eq!(error.fault, Fault::Refused);
    let error = fails(&mut session, &sql("SELECT $1, $2").bind(Param::Int(1))).await;
    assert_eq!(error.fault, Fault::Refused);
}

#[test]
async fn a_dropped_transaction_is_rolled_back_and_leaves_a_clean_session() {
    let (_server, mut session) = alone().await;
    run(&mut session, "CREATE TABLE public.t (n int)").await;
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("INSERT INTO public.t VALUES (1)")).await.expect("inserted");
    drop(tx);
    assert_eq!(run(&mut session, "SELECT count(*) FROM public.t").await[0].int(0), Some(0));
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("INSERT INTO public.t VALUES (2)")).await.expect("inserted");
    tx.commit().await.expect("committed");
    let mut tx = session.begin(TxMode::Snapshot).await.expect("begun");
    let error = tx.query(&sql("INSERT INTO public.t VALUES (3)")).await.expect_err("read only");
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Refused, Some("25006")));
    tx.rollback().await.expect("rolled back");
    assert_eq!(run(&mut session, "SELECT count(*) FROM public.t").await[0].int(0), Some(1));
}

#[test(postgres)]
async fn a_future_dropped_in_the_middle_leaves_a_clean_session() {
    let cluster = cluster();
    let mut session = connect(&cluster).await;
    {
        let mut begin = session.begin(TxMode::ReadWrite);
        let once = std::future::poll_fn(|context| std::task::Poll::Ready(begin.as_mut().poll(context).is_pending()));
        assert!(once.await, "BEGIN is under way");
    }
    run(&mut session, "CREATE TABLE public.t (n int)").await;
    let mut other = connect(&cluster).await;
    assert_eq!(run(&mut other, "SELECT count(*) FROM public.t").await[0].int(0), Some(0));
}

#[test]
async fn a_failed_transaction_cannot_be_committed() {
    let (_server, mut session) = alone().await;
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("CREATE TABLE public.t (n int)")).await.expect("created");
    tx.query(&sql("SELECT 1/0")).await.expect_err("fails");
    let error = tx.commit().await.expect_err("nothing to commit");
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.contains("rolled back"), "{error}");
    assert!(run(&mut session, "SELECT 1 FROM pg_tables WHERE tablename = 't'").await.is_empty());
}

#[test]
async fn a_constraint_that_fails_at_commit_is_a_refusal_with_its_name() {
    let (_server, mut session) = alone().await;
    run(&mut session, "CREATE TABLE public.a (id int PRIMARY KEY)").await;
    run(
        &mut session,
        "CREATE TABLE public.b (a int CONSTRAINT to_a REFERENCES public.a DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("INSERT INTO public.b VALUES (7)")).await.expect("inserted");
    let error = tx.commit().await.expect_err("no such a");
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Refused, Some("23503")));
    assert!(error.message.contains("to_a") && error.message.contains("(a)=(7)"), "{error}");
    assert_eq!(run(&mut session, "SELECT count(*) FROM public.b").await[0].int(0), Some(0));
}

#[test]
async fn a_pipeline_keeps_its_order_and_names_the_first_that_failed() {
    let (_server, mut session) = alone().await;
    let mut queries =
        vec![sql("CREATE TABLE public.t (at int GENERATED ALWAYS AS IDENTITY, n bigint CHECK (n <> 999))")];
    for n in 0..700 {
        queries.push(sql("INSERT INTO public.t (n) VALUES ($1) RETURNING n").bind(Param::Int(n)));
        if n % 100 == 0 {
            queries.push(sql("SELECT count(*) FROM public.t"));
        }
    }
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    let answers = tx.pipeline(&queries).await.expect("all done");
    assert_eq!(answers.len(), queries.len());
    assert_eq!(answers[2][0].int(0), Some(1), "the first count comes after the first insert");
    let unordered = tx.query(&sql("SELECT count(*) FROM public.t WHERE at <> n + 1")).await.expect("counted");
    assert_eq!(unordered[0].int(0), Some(0));
    queries.remove(0);
    queries[500] = sql("INSERT INTO public.t (n) VALUES ($1) RETURNING n").bind(Param::Int(999));
    let (at, error) = tx.pipeline(&queries).await.expect_err("999 is refused");
    assert_eq!((at, error.code.as_deref()), (500, Some("23514")));
    drop(tx);
    assert!(run(&mut session, "SELECT 1 FROM pg_tables WHERE tablename = 't'").await.is_empty());
}

#[test(postgres)]
async fn a_table_that_changed_its_shape_does_not_break_later_statements() {
    let cluster = cluster();
    let mut session = connect(&cluster).await;
    run(&mut session, "CREATE TABLE public.t (n int)").await;
    run(&mut session, "SELECT * FROM public.t").await;
    let mut other = connect(&cluster).await;
    run(&mut other, "ALTER TABLE public.t ADD COLUMN s text").await;
    run(&mut other, "INSERT INTO public.t VALUES (1, 'x')").await;
    assert_eq!(run(&mut session, "SELECT * FROM public.t").await[0].0.len(), 2);
}

#[test(postgres)]
async fn a_lock_is_held_by_one_session_and_says_by_whom() {
    let cluster = cluster();
    let mut holder = connect(&cluster).await;
    let mut options = options(&cluster.conninfo("postgres"));
    options.application_name = "another".to_owned();
    let mut other = Postgres::connect(&options).await.expect("a session");
    let key = -4_611_686_018_427_387_905_i64;
    assert_eq!(other.lock_holder(key).await.expect("asked"), None);
    assert!(holder.try_lock(key).await.expect("asked"));
    assert!(!other.try_lock(key).await.expect("asked"));
    let found = other.lock_holder(key).await.expect("asked").expect("held");
    assert_eq!(found.pid, pid(&mut holder).await);
    assert_eq!((found.user.as_deref(), found.application_name.as_deref()), (Some("enact_admin"), Some("enact")));
    assert!(found.since.is_some());
    holder.close().await;
    let mut third = connect(&cluster).await;
    while !other.try_lock(key).await.expect("asked") {
        run(&mut third, "SELECT pg_sleep(0.01)").await;
    }
    other.unlock(key).await.expect("given back");
    assert_eq!(other.unlock(key).await.expect_err("not held").fault, Fault::Refused);
}

#[test(postgres)]
async fn a_lock_that_another_holds_is_a_conflict_after_the_timeout() {
    let cluster = cluster();
    let mut one = connect(&cluster).await;
    run(&mut one, "CREATE TABLE public.t (n int)").await;
    let mut options = options(&cluster.conninfo("postgres"));
    options.lock_timeout_ms = 50;
    let mut two = Postgres::connect(&options).await.expect("a session");
    let mut tx = one.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("LOCK TABLE public.t")).await.expect("locked");
    let error = fails(&mut two, &sql("SELECT n FROM public.t")).await;
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Conflict, Some("55P03")));
    options.lock_timeout_ms = 0;
    options.statement_timeout_ms = 50;
    let mut three = Postgres::connect(&options).await.expect("a session");
    let error = fails(&mut three, &sql("SELECT n FROM public.t")).await;
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Transient, Some("57014")));
}

#[test(postgres)]
async fn a_lost_connection_is_in_doubt_only_where_something_may_be_kept() {
    let cluster = cluster();
    let mut killer = connect(&cluster).await;

    let mut idle = connect(&cluster).await;
    let victim = pid(&mut idle).await;
    kill(&mut killer, victim).await;
    let error = loop {
        // The client may learn of the end only while it sends; then it cannot know, and says so.
        let error = fails(&mut idle, &sql("SELECT 1")).await;
        if error.code.is_none() && error.fault == Fault::Transient {
            break error;
        }
    };
    assert!(error.message.contains("terminating connection"), "{error}");

    let mut inside = connect(&cluster).await;
    let victim = pid(&mut inside).await;
    let mut tx = inside.begin(TxMode::ReadWrite).await.expect("begun");
    kill(&mut killer, victim).await;
    assert_eq!(tx.query(&sql("SELECT 1")).await.expect_err("lost").fault, Fault::Transient);
    drop(tx);

    let mut alone = connect(&cluster).await;
    let victim = pid(&mut alone).await;
    let dying = sql("SELECT pg_terminate_backend($1::bigint::int, 10000)").bind(Param::Int(victim));
    assert_eq!(fails(&mut alone, &dying).await.fault, Fault::InDoubt);
}

#[test(postgres)]
async fn a_commit_whose_reply_is_lost_is_in_doubt() {
    let cluster = cluster();
    let mut killer = connect(&cluster).await;
    run(&mut killer, "CREATE TABLE public.t (n int)").await;
    run(&mut killer, "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()); PERFORM pg_catalog.pg_sleep(10); RETURN NULL; END $$").await;
    run(
        &mut killer,
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION public.die()",
    )
    .await;
    let mut session = connect(&cluster).await;
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.query(&sql("INSERT INTO public.t VALUES (1)")).await.expect("inserted");
    assert_eq!(tx.commit().await.expect_err("the session dies").fault, Fault::InDoubt);
}
