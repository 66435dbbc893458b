//! What is asked again, and what is not.

use enact::store::{Fault, Pace, VectorStore};
use tonic::{Code, Status};

use super::other::{Other, Rule};
use super::reading::{points, spec};

/// The server's word that a limit is reached; the limit is lifted at once.
fn limited() -> Status {
    let mut status = Status::resource_exhausted("Rate limiting exceeded: Write rate limit exceeded, retry later");
    status.metadata_mut().insert("retry-after", "0".parse().expect("a value"));
    status
}

#[test]
async fn a_read_is_asked_again_until_it_is_answered() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    store.ensure_collection(&spec("c")).await.expect("made");
    let method = "/qdrant.Points/Scroll";
    other.set(vec![Rule::Answer { method, status: Status::unavailable("a node is gone"), times: 2 }]);
    let (ids, _) = store.point_ids("c", None, 10).await.expect("answered in the end");
    assert_eq!((ids.len(), other.calls(method)), (0, 3));
    let refused = Status::invalid_argument("no");
    other.set(vec![Rule::Answer { method, status: refused, times: 2 }]);
    assert_eq!(store.point_ids("c", None, 10).await.expect_err("refused").fault, Fault::Refused);
    assert_eq!(other.calls(method), 1);
    other.stop().await;
}

#[test]
async fn a_write_is_sent_again_only_where_it_was_not_done() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    store.ensure_collection(&spec("c")).await.expect("made");
    let method = "/qdrant.Points/Upsert";
    other.set(vec![Rule::Answer { method, status: limited(), times: 3 }]);
    store.ensure_points("c", &points(5)).await.expect("written in the end");
    assert_eq!(other.calls(method), 4);
    for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Internal] {
        other.set(vec![Rule::Answer { method, status: Status::new(code, "lost"), times: 1 }]);
        let error = store.ensure_points("c", &points(6)).await.expect_err("in doubt");
        assert_eq!((error.fault, other.calls(method)), (Fault::InDoubt, 1), "{code:?}");
    }
    other.stop().await;
}

#[test]
async fn who_wants_to_stop_does_not_wait_for_a_server_that_cannot_answer() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    let method = "/qdrant.Collections/List";
    let mut status = Status::resource_exhausted("Rate limiting exceeded");
    status.metadata_mut().insert("retry-after", "60".parse().expect("a value"));
    other.set(vec![Rule::Answer { method, status, times: u32::MAX }]);
    let stopping = async {
        while other.calls(method) == 0 {
            tokio::task::yield_now().await;
        }
        store.pace(Pace::Stopping);
    };
    let (listed, ()) = tokio::join!(store.collections(), stopping);
    let error = listed.expect_err("it never answers");
    assert_eq!((error.fault, error.hint.as_deref()), (Fault::Transient, Some("try again in 60 s")));
    assert!(other.calls(method) <= 2, "{} calls", other.calls(method));
    other.stop().await;
}

#[test]
async fn building_indexes_is_seen() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    store.ensure_collection(&spec("c")).await.expect("made");
    other.set(vec![Rule::Building(1)]);
    assert!(store.is_optimising("c").await.expect("read"));
    assert!(!store.is_optimising("c").await.expect("read"));
    assert!(!store.is_optimising("nowhere").await.expect("read"));
    other.stop().await;
}
