//! Collections and aliases.

use qdrant_client::qdrant::{
    AliasDescription, AliasOperations, ChangeAliases, CollectionStatus, CountPointsBuilder, CreateAlias,
    CreateAliasBuilder, CreateCollectionBuilder, DeleteAlias, Distance, HnswConfigDiffBuilder,
    OptimizersConfigDiffBuilder, QueryPointsBuilder, RenameAlias, ScalarQuantizationBuilder, UpdateCollectionBuilder,
    VectorParamsBuilder, alias_operations::Action, collections_client::CollectionsClient,
    snapshots_client::SnapshotsClient,
};
use tonic::Code;

use super::*;

fn actions(actions: Vec<Action>) -> ChangeAliases {
    let actions = actions.into_iter().map(|action| AliasOperations { action: Some(action) }).collect();
    ChangeAliases { actions, timeout: None }
}

fn create(alias: &str, collection: &str) -> Action {
    Action::CreateAlias(CreateAlias { alias_name: alias.into(), collection_name: collection.into() })
}

async fn change(fixture: &Fixture, request: ChangeAliases) -> Result<bool, Status> {
    let mut client = CollectionsClient::connect(fixture.server.url()).await.expect("a connection");
    client.update_aliases(request).await.map(|answer| answer.into_inner().result)
}

