//! Against the local server over the wire, and against servers that are something else.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::store::Fault;

fn options(url: &str) -> QdrantOptions {
    QdrantOptions { url: SecretString::from(url), api_key: None, timeout_ms: 10_000, retry_ms: 0, ca: None }
}

async fn refused_by(options: &QdrantOptions) -> StoreError {
    match Qdrant::connect(options).await {
        Ok(_) => panic!("it should not connect"),
        Err(error) => error,
    }
}

/// A server that answers each connection with these bytes, once it has read something.
async fn answering(bytes: &'static [u8]) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0u8; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test]
async fn what_is_not_qdrant_is_told_apart() {
    let rest = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let error = refused_by(&options(&format!("http://{rest}"))).await;
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.message.ends_with("this port speaks HTTP/1.1, not gRPC"), "{error}");

    let tls = answering(&[0x15, 3, 1, 0, 2, 2, 22]).await;
    let error = refused_by(&options(&format!("http://{tls}"))).await;
    assert_eq!(error.hint.as_deref(), Some("write https:// instead of http://"), "{error}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let error = refused_by(&options(&format!("http://{closed}"))).await;
    assert_eq!(error.fault, Fault::Transient);
    assert!(error.message.ends_with("connection refused"), "{error}");

    let error = refused_by(&options("http://no-such-host.invalid:6334")).await;
    assert!(error.message.ends_with("the host name is not known"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_no_header_is_not_shown() {
    let mut with_key = options("http://127.0.0.1:1");
    with_key.api_key = Some(SecretString::from("s3cret\nx"));
    let error = refused_by(&with_key).await;
    assert_eq!(error.fault, Fault::Refused);
    assert!(!error.message.contains("s3cret"));
}

#[cfg(feature = "embedded")]
mod local {
    use std::collections::HashMap;

    use qdrant_client::qdrant::{self as proto, vectors_config};
    use serde_json::json;

    use super::*;
    use crate::local::qdrant::QdrantServer;
    use crate::model::{CollectionMetadata, VectorParams};
    use crate::store::{NamedVector, SparseVector};

    struct Here {
        store: Qdrant,
        url: String,
        server: QdrantServer,
        _directory: tempfile::TempDir,
    }

    async fn start() -> Here {
        let directory = tempfile::tempdir().expect("a directory");
        let server = QdrantServer::start(directory.path(), ([127, 0, 0, 1], 0).into()).await.expect("a server");
        let url = server.url();
        let store = Qdrant::connect(&options(&url)).await.expect("a connection");
        Here { store, url, server, _directory: directory }
    }

    fn spec(name: &str) -> CollectionSpec {
        CollectionSpec {
            name: name.to_owned(),
            vectors: BTreeMap::from([
                ("dense".to_owned(), VectorParams::Dense { dimension: 3, distance: "dot".to_owned() }),
                ("text".to_owned(), VectorParams::Sparse { idf: true }),
            ]),
            payload_indexes: BTreeMap::from([
                ("unit_id".to_owned(), "uuid".to_owned()),
                ("title".to_owned(), "keyword".to_owned()),
            ]),
            metadata: BTreeMap::from([("enact.epoch".to_owned(), "e-1".to_owned())]),
            like: None,
        }
    }

    fn uuid(last: u8) -> PointId {
        PointId::Uuid(uuid::Uuid::from_u128(u128::from(last)))
    }

    fn point(id: PointId, dense: [f32; 3], term: u32) -> Point {
        let payload = json!({
            "title": "'; DROP --\u{1F600}", "n": 9_007_199_254_740_993_i64, "f": 1.0,
            "deep": {"a": [null, {"b": 1.5}], "": []},
        });
        let serde_json::Value::Object(payload) = payload else { panic!("an object") };
        let text = SparseVector { indices: vec![1, term], values: vec![0.5, 2.0] };
        let vectors = BTreeMap::from([
            ("dense".to_owned(), NamedVector::Dense(dense.to_vec())),
            ("text".to_owned(), NamedVector::Sparse(text)),
        ]);
        Point { id, vectors, payload }
    }

    fn three() -> Vec<Point> {
        vec![
            point(PointId::Number(7), [1.0, 0.0, 0.0], 10),
            point(uuid(1), [0.0, 1.0, 0.0], 20),
            point(uuid(2), [0.5, 0.5, 0.0], 30),
        ]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collection_is_made_once_and_keeps_its_shape() {
        let here = start().await;
        let store = &here.store;
        assert_eq!(store.collection("c").await.expect("asked"), None);
        store.ensure_collection(&spec("c")).await.expect("made");
        store.ensure_collection(&spec("c")).await.expect("there already");
        let facts = store.collection("c").await.expect("asked").expect("there");
        let spec_c = spec("c");
        assert_eq!((&facts.name, facts.points, facts.shards, facts.strict), (&spec_c.name, 0, 1, false));
        assert_eq!(
            (facts.vectors, facts.payload_indexes, facts.metadata),
            (spec_c.vectors, spec_c.payload_indexes, CollectionMetadata::Kept(spec_c.metadata))
        );
        let mut other = spec("c");
        other.metadata.insert("enact.run".to_owned(), "r-1".to_owned());
        store.ensure_collection(&other).await.expect("the same shape");
        let facts = store.collection("c").await.expect("asked").expect("there");
        assert_eq!(facts.metadata, CollectionMetadata::Kept(other.metadata));
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_shape_is_a_conflict_and_a_missing_index_is_made() {
        let here = start().await;
        let store = &here.store;
        store.ensure_collection(&spec("c")).await.expect("made");
        let mut other = spec("c");
        other.vectors.insert("dense".to_owned(), VectorParams::Dense { dimension: 4, distance: "dot".to_owned() });
        assert_eq!(store.ensure_collection(&other).await.expect_err("another shape").fault, Fault::Conflict);
        store.ensure_payload_index("c", "n", "integer").await.expect("made");
        store.ensure_payload_index("c", "n", "integer").await.expect("there already");
        assert_eq!(
            store.ensure_payload_index("c", "n", "keyword").await.expect_err("another kind").fault,
            Fault::Conflict
        );
        assert_eq!(store.ensure_payload_index("c", "n", "hash").await.expect_err("no kind").fault, Fault::Conflict);
        assert_eq!(store.collections().await.expect("asked"), ["c"]);
        store.ensure_collection_absent("c").await.expect("removed");
        store.ensure_collection_absent("c").await.expect("gone already");
        assert!(store.collections().await.expect("asked").is_empty());
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn points_come_back_as_they_went_and_in_order() {
        let here = start().await;
        let store = &here.store;
        store.ensure_collection(&spec("c")).await.expect("made");
        let mut points = three();
        points.reverse();
        store.ensure_points("c", &points).await.expect("written");
        store.ensure_points("c", &points).await.expect("written again");
        points.reverse();
        let page = store.points("c", None, 10, WithVectors::Yes).await.expect("read");
        assert_eq!(page, PointPage { points: points.clone(), next: None });
        let (ids, next) = store.point_ids("c", None, 2).await.expect("read");
        assert_eq!((ids, next), (vec![PointId::Number(7), uuid(1)], Some(uuid(2))));
        let (ids, next) = store.point_ids("c", next.as_ref(), 2).await.expect("read");
        assert_eq!((ids, next), (vec![uuid(2)], None));
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn points_are_found_and_deleted_by_id_in_batches() {
        let here = start().await;
        let store = &here.store;
        store.ensure_collection(&spec("c")).await.expect("made");
        let points = three();
        store.ensure_points("c", &points).await.expect("written");
        let found = store.retrieve("c", &[uuid(2), uuid(99)], WithVectors::No).await.expect("read");
        assert_eq!((found.len(), found[0].vectors.len(), &found[0].payload), (1, 0, &points[2].payload));
        assert_eq!(store.collection("c").await.expect("asked").expect("there").points, 3);
        store.ensure_points_absent("c", &[uuid(1), uuid(99)]).await.expect("deleted");
        store.ensure_points_absent("c", &[uuid(1)]).await.expect("gone already");
        assert_eq!(store.collection("c").await.expect("asked").expect("there").points, 2);
        let many: Vec<Point> = (100..1700).map(|n| point(PointId::Number(n), [0.0, 0.0, 1.0], 40)).collect();
        store.ensure_points("c", &many).await.expect("written in batches");
        let ids: Vec<PointId> = many.iter().map(|point| point.id).collect();
        assert_eq!(store.retrieve("c", &ids, WithVectors::No).await.expect("read").len(), 1600);
        store.ensure_points_absent("c", &ids).await.expect("deleted in batches");
        assert_eq!(store.collection("c").await.expect("asked").expect("there").points, 2);
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_vector_ranks_and_two_are_fused() {
        let here = start().await;
        let store = &here.store;
        store.ensure_collection(&spec("c")).await.expect("made");
        store.ensure_points("c", &three()).await.expect("written");
        let dense = ("dense".to_owned(), NamedVector::Dense(vec![0.0, 1.0, 0.0]));
        let sparse = SparseVector { indices: vec![20], values: vec![1.0] };
        let text = ("text".to_owned(), NamedVector::Sparse(sparse));
        for vectors in [vec![dense.clone()], vec![text.clone()], vec![dense, text]] {
            let query = SearchQuery { vectors: vectors.into_iter().collect(), limit: 2 };
            let found = store.search("c", &query).await.expect("searched");
            assert_eq!(found.first().map(|scored| &scored.id), Some(&uuid(1)), "{query:?}");
            assert_eq!(found[0].payload, three()[1].payload);
        }
        let none = SearchQuery { vectors: BTreeMap::new(), limit: 2 };
        assert_eq!(store.search("c", &none).await.expect_err("no vector").fault, Fault::Refused);
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_alias_moves_in_one_action_and_is_never_taken_for_a_collection() {
        let here = start().await;
        let store = &here.store;
        for name in ["a", "b"] {
            store.ensure_collection(&spec(name)).await.expect("made");
        }
        store.ensure_alias("now", "a").await.expect("made");
        store.ensure_alias("now", "b").await.expect("moved");
        store.ensure_alias("now", "b").await.expect("there already");
        assert_eq!(store.aliases().await.expect("asked"), BTreeMap::from([("now".to_owned(), "b".to_owned())]));
        store.ensure_points("now", &three()).await.expect("written through the alias");
        let facts = store.collection("now").await.expect("asked").expect("there");
        assert_eq!((facts.name.as_str(), facts.points), ("b", 3));
        assert_eq!(store.ensure_collection(&spec("now")).await.expect_err("an alias").fault, Fault::Conflict);
        store.ensure_collection_absent("now").await.expect("no collection has that name");
        assert_eq!(store.collections().await.expect("asked"), ["a", "b"]);
        assert_eq!(store.ensure_alias("now", "nowhere").await.expect_err("no collection").fault, Fault::Refused);
        store.ensure_alias_absent("now").await.expect("removed");
        store.ensure_alias_absent("now").await.expect("gone already");
        assert!(store.aliases().await.expect("asked").is_empty());
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_server_refuses_is_refused_and_a_server_that_is_gone_is_not_in_doubt() {
        let here = start().await;
        let store = here.store;
        assert_eq!(store.ensure_points("nowhere", &three()).await.expect_err("no collection").fault, Fault::Refused);
        store.ensure_collection(&spec("c")).await.expect("made");
        let mut wrong = three();
        wrong[0].vectors.insert("dense".to_owned(), NamedVector::Dense(vec![1.0]));
        assert_eq!(store.ensure_points("c", &wrong).await.expect_err("wrong dimension").fault, Fault::Refused);
        let error = refused_by(&options(&here.url.replace("http://", "https://"))).await;
        assert_eq!(error.hint.as_deref(), Some("write http:// instead of https://"), "{error}");
        here.server.shutdown().await.expect("stopped");
        // The connection that was open may break under the first request; the next one cannot be made at all.
        let first = store.ensure_points("c", &three()).await.expect_err("gone");
        assert!(matches!(first.fault, Fault::InDoubt | Fault::Transient), "{first}");
        let next = store.ensure_points("c", &three()).await.expect_err("gone");
        assert_eq!(next.fault, Fault::Transient, "{next}");
    }

    /// The live collection as somebody tuned it.
    async fn make_tuned(here: &Here, name: &str) {
        #[expect(deprecated, reason = "on_disk is what most clients send")]
        let dense = proto::VectorParams {
            size: 3,
            distance: proto::Distance::Dot.into(),
            on_disk: Some(true),
            datatype: Some(proto::Datatype::Float16.into()),
            hnsw_config: Some(proto::HnswConfigDiff { m: Some(24), ..Default::default() }),
            ..Default::default()
        };
        #[expect(deprecated, reason = "on_disk is what most clients send")]
        let index = proto::SparseIndexConfig { on_disk: Some(true), ..Default::default() };
        let sparse = proto::SparseVectorParams { index: Some(index), modifier: Some(proto::Modifier::Idf.into()) };
        let named = proto::VectorParamsMap { map: HashMap::from([("dense".to_owned(), dense)]) };
        let scalar = proto::ScalarQuantization { quantile: Some(0.9), ..Default::default() };
        #[expect(deprecated, reason = "on_disk_payload is what most clients send")]
        let request = proto::CreateCollection {
            collection_name: name.to_owned(),
            vectors_config: Some(proto::VectorsConfig { config: Some(vectors_config::Config::ParamsMap(named)) }),
            sparse_vectors_config: Some(proto::SparseVectorConfig {
                map: HashMap::from([("text".to_owned(), sparse)]),
            }),
            hnsw_config: Some(proto::HnswConfigDiff { ef_construct: Some(64), ..Default::default() }),
            optimizers_config: Some(proto::OptimizersConfigDiff { indexing_threshold: Some(99), ..Default::default() }),
            wal_config: Some(proto::WalConfigDiff { wal_capacity_mb: Some(8), ..Default::default() }),
            quantization_config: Some(proto::QuantizationConfig {
                quantization: Some(proto::quantization_config::Quantization::Scalar(scalar)),
            }),
            strict_mode_config: Some(proto::StrictModeConfig { max_timeout: Some(7), ..Default::default() }),
            on_disk_payload: Some(false),
            ..Default::default()
        };
        here.store.client.collections().create(request).await.expect("made");
        let keyword = proto::KeywordIndexParams { is_tenant: Some(true), ..Default::default() };
        let params = proto::PayloadIndexParams {
            index_params: Some(proto::payload_index_params::IndexParams::KeywordIndexParams(keyword)),
        };
        let index = proto::CreateFieldIndexCollection {
            collection_name: name.to_owned(),
            wait: Some(true),
            field_name: "title".to_owned(),
            field_type: Some(proto::FieldType::Keyword.into()),
            field_index_params: Some(params),
            ..Default::default()
        };
        here.store.client.points().create_field_index(index).await.expect("indexed");
    }

    async fn configuration(here: &Here, name: &str) -> proto::CollectionConfig {
        let info = reads::info(&here.store.client, name).await.expect("asked").expect("there");
        proto::CollectionConfig { metadata: HashMap::new(), ..info.config.expect("a configuration") }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collection_that_takes_the_place_of_another_is_made_as_that_one_is() {
        let here = start().await;
        make_tuned(&here, "live").await;
        let like = CollectionSpec { like: Some("live".to_owned()), ..spec("new") };
        here.store.ensure_collection(&like).await.expect("made");
        assert_eq!(configuration(&here, "new").await, configuration(&here, "live").await);
        let info = reads::info(&here.store.client, "new").await.expect("asked").expect("there");
        let title = info.payload_schema["title"].params.clone().and_then(|params| params.index_params);
        let tenant = |params| match params {
            Some(proto::payload_index_params::IndexParams::KeywordIndexParams(keyword)) => keyword.is_tenant,
            other => panic!("{other:?}"),
        };
        assert_eq!(tenant(title), Some(true));
        here.store.ensure_collection(&like).await.expect("there already");

        let mut other = CollectionSpec { like: Some("live".to_owned()), ..spec("wider") };
        other.vectors.insert("dense".to_owned(), VectorParams::Dense { dimension: 5, distance: "dot".to_owned() });
        here.store.ensure_collection(&other).await.expect("made");
        let params = configuration(&here, "wider").await.params.expect("parameters");
        let Some(vectors_config::Config::ParamsMap(map)) = params.vectors_config.and_then(|config| config.config)
        else {
            panic!("named vectors")
        };
        let dense = map.map["dense"];
        assert_eq!((dense.size, dense.hnsw_config.and_then(|hnsw| hnsw.m), dense.datatype), (5, Some(24), None));

        let nowhere = CollectionSpec { like: Some("nowhere".to_owned()), ..spec("lost") };
        assert_eq!(here.store.ensure_collection(&nowhere).await.expect_err("not there").fault, Fault::Refused);
        here.server.shutdown().await.expect("stopped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_multivector_is_another_shape() {
        let here = start().await;
        let dense = proto::VectorParams {
            size: 3,
            distance: proto::Distance::Dot.into(),
            multivector_config: Some(proto::MultiVectorConfig::default()),
            ..Default::default()
        };
        let named = proto::VectorParamsMap { map: HashMap::from([("dense".to_owned(), dense)]) };
        let request = proto::CreateCollection {
            collection_name: "c".to_owned(),
            vectors_config: Some(proto::VectorsConfig { config: Some(vectors_config::Config::ParamsMap(named)) }),
            sparse_vectors_config: wire::create(&spec("c"), &Default::default(), None)
                .expect("a request")
                .sparse_vectors_config,
            ..Default::default()
        };
        here.store.client.collections().create(request).await.expect("made");
        let facts = here.store.collection("c").await.expect("asked").expect("there");
        assert!(facts.multivectors.contains("dense"), "{facts:?}");
        assert_eq!(here.store.ensure_collection(&spec("c")).await.expect_err("another shape").fault, Fault::Conflict);
        here.server.shutdown().await.expect("stopped");
    }
}
