//! When to ask again, and how long to wait before that.

use std::error::Error;
use std::io;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::super::error::{EmbedError, EmbedFault};

/// How often to ask again, and how long to wait between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often to ask again after the first time.
    pub max_retries: u32,
    /// The first wait; each next one is about twice as long.
    pub min_wait: Duration,
    /// The longest wait. Where the provider asks for more, its answer is an error at once.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 5, min_wait: Duration::from_millis(500), max_wait: Duration::from_secs(60) }
    }
}

/// Runs `request` until it succeeds, is refused, or has been tried often enough.
pub(super) async fn run<T, Reply: Future<Output = Result<T, EmbedError>>>(
    policy: RetryPolicy,
    request: impl FnMut() -> Reply,
) -> Result<T, EmbedError> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(policy.min_wait)
        .with_max_delay(policy.max_wait)
        .with_max_times(policy.max_retries as usize)
        .with_jitter();
    request
        .retry(waits)
        .when(|error| error.fault() == EmbedFault::Transient)
        .adjust(|error, planned| wait(policy, error.retry_after(), planned))
        .notify(|error, wait| tracing::debug!(%error, wait_ms = wait.as_millis() as u64, "embedding again"))
        .await
}

/// The wait before the next try; none means that there is none.
fn wait(policy: RetryPolicy, asked: Option<Duration>, planned: Option<Duration>) -> Option<Duration> {
    let planned = planned?;
    match asked {
        Some(asked) if asked > policy.max_wait => None,
        Some(asked) => Some(asked),
        None => Some(planned),
    }
}

/// Reads `Retry-After`, in seconds or as an HTTP date (RFC 9110, 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// Whether a connection failed because the two sides do not trust or understand each other, which waiting does not change.
pub(super) fn is_about_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        // An `io::Error` shows what is below its inner error as its source, so the inner one has to be asked for.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let cases = [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("99999999999999999999999", None),
        ];
        for (value, seconds) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_providers_wait_comes_first_unless_it_is_too_long() {
        let policy = RetryPolicy { max_wait: Duration::from_secs(60), ..RetryPolicy::default() };
        let seconds = Duration::from_secs;
        assert_eq!(wait(policy, None, Some(seconds(2))), Some(seconds(2)));
        assert_eq!(wait(policy, Some(seconds(9)), Some(seconds(2))), Some(seconds(9)));
        assert_eq!(wait(policy, Some(seconds(61)), Some(seconds(2))), None);
        assert_eq!(wait(policy, Some(seconds(9)), None), None);
    }
}
