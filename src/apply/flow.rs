//! Parts of long work, several under way at once: a bound on how many, and none left behind.
//!
//! The next part is made when there is room for it, so that whoever makes parts waits for whoever does them. After the first
//! error no part is begun; those that are under way are waited for, because what was sent to a store takes effect whether or
//! not anybody still waits for it.

use std::future::Future;
use std::pin::pin;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};

use super::error::ApplyError;

/// Does the parts of a stream, this many at once. Gives the first error.
pub(super) async fn all<F>(at_once: usize, parts: impl Stream<Item = Result<F, ApplyError>>) -> Result<(), ApplyError>
where
    F: Future<Output = Result<(), ApplyError>>,
{
    let mut parts = pin!(parts.fuse());
    let mut under_way = FuturesUnordered::new();
    let mut failed: Option<ApplyError> = None;
    loop {
        let room = failed.is_none() && !parts.is_done() && under_way.len() < at_once;
        tokio::select! {
            biased;
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                if let Err(error) = done {
                    failed.get_or_insert(error);
                }
            }
            part = parts.next(), if room => match part {
                Some(Ok(part)) => under_way.push(part),
                Some(Err(error)) => {
                    failed.get_or_insert(error);
                }
                None => {}
            },
            else => return failed.map_or(Ok(()), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn parts_run_side_by_side_within_the_bound() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let part = || async {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::task::yield_now().await;
            running.set(running.get() - 1);
            Ok(())
        };
        let parts = stream::iter((0..10).map(|_| Ok(part())));
        all(3, parts).await.unwrap();
        assert_eq!((running.get(), most.get()), (0, 3));
    }

    #[tokio::test]
    async fn after_an_error_nothing_begins_and_what_runs_is_waited_for() {
        let log = RefCell::new(Vec::new());
        let part = |number: u32| {
            let log = &log;
            async move {
                log.borrow_mut().push(format!("{number} begins"));
                if number == 2 {
                    return Err(ApplyError::LeaseLost);
                }
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                log.borrow_mut().push(format!("{number} ends"));
                Ok(())
            }
        };
        let ended = all(2, stream::iter((1..5).map(|number| Ok(part(number))))).await;
        assert!(matches!(ended, Err(ApplyError::LeaseLost)));
        assert_eq!(log.into_inner(), ["1 begins", "2 begins", "1 ends"]);
    }
}
