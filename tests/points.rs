//! Points that somebody else changed: found, named and mended, whether points are counted or read, and whatever their ids are.

use enact::local::schema;
use enact::model::PointId;
use enact::store::qdrant::Qdrant;
use enact::store::{Point, VectorStore, WithVectors};

use crate::support::project::Project;

const SET: &str = "enact: v1
plan: index
chunk_policies:
  short: { splitter: text, max_chars: 400, overlap_chars: 0, empty_body: title }
vector_sets:
  handbook:
    units: { slug_prefix: handbook/ }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine } }
    payload: [slug, title, text]
";
const BY_KEY: &str = "    ids: { scheme: key, namespace: 6ba7b811-9dad-11d1-80b4-00c04fd430c8, template: \"{unit.address}#{chunk.key}\" }\n";

fn indexed(ids: &str) -> Project {
    let config = concat!(include_str!("../examples/documents/enact.yaml"), "    sweep_grace: 0s\n");
    let project = Project::start(config);
    project.write("plans/index.yaml", &format!("{SET}{ids}"));
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project.ok(&["apply", "--auto-approve"]);
    project
}

/// The collection behind the set and its points, by ascending id.
async fn points(store: &Qdrant) -> (String, Vec<Point>) {
    let collection = store.aliases().await.expect("aliases").remove("handbook").expect("an alias");
    let page = store.points(&collection, None, 1_000, WithVectors::Yes).await.expect("points");
    (collection, page.points)
}

fn same(project: &Project, how: &str) {
    let (text, _) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(text.contains("No changes.") && text.contains(how), "{how}: {text}");
}

fn mended(project: &Project, found: &str) -> String {
    let (text, _) = project.exits(&["plan", "--detailed-exitcode"], 2);
    assert!(text.contains(found), "{found}: {text}");
    project.ok(&["apply", "--auto-approve"]);
    project.ok(&["verify"]);
    text
}

const STRAY: &str = "0e0e0e0e-0000-4000-8000-000000000001";

/// Somebody puts a copy of the last point under another id.
fn add_stray(project: &Project) {
    project.with_qdrant(async |store| {
        let (collection, mut all) = points(store).await;
        let mut copy = all.pop().expect("a point");
        copy.id = PointId::from_text(STRAY).expect("an id");
        store.ensure_points(&collection, &[copy]).await.expect("it is written");
    });
}

fn remove(project: &Project, id: &str) {
    let id = PointId::from_text(id).expect("an id");
    project.with_qdrant(async |store| {
        let (collection, _) = points(store).await;
        store.ensure_points_absent(&collection, &[id]).await.expect("it goes");
    });
}

fn differences(ids: &str, counted: bool) {
    let project = indexed(ids);
    if !counted {
        project.with_qdrant(async |store| {
            let (collection, _) = points(store).await;
            store.ensure_payload_index_absent(&collection, "_enact.a").await.expect("the index goes");
        });
    }
    let how = if counted { "by fingerprint" } else { "by id" };
    same(&project, how);

    project.lose_point();
    mended(&project, "1 to embed");
    same(&project, how);

    add_stray(&project);
    let (text, stderr) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(format!("{text}{stderr}").contains(STRAY) && text.contains("No changes."), "{text}{stderr}");

    project.lose_point();
    let (text, stderr) = project.exits(&["plan", "--detailed-exitcode"], 2);
    assert!(text.contains("1 to embed") && format!("{text}{stderr}").contains(STRAY), "{text}{stderr}");
    remove(&project, STRAY);
    mended(&project, "1 to embed");
    same(&project, how);
}

#[test]
fn a_missing_an_extra_and_an_exchanged_point_are_found_by_counting() {
    differences("", true);
}

#[test]
fn a_missing_an_extra_and_an_exchanged_point_are_found_by_counting_where_ids_are_keys() {
    differences(BY_KEY, true);
}

#[test]
fn a_missing_an_extra_and_an_exchanged_point_are_found_by_reading() {
    differences("", false);
}

#[test]
fn a_missing_an_extra_and_an_exchanged_point_are_found_by_reading_where_ids_are_keys() {
    differences(BY_KEY, false);
}

#[test]
fn a_point_written_anew_under_its_id_is_found_by_counting() {
    for ids in ["", BY_KEY] {
        let project = indexed(ids);
        project.with_qdrant(async |store| {
            let (collection, all) = points(store).await;
            let forged = Point { id: all[0].id, ..all[1].clone() };
            store.ensure_points(&collection, &[forged]).await.expect("it is written");
        });
        mended(&project, "1 to embed");
        same(&project, "by fingerprint");
    }
}

