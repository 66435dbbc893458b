//! Connections that are refused, lost or to the embedded server.

use std::sync::LazyLock;

use super::*;

#[test(postgres)]
async fn a_connection_that_is_refused_says_why_and_what_to_do() {
    let cluster = cluster();
    let mut owner = connect(&cluster).await;
    run(&mut owner, "CREATE ROLE guarded LOGIN PASSWORD 'right'").await;
    let hba = run(&mut owner, "SHOW hba_file").await[0].text(0).expect("a file").to_owned();
    let rules = "local all guarded scram-sha-256\nlocal all all trust\n";
    // The server writes it: the file is its own.
    let copy = format!("COPY (SELECT unnest(string_to_array('{rules}', E'\\n'))) TO '{hba}'");
    owner.query(&Query::new(Sql::new("").trusted(&copy))).await.expect("written");
    run(&mut owner, "SELECT pg_reload_conf()").await;
    while run(&mut owner, "SELECT 1 FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'").await.is_empty() {}
    let base = cluster.conninfo_as("guarded", "postgres");

    let error = loop {
        // The postmaster reads the file when it gets to it.
        if let Err(error) = Postgres::connect(&options(&base)).await {
            break error;
        }
    };
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.contains("asks for a password for \"guarded\""), "{error}");
    assert!(error.hint.expect("a hint").contains("PGPASSWORD"));

    let error = refused_by(&format!("{base} password=wr0ng")).await;
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Refused, Some("28P01")));
    assert!(!error.message.contains("wr0ng"));
    let mut with_password = options(&base);
    with_password.password = Some(SecretString::from("right"));
    assert_eq!(Postgres::connect(&with_password).await.expect("a session").server().role, "guarded");
}

#[test(postgres)]
async fn what_is_not_there_is_named() {
    let cluster = cluster();
    let error = refused_by(&cluster.conninfo("nowhere")).await;
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Refused, Some("3D000")));
    let error = refused_by(&cluster.conninfo_as("nobody_here", "postgres")).await;
    assert_eq!((error.fault, error.code.as_deref()), (Fault::Refused, Some("28000")));
    let error = refused_by("host=/nonexistent dbname=x user=x").await;
    assert_eq!(error.fault, Fault::Transient);
    assert!(error.message.contains("the socket file is not there"), "{error}");
}

/// A port of loopback on which nobody listens.
static CLOSED: LazyLock<u16> = LazyLock::new(|| {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
});

#[test]
async fn a_server_that_cannot_be_reached_is_told_from_a_name_that_is_not_known() {
    let error = refused_by(&format!("host=127.0.0.1 port={} user=x dbname=x", *CLOSED)).await;
    assert_eq!(error.fault, Fault::Transient);
    assert!(error.message.ends_with("connection refused"), "{error}");
    let error = refused_by("host=no-such-host.invalid user=x dbname=x").await;
    assert!(error.message.ends_with("the host name is not known"), "{error}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"N").await;
        }
    });
    let error = refused_by(&format!("host=127.0.0.1 port={port} user=x dbname=x sslmode=require")).await;
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.contains("does not support TLS"), "{error}");
}

#[cfg(feature = "embedded")]
#[test]
async fn the_embedded_server_is_the_same_to_us() {
    use enact::local::PostgresServer;

    let directory = tempfile::tempdir().expect("a directory");
    let server = PostgresServer::start(directory.path(), ([127, 0, 0, 1], 0).into()).await.expect("a server");
    let mut session = Postgres::connect(&options(&server.conninfo())).await.expect("a session");
    assert!(session.try_lock(7).await.expect("asked"));
    run(&mut session, "CREATE TABLE public.t (n bigint)").await;
    let inserts: Vec<_> = (0..300).map(|n| sql("INSERT INTO public.t VALUES ($1)").bind(Param::Int(n))).collect();
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    tx.pipeline(&inserts).await.expect("inserted");
    tx.commit().await.expect("committed");
    let mut tx = session.begin(TxMode::ReadWrite).await.expect("begun");
    let (at, error) =
        tx.pipeline(&[inserts[0].clone(), sql("SELECT 1/0"), inserts[1].clone()]).await.expect_err("fails");
    assert_eq!((at, error.code.as_deref()), (1, Some("22012")));
    assert!(tx.commit().await.is_err());
    assert_eq!(run(&mut session, "SELECT count(*) FROM public.t").await[0].int(0), Some(300));
    session.close().await;
    let mut next = Postgres::connect(&options(&server.conninfo())).await.expect("the one session is free again");
    assert!(next.try_lock(7).await.expect("asked"));
    next.close().await;
    server.shutdown().await.expect("stopped");
}
