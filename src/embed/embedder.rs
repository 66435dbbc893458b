//! What every embedder offers, and how texts are packed into batches.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::error::EmbedError;
pub use crate::model::EmbedderIdentity;

/// Makes one vector for each text.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// What the vectors depend on beside the text. Known without any work.
    fn identity(&self) -> &EmbedderIdentity;

    /// How much one batch may hold. [`Embedder::embed`] accepts more and splits it itself.
    fn limits(&self) -> BatchLimits;

    /// Counts a text's tokens: exact for `static`, an estimate for `openai`, whose tokenizer is not known here.
    fn count_tokens(&self, text: &str) -> u64;

    /// Embeds all texts or none. Cancel safe: dropping the future leaves nothing behind.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// Embeds one short fixed text, to find out before an apply whether the embedder answers as configured.
    async fn probe(&self) -> Result<Probe, EmbedError>;
}

/// The most that goes into one batch. At least one text always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchLimits {
    pub max_texts: u32,
    pub max_tokens: u64,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub dimension: u32,
    pub elapsed: Duration,
    /// The model's name as the provider gives it.
    pub reported_model: Option<String>,
}

/// Packs texts, in order, into ranges within the limits. A text over the limit is a batch of its own.
pub fn batches(texts: &[String], limits: BatchLimits, count: impl Fn(&str) -> u64) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut tokens) = (0, 0u64);
    for (at, text) in texts.iter().enumerate() {
        let more = count(text);
        let is_full = at - start >= limits.max_texts as usize || tokens.saturating_add(more) > limits.max_tokens;
        if at > start && is_full {
            ranges.push(start..at);
            (start, tokens) = (at, 0);
        }
        tokens = tokens.saturating_add(more);
    }
    if start < texts.len() {
        ranges.push(start..texts.len());
    }
    ranges
}

/// Refuses texts with nothing to embed before any work is done.
pub(super) fn refuse_empty(texts: &[String]) -> Result<(), EmbedError> {
    match texts.iter().position(|text| text.trim().is_empty()) {
        Some(index) => Err(EmbedError::EmptyText { index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits_and_the_order() {
        let texts: Vec<String> = ["aa", "b", "cccccc", "d", "e", "f", "g"].map(str::to_owned).into();
        let limits = BatchLimits { max_texts: 3, max_tokens: 4 };
        let count = |text: &str| text.len() as u64;
        assert_eq!(batches(&texts, limits, count), [0..2, 2..3, 3..6, 6..7]);
        assert!(batches(&[], limits, count).is_empty());
        let nothing = BatchLimits { max_texts: 0, max_tokens: 0 };
        assert_eq!(batches(&texts[..2], nothing, count), [0..1, 1..2]);
    }
}
