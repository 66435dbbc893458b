//! When a chunk policy makes sense, and what identifies it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thiserror::Error;

use crate::model::{ChunkPolicy, Splitter};

/// The version of `text-splitter` that cuts; part of the identity, so that another version means other points.
pub const TEXT_SPLITTER_VERSION: &str = "0.33.1";
/// The version of `unicode-segmentation` that finds sentences; part of the identity of [`Splitter::Sentence`].
pub const UNICODE_SEGMENTATION_VERSION: &str = "1.13.3";

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