async fn aliases(fixture: &Fixture) -> Vec<(String, String)> {
    let listed = fixture.client.list_aliases().await.expect("aliases").aliases;
    listed.into_iter().map(|AliasDescription { alias_name, collection_name }| (alias_name, collection_name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_echoes_its_configuration_and_its_metadata() {
    let fixture = Fixture::start().await;
    let mut request = CreateCollectionBuilder::new("docs")
        .vectors_config(VectorParamsBuilder::new(4, Distance::Dot).on_disk(true))
        .hnsw_config(HnswConfigDiffBuilder::default().m(24))
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(99))
        .quantization_config(ScalarQuantizationBuilder::default())
        .build();
    request.metadata = stored(serde_json::json!({ "generation": 7, "by": "enact" }));
    let asked = request.clone();
    fixture.client.create_collection(request).await.expect("a collection");
    let fixture = fixture.restart().await;
    let info = fixture.client.collection_info("docs").await.expect("info").result.expect("a result");
    let config = info.config.clone().expect("a configuration");
    let params = config.params.expect("params");
    assert_eq!(info.status(), CollectionStatus::Green);
    assert_eq!((info.points_count, params.shard_number), (Some(0), 1));
    assert_eq!(params.vectors_config, asked.vectors_config);
    assert_eq!(config.quantization_config, asked.quantization_config);
    assert_eq!(config.metadata, asked.metadata);
    let hnsw = config.hnsw_config.expect("hnsw");
    assert_eq!((hnsw.m, hnsw.ef_construct), (Some(24), Some(100)));
    assert_eq!(config.optimizer_config.expect("optimizer").indexing_threshold, Some(99));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_parameters_can_be_updated() {
    let fixture = Fixture::with_hybrid("docs").await;
    let mut update =
        UpdateCollectionBuilder::new("docs").hnsw_config(HnswConfigDiffBuilder::default().ef_construct(64)).build();
    update.metadata = stored(serde_json::json!({ "state": "ready" }));
    assert!(fixture.client.update_collection(update).await.expect("an update").result);
    let fixture = fixture.restart().await;
    let info = fixture.client.collection_info("docs").await.expect("info").result.expect("a result");
    let config = info.config.expect("a configuration");
    assert_eq!(config.metadata["state"], "ready".into());
    assert_eq!(config.hnsw_config.expect("hnsw").ef_construct, Some(64));
    fixture.upsert("docs", vec![point(1, [1.0, 0.0, 0.0, 0.0], &[(1, 1.0)], serde_json::json!({}))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_twice_is_refused_and_deleting_twice_is_not() {
    let fixture = Fixture::with_hybrid("docs").await;
    let again = refusal(fixture.client.create_collection(hybrid("docs")).await);
    assert_eq!(again, (Code::AlreadyExists, "Wrong input: Collection `docs` already exists!".into()));
    assert!(fixture.client.delete_collection("docs").await.expect("a delete").result);
    assert!(!fixture.client.delete_collection("docs").await.expect("a delete").result);
    assert!(!fixture.client.collection_exists("docs").await.expect("an answer"));
    let missing = (Code::NotFound, "Not found: Collection `docs` doesn't exist!".to_owned());
    assert_eq!(refusal(fixture.client.collection_info("docs").await), missing);
    assert_eq!(refusal(fixture.client.count(CountPointsBuilder::new("docs")).await), missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_names_like_any_other() {
    let mut fixture = Fixture::start().await;
    let names = ["docs@v3", "../../etc", "Docs", "docs", "ünï ☃", ".new-x", "%2e", "a/b"];
    for name in names {
        fixture.client.create_collection(hybrid(name)).await.expect(name);
        fixture.upsert(name, vec![point(1, [1.0, 0.0, 0.0, 0.0], &[], serde_json::json!({}))]).await;
    }
    fixture = fixture.restart().await;
    let listed = fixture.client.list_collections().await.expect("a list").collections;
    let mut listed: Vec<_> = listed.into_iter().map(|one| one.name).collect();
    let mut expected = names.map(str::to_owned).to_vec();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    for name in names {
        let counted = fixture.client.count(CountPointsBuilder::new(name)).await.expect(name);
        assert_eq!(counted.result.expect("a count").count, 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_moved_in_one_step_and_followed_by_queries() {
    let fixture = Fixture::with_hybrid("blue").await;
    fixture.client.create_collection(hybrid("green")).await.expect("a collection");
    fixture.upsert("blue", vec![point(1, [1.0, 0.0, 0.0, 0.0], &[], serde_json::json!({}))]).await;
    fixture.upsert("green", vec![point(2, [1.0, 0.0, 0.0, 0.0], &[], serde_json::json!({}))]).await;
    for (target, id) in [("blue", 1), ("green", 2)] {
        fixture.client.create_alias(CreateAliasBuilder::new(target, "live")).await.expect("an alias");
        let query = QueryPointsBuilder::new("live").query(vec![1.0, 0.0, 0.0, 0.0]).using("text");
        let found = fixture.client.query(query).await.expect("a query").result;
        assert_eq!(numbers(found.into_iter().map(|hit| hit.id)), [id]);
    }
    let fixture = fixture.restart().await;
    assert_eq!(aliases(&fixture).await, [("live".to_owned(), "green".to_owned())]);
    let own = fixture.client.list_collection_aliases("green").await.expect("aliases").aliases;
    assert_eq!(own.len(), 1);
    fixture.client.delete_collection("green").await.expect("a delete");
    assert_eq!(aliases(&fixture).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn alias_changes_are_all_made_or_none() {
    let fixture = Fixture::with_hybrid("docs").await;
    let half = actions(vec![create("a", "docs"), create("b", "missing")]);
    let refused = change(&fixture, half).await.expect_err("a refusal");
    assert_eq!(code_and_message(&refused), (Code::NotFound, "Not found: Collection `missing` doesn't exist!".into()));
    assert_eq!(aliases(&fixture).await, []);
    let refused = change(&fixture, actions(vec![create("docs", "docs")])).await.expect_err("a refusal");
    assert_eq!(refused.code(), Code::AlreadyExists);
    let whole = actions(vec![
        create("a", "docs"),
        create("b", "docs"),
        Action::RenameAlias(RenameAlias { old_alias_name: "a".into(), new_alias_name: "c".into() }),
        Action::DeleteAlias(DeleteAlias { alias_name: "b".into() }),
    ]);
    assert!(change(&fixture, whole).await.expect("a change"));
    assert_eq!(aliases(&fixture).await, [("c".to_owned(), "docs".to_owned())]);
    let taken = refusal(fixture.client.create_collection(hybrid("c")).await);
    assert_eq!(taken.0, Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_cannot_do_is_refused_by_name() {
    let fixture = Fixture::start().await;
    let refused = refusal(fixture.client.create_collection(hybrid("docs").shard_number(3)).await);
    let expected = "the local Qdrant server does not serve \"CreateCollection.shard_number = 3\"; use a Qdrant server";
    assert_eq!(refused, (Code::Unimplemented, expected.into()));
    let mut snapshots = SnapshotsClient::connect(fixture.server.url()).await.expect("a connection");
    let refused = snapshots.list_full(qdrant_client::qdrant::ListFullSnapshotsRequest {}).await;
    assert_eq!(refused.expect_err("a refusal").code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_has_one_server() {
    let fixture = Fixture::start().await;
    let address = "127.0.0.1:0".parse().expect("an address");
    let second = QdrantServer::start(fixture.directory.path(), address).await;
    assert!(matches!(second.err(), Some(crate::local::qdrant::QdrantServerError::InUse { .. })));
    let health = fixture.client.health_check().await.expect("health");
    assert_eq!(health.version, "1.18.0");
}
