//! What a chunk policy is, when it makes sense, and what identifies it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::template::ChunkTemplate;

/// The version of `text-splitter` that cuts; part of the identity, so that another version means other points.
pub const TEXT_SPLITTER_VERSION: &str = "0.33.1";
/// The version of `unicode-segmentation` that finds sentences; part of the identity of [`Splitter::Sentence`].
pub const UNICODE_SEGMENTATION_VERSION: &str = "1.13.3";

/// Where a body may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Splitter {
    /// At headings, then blocks, then inline elements, then as [`Splitter::Text`].
    Markdown,
    /// At runs of line breaks, longest first, then sentences, words, characters.
    Text,
    /// Whole sentences (UAX #29), packed up to the maximum; the overlap is whole sentences too.
    Sentence,
}

/// What a unit with a whitespace-only body becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyBody {
    /// No chunks.
    Skip,
    /// One chunk whose text is the title.
    Title,
    /// An error that names the unit.
    Error,
}

/// How units are cut and what text is embedded for each chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkPolicy {
    pub splitter: Splitter,
    /// No chunk body is longer, in characters.
    pub max_chars: u32,
    /// How much of the end of a chunk the next one may repeat, in characters; less than `max_chars`.
    pub overlap_chars: u32,
    pub text: ChunkTemplate,
    /// No default: an empty body without a decision is an error.
    pub empty_body: Option<EmptyBody>,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    #[error("\"max_chars\" is 0")]
    NoRoom,
    #[error("\"overlap_chars\" ({overlap_chars}) is not less than \"max_chars\" ({max_chars})")]
    OverlapTooLarge { overlap_chars: u32, max_chars: u32 },
}

impl ChunkPolicy {
    /// Checks that chunks have room and that each chunk moves forward.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let (max_chars, overlap_chars) = (self.max_chars, self.overlap_chars);
        if max_chars == 0 {
            return Err(PolicyError::NoRoom);
        }
        if overlap_chars >= max_chars {
            return Err(PolicyError::OverlapTooLarge { overlap_chars, max_chars });
        }
        Ok(())
    }

    /// Names everything that decides a chunk's text beside the unit itself.
    ///
    /// `empty_body` is left out: it decides whether a chunk exists, not what is in it, so adding one
    /// does not make every other point of the set a different point.
    pub fn identity(&self) -> BTreeMap<String, Value> {
        let Self { splitter, max_chars, overlap_chars, text, empty_body: _ } = self;
        let mut library = vec![format!("text-splitter {TEXT_SPLITTER_VERSION}")];
        if *splitter == Splitter::Sentence {
            library.push(format!("unicode-segmentation {UNICODE_SEGMENTATION_VERSION}"));
        }
        BTreeMap::from([
            ("splitter".to_owned(), json!(splitter)),
            ("library".to_owned(), json!(library)),
            ("max_chars".to_owned(), json!(max_chars)),
            ("overlap_chars".to_owned(), json!(overlap_chars)),
            ("text".to_owned(), json!(text.source())),
        ])
    }
}
