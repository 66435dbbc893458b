//! Older servers: those that cannot be used, and those that keep no metadata.

use enact::model::CollectionMetadata;
use enact::store::qdrant::Qdrant;
use enact::store::{Fault, VectorStore};
use tokio::runtime::Runtime;

use super::handbook::handbook;
use super::other::{Other, Rule};
use super::reading::spec;

#[test]
async fn a_server_that_drops_vectors_is_refused_when_connecting() {
    let other = Other::start(vec![Rule::Version("1.12.6")]).await;
    let Err(error) = Qdrant::connect(&other.options(None)).await else { panic!("it should not connect") };
    let said = format!("Qdrant at \"{}\" is 1.12.6, and Enact needs 1.13 or newer", other.url());
    assert_eq!((error.fault, error.message), (Fault::Refused, said));
    other.set(vec![Rule::Version("1.13.0")]);
    assert_eq!(other.connect().await.server().await.expect("known").version, "1.13.0");
    other.stop().await;
}

#[test]
async fn metadata_is_not_asked_of_a_server_that_keeps_none() {
    let other = Other::start(vec![Rule::Version("1.15.5")]).await;
    let store = other.connect().await;
    for _twice in 0..2 {
        store.ensure_collection(&spec("c")).await.expect("made");
    }
    store.ensure_metadata("c", &spec("c").metadata).await.expect("nothing to do");
    assert_eq!(other.calls("/qdrant.Collections/Update"), 0);
    let facts = store.collection("c").await.expect("read").expect("there");
    assert_eq!(facts.metadata, CollectionMetadata::NotKept { server: "1.15.5".to_owned() });
    other.stop().await;
}

#[test]
fn without_metadata_a_plan_comes_to_rest_and_verify_says_what_it_skips() {
    let runtime = Runtime::new().expect("a runtime");
    let other = runtime.block_on(Other::start(vec![Rule::Version("1.15.5")]));
    let project = handbook(&other);
    let preflight = project.ok(&["preflight"]);
    assert!(preflight.contains("keeps no metadata of collections"), "{preflight}");
    project.ok(&["apply", "--auto-approve"]);
    let again = project.ok(&["plan", "--detailed-exitcode"]);
    assert!(again.contains("No changes. PostgreSQL and Qdrant match the plan."), "{again}");
    let verified = project.ok(&["verify"]);
    assert!(verified.contains("Qdrant 1.15.5 keeps no metadata of collections"), "{verified}");
    // A point that is gone is missed without a stamp, too.
    runtime.block_on(async {
        let store = other.connect().await;
        let (alias, _) = store.aliases().await.expect("read").into_iter().next().expect("an alias");
        let (ids, _) = store.point_ids(&alias, None, 1).await.expect("read");
        store.ensure_points_absent(&alias, &ids).await.expect("deleted");
    });
    project.exits(&["verify"], 9);
    let (plan, _) = project.exits(&["plan", "--detailed-exitcode"], 2);
    assert!(plan.contains("Vectors: 1 to embed (~76 tokens), 0 to delete, 9 kept."), "{plan}");
    project.ok(&["apply", "--auto-approve"]);
    project.ok(&["plan", "--detailed-exitcode"]);
    drop(project);
    runtime.block_on(other.stop());
}
