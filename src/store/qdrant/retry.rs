//! When a request is sent again, and how long to wait before that.
//!
//! - [`Fault::Transient`] alone is tried again: nothing was done. What is in doubt never is, however harmless its repetition:
//!   `apply` has to learn of it, because it then waits for `request_deadline` before it removes or puts back anything.
//! - A wait that the server asks for comes first. Where it does not fit, its answer is the error, at once.
//! - How long it goes on depends on what waits for it ([`Pace`]). A change of pace ends a wait under way: the request is
//!   sent once more and its answer stands.
//!
//! | pace | a read | a write |
//! | --- | --- | --- |
//! | patient | begins again for up to ten seconds, and for 90 where the server names the wait | ends within [`QdrantOptions::retry_ms`](super::QdrantOptions), counted from its first try |
//! | brief, stopping | begins again for up to two seconds | as a read, and never longer than patient |
//!
//! **Why recovery may rely on `request_deadline`.** Whoever takes a run over waits that long since it holds the lease, and a
//! runner looks at its lease before each batch. Between that look and the last moment at which something of the batch can
//! arrive lies one call of the store. A further try of any of its requests has, as its own deadline, what is left of `retry_ms`
//! since the call began, and that is never set longer than `request_deadline`; so every further try is over before recovery
//! looks. A process that is killed tries nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::watch;
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};

use super::fault::{self, Call};
use crate::store::{Fault, Pace, StoreError};

/// The first wait; each next one is about twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait that the server did not ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// For how long a read is begun again while nothing else waits for it. A server that is gone is said to be gone soon.
const PATIENT: Duration = Duration::from_secs(10);
/// The same where the server says how long to wait. Its limits are on requests in a minute.
const PATIENT_WHEN_ASKED: Duration = Duration::from_secs(90);
/// What a further try of a write has left at least. One with less would end in doubt, which is worse than not done.
const LEAST_LEFT: Duration = Duration::from_millis(500);
/// For how long anything is begun again while row locks are held or somebody wants to stop. A fifth of the time that others
/// wait for a lock before they give up.
const BRIEF: Duration = Duration::from_secs(2);

/// How long requests may take, tries and waits included.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// The deadline of one try.
    timeout: Duration,
    /// How long a write may be under way with every further try.
    retry_within: Duration,
    pace: Arc<watch::Sender<Pace>>,
}

impl Patience {
    pub(super) fn new(timeout: Duration, retry_within: Duration) -> Patience {
        Patience { timeout, retry_within, pace: Arc::new(watch::Sender::new(Pace::Patient)) }
    }

    /// Sets the pace. Who wants to stop wants it until the end.
    pub(super) fn set(&self, pace: Pace) {
        self.pace.send_if_modified(|now| {
            let changes = *now != Pace::Stopping && *now != pace;
            if changes {
                *now = pace;
            }
            changes
        });
    }

    /// Sends until it is answered, refused or in doubt, or the time since `began` is up. `send` is given the deadline of the
    /// try.
    pub(super) async fn run<T, Reply>(
        &self,
        began: Instant,
        call: Call,
        mut send: impl FnMut(Duration) -> Reply,
    ) -> Result<T, StoreError>
    where
        Reply: Future<Output = Result<Response<T>, Status>>,
    {
        let mut limit = self.timeout;
        let waits = ExponentialBuilder::default()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .without_max_times()
            .with_jitter();
        let mut tries = 0u32;
        let attempt = || {
            if tries > 0 {
                limit = self.next_limit(call, began.elapsed());
            }
            tries += 1;
            send(limit)
        };
        let pace = Arc::clone(&self.pace);
        let answer = attempt
            .retry(waits)
            .sleep(move |wait| pause(wait, pace.subscribe()))
            .when(|status| fault::of(status, call).fault == Fault::Transient)
            .adjust(|status, planned| {
                let wait = match retry_after(status.metadata()) {
                    Some(asked) => Wait::Asked(asked),
                    None => Wait::Planned(planned?),
                };
                self.may(call, began.elapsed(), wait)
            })
            .notify(|status, wait| {
                tracing::debug!(%status, wait_ms = wait.as_millis() as u64, "asking Qdrant again");
            })
            .await;
        answer.map(Response::into_inner).map_err(|status| fault::of(&status, call))
    }

    /// The wait before another try, none where none may begin after it.
    fn may(&self, call: Call, elapsed: Duration, wait: Wait) -> Option<Duration> {
        let (length, usual) = match (call, wait) {
            (Call::Read, Wait::Planned(length)) => (length, PATIENT),
            (Call::Read, Wait::Asked(length)) => (length, PATIENT_WHEN_ASKED),
            (Call::Write, Wait::Planned(length) | Wait::Asked(length)) => {
                (length, self.retry_within.saturating_sub(LEAST_LEFT))
            }
        };
        let window = match *self.pace.borrow() {
            Pace::Patient => usual,
            Pace::Brief | Pace::Stopping => usual.min(BRIEF),
        };
        (elapsed.saturating_add(length) < window).then_some(length)
    }

    /// The deadline of a further try.
    fn next_limit(&self, call: Call, elapsed: Duration) -> Duration {
        match call {
            Call::Read => self.timeout,
            Call::Write => self.timeout.min(self.retry_within.saturating_sub(elapsed)),
        }
    }
}