#[test]
fn a_forged_payload_is_found_and_mended_by_a_deep_plan() {
    for ids in ["", BY_KEY] {
        let project = indexed(ids);
        project.with_qdrant(async |store| {
            let (collection, mut all) = points(store).await;
            let mut forged = all.remove(0);
            forged.payload.insert("title".to_owned(), "forged".into());
            store.ensure_points(&collection, &[forged]).await.expect("it is written");
        });
        same(&project, "by fingerprint");
        let (text, _) = project.exits(&["plan", "--deep", "--detailed-exitcode"], 2);
        assert!(text.contains("1 to embed"), "{text}");
        project.ok(&["apply", "--deep", "--auto-approve"]);
        let deep = project.ok(&["plan", "--deep"]);
        assert!(deep.contains("No changes.") && deep.contains("deep"), "{deep}");
        project.ok(&["verify"]);
    }
}

#[test]
fn where_points_were_taken_away_the_others_are_read_whole() {
    for rollout in ["", "    rollout: in_place\n"] {
        let project = indexed(rollout);
        project.with_qdrant(async |store| {
            let (collection, mut all) = points(store).await;
            let mut forged = all.remove(3);
            forged.payload.insert("title".to_owned(), "forged".into());
            store.ensure_points(&collection, &[forged]).await.expect("it is written");
        });
        project.lose_point();
        mended(&project, "2 to embed");
        same(&project, "by fingerprint");
    }
}

#[test]
fn a_lost_vector_and_a_lost_payload_index_are_differences() {
    let project = indexed("    payload_indexes: { slug: keyword }\n");
    project.with_qdrant(async |store| {
        let (collection, mut all) = points(store).await;
        let mut bare = all.remove(2);
        bare.vectors.clear();
        store.ensure_points(&collection, &[bare]).await.expect("it is written");
        store.ensure_payload_index_absent(&collection, "slug").await.expect("the index goes");
    });
    for command in ["verify", "drift"] {
        let (text, _) = project.exits(&[command], 9);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("lacks a vector") && words.contains("payload index \"slug\" is not there"), "{text}");
    }
    project.ok(&["apply", "--deep", "--auto-approve"]);
    project.ok(&["verify"]);
    same(&project, "by fingerprint");
}

#[test]
fn points_are_made_anew_when_somebody_asks_for_it() {
    let project = indexed("");
    let all = project.points().len();
    let (one, _) =
        project.exits(&["plan", "--replace", "vector_set.handbook[handbook/leave]", "--detailed-exitcode"], 2);
    assert!(one.contains("1 to embed") && one.contains("--replace"), "{one}");
    project.ok(&["apply", "--replace", "vector_set.handbook", "--auto-approve"]);
    assert_eq!(project.points().len(), all);
    same(&project, "by fingerprint");
    project.ok(&["verify"]);
    let (_, refused) = project.exits(&["plan", "--replace", "handbook"], 64);
    assert!(refused.contains("vector_set.NAME"), "{refused}");
}

#[test]
fn a_point_that_one_unit_gives_up_and_another_takes_stays() {
    let project = indexed(BY_KEY);
    // In place, so that there is something to go back to.
    project.write("plans/index.yaml", &format!("{SET}{BY_KEY}    rollout: in_place\n"));
    let before = project.points();
    let swap = "UPDATE documents SET slug = 'handbook/x' WHERE slug = 'handbook/leave'; \
                UPDATE documents SET slug = 'handbook/leave' WHERE slug = 'handbook/expenses'; \
                UPDATE documents SET slug = 'handbook/expenses' WHERE slug = 'handbook/x'";
    project.sql(swap);
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.points(), before);
    same(&project, "by fingerprint");
    project.ok(&["verify"]);
    project.sql(
        "UPDATE documents SET slug = 'handbook/annual-leave' WHERE slug = 'handbook/leave'; \
         UPDATE documents SET slug = 'handbook/leave' WHERE slug = 'handbook/expenses'",
    );
    project.ok(&["apply", "--auto-approve"]);
    same(&project, "by fingerprint");
    project.ok(&["verify"]);
    let run = project.value("SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1");
    project.ok(&["revert", &run, "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!(project.points(), before);
    // The addresses are the author's: they are not what is indexed now.
    let (verified, _) = project.exits(&["verify"], 9);
    assert!(verified.contains("unit \"handbook/leave\" has other content"), "{verified}");
}
