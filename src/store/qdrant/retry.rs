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
//! | patient | begins again for up to two minutes | ends within [`QdrantOptions::retry_ms`](super::QdrantOptions), counted from its first try |
//! | brief, stopping | begins again for up to two seconds | as a read, and never longer than patient |
//!
//! **Why recovery may rely on `request_deadline`.** Whoever takes a run over waits that long since it holds the lease, and a
//! runner looks at its lease before each batch. Between that look and the last moment at which something of the batch can
//! arrive lies one write. A further try has, as its own deadline, what is left of `retry_ms`, which is never set longer than
//! `request_deadline`; so with all its tries a write is over before recovery looks. A process that is killed tries nothing.

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
/// For how long a read is begun again while nothing else waits for it.
const PATIENT: Duration = Duration::from_secs(120);
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

    /// Sends until it is answered, refused or in doubt, or the time is up. `send` is given the deadline of the try.
    pub(super) async fn run<T, Reply>(
        &self,
        call: Call,
        mut send: impl FnMut(Duration) -> Reply,
    ) -> Result<T, StoreError>
    where
        Reply: Future<Output = Result<Response<T>, Status>>,
    {
        let began = Instant::now();
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
                let wait = retry_after(status.metadata()).or(planned)?;
                self.may_wait(call, began.elapsed(), wait).then_some(wait)
            })
            .notify(|status, wait| {
                tracing::debug!(%status, wait_ms = wait.as_millis() as u64, "asking Qdrant again");
            })
            .await;
        answer.map(Response::into_inner).map_err(|status| fault::of(&status, call))
    }

    /// Whether another try may begin after this wait.
    fn may_wait(&self, call: Call, elapsed: Duration, wait: Duration) -> bool {
        elapsed.saturating_add(wait) < self.window(call)
    }

    /// How long after the first try another one may begin.
    fn window(&self, call: Call) -> Duration {
        let usual = match call {
            Call::Read => PATIENT,
            Call::Write => self.retry_within,
        };
        match *self.pace.borrow() {
            Pace::Patient => usual,
            Pace::Brief | Pace::Stopping => usual.min(BRIEF),
        }
    }

    /// The deadline of a further try.
    fn next_limit(&self, call: Call, elapsed: Duration) -> Duration {
        match call {
            Call::Read => self.timeout,
            Call::Write => self.timeout.min(self.retry_within.saturating_sub(elapsed)),
        }
    }
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
            .run(call, |_| {
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
            let begins = patience.may_wait(Call::Write, elapsed, Duration::ZERO);
            assert_eq!(begins, elapsed < 5 * SECOND, "{elapsed:?}");
            let ends = elapsed + patience.next_limit(Call::Write, elapsed);
            assert!(!begins || ends <= 5 * SECOND, "{elapsed:?}");
        }
        assert!(!Patience::new(30 * SECOND, Duration::ZERO).may_wait(Call::Write, Duration::ZERO, Duration::ZERO));
        assert_eq!(patience.next_limit(Call::Read, 60 * SECOND), 30 * SECOND, "a read changes nothing");
    }

    #[tokio::test]
    async fn locks_and_interrupts_cut_it_short() {
        let patience = Patience::new(30 * SECOND, 30 * SECOND);
        for (pace, waits) in [(Pace::Patient, true), (Pace::Brief, false), (Pace::Patient, true)] {
            patience.set(pace);
            assert_eq!(patience.may_wait(Call::Read, SECOND, SECOND), waits, "{pace:?}");
            assert_eq!(patience.may_wait(Call::Write, SECOND, SECOND), waits, "{pace:?}");
        }
        let began = Instant::now();
        let waiting = [limited("100"), limited("100")];
        let interrupting = async {
            tokio::task::yield_now().await;
            patience.set(Pace::Stopping);
        };
        let ((result, asked), ()) = tokio::join!(ask(&patience, Call::Read, &waiting), interrupting);
        assert!(result.is_err() && asked == 2 && began.elapsed() < 10 * SECOND, "{asked} tries, {result:?}");
        patience.set(Pace::Patient);
        assert!(!patience.may_wait(Call::Read, SECOND, SECOND), "who wants to stop wants it until the end");
    }
}