/// A wait before another try.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// As ours grow.
    Planned(Duration),
    /// As the server says.
    Asked(Duration),
}

/// Waits, at most until the pace changes.
async fn pause(wait: Duration, mut pace: watch::Receiver<Pace>) {
    let _either = tokio::time::timeout(wait, pace.changed()).await;
}

/// Reads `retry-after`, in seconds, as Qdrant sends it with `ResourceExhausted`.
pub(super) fn retry_after(metadata: &MetadataMap) -> Option<Duration> {
    metadata.get("retry-after")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Answers with these errors, one after the other, then succeeds; gives how often it was asked.
    async fn ask(patience: &Patience, call: Call, errors: &[Status]) -> (Result<(), StoreError>, usize) {
        let asked = Cell::new(0);
        let result = patience
            .run(Instant::now(), call, |_| {
                let answer = errors.get(asked.get()).cloned().map_or(Ok(Response::new(())), Err);
                asked.set(asked.get() + 1);
                std::future::ready(answer)
            })
            .await;
        (result, asked.get())
    }

    fn limited(seconds: &'static str) -> Status {
        let mut status = Status::resource_exhausted("Read rate limit exceeded, retry later");
        status.metadata_mut().insert("retry-after", seconds.parse().expect("a value"));
        status
    }

    #[tokio::test]
    async fn nothing_is_sent_again_but_what_was_not_done() {
        let patience = Patience::new(30 * SECOND, 30 * SECOND);
        let gone = [Status::unavailable("gone")];
        let (result, asked) = ask(&patience, Call::Read, &gone).await;
        assert!(result.is_ok() && asked == 2, "{result:?}");
        let (result, asked) = ask(&patience, Call::Write, &gone).await;
        assert_eq!((result.expect_err("in doubt").fault, asked), (Fault::InDoubt, 1));
        let (result, asked) = ask(&patience, Call::Write, &[Status::invalid_argument("no")]).await;
        assert_eq!((result.expect_err("refused").fault, asked), (Fault::Refused, 1));
        let (result, asked) = ask(&patience, Call::Write, &[limited("0"), limited("0")]).await;
        assert!(result.is_ok() && asked == 3, "{result:?}");
        let (result, asked) = ask(&patience, Call::Write, &[limited("31")]).await;
        let error = result.expect_err("longer than a write may be under way");
        assert_eq!((error.fault, error.hint.as_deref(), asked), (Fault::Transient, Some("try again in 31 s"), 1));
    }

    #[test]
    fn all_tries_of_a_write_end_within_what_recovery_waits_for() {
        let patience = Patience::new(30 * SECOND, 5 * SECOND);
        for tenth in 0..100 {
            let elapsed = tenth * SECOND / 10;
            let begins = patience.may(Call::Write, elapsed, Wait::Asked(Duration::ZERO)).is_some();
            assert_eq!(begins, elapsed < 5 * SECOND - LEAST_LEFT, "{elapsed:?}");
            let left = patience.next_limit(Call::Write, elapsed);
            assert!(!begins || (left > LEAST_LEFT && elapsed + left <= 5 * SECOND), "{elapsed:?}");
        }
        let never = Patience::new(30 * SECOND, Duration::ZERO);
        assert_eq!(never.may(Call::Write, Duration::ZERO, Wait::Planned(Duration::ZERO)), None);
        assert_eq!(patience.next_limit(Call::Read, 60 * SECOND), 30 * SECOND, "a read changes nothing");
    }

    #[test]
    fn a_limited_server_is_waited_for_longer_than_one_that_is_gone() {
        let patience = Patience::new(30 * SECOND, 30 * SECOND);
        assert_eq!(patience.may(Call::Read, 9 * SECOND, Wait::Planned(SECOND)), None);
        assert_eq!(patience.may(Call::Read, 9 * SECOND, Wait::Asked(60 * SECOND)), Some(60 * SECOND));
        assert_eq!(patience.may(Call::Read, 40 * SECOND, Wait::Asked(60 * SECOND)), None);
    }

    #[tokio::test]
    async fn locks_and_interrupts_cut_it_short() {
        let patience = Patience::new(30 * SECOND, 30 * SECOND);
        let goes_on = |call| patience.may(call, SECOND, Wait::Asked(SECOND)).is_some();
        for (pace, waits) in [(Pace::Patient, true), (Pace::Brief, false), (Pace::Patient, true)] {
            patience.set(pace);
            assert_eq!([Call::Read, Call::Write].map(goes_on), [waits; 2], "{pace:?}");
        }
        let began = Instant::now();
        let waiting = [limited("60"), limited("60")];
        let interrupting = async {
            tokio::task::yield_now().await;
            patience.set(Pace::Stopping);
        };
        let ((result, asked), ()) = tokio::join!(ask(&patience, Call::Read, &waiting), interrupting);
        assert!(result.is_err() && asked == 2 && began.elapsed() < 10 * SECOND, "{asked} tries, {result:?}");
        patience.set(Pace::Patient);
        assert!(!goes_on(Call::Read), "who wants to stop wants it until the end");
    }
}
