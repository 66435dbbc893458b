//! Cutting one unit.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::Digest as _;
use text_splitter::{Characters, ChunkConfig, MarkdownSplitter, TextSplitter};
use thiserror::Error;

use super::policy::PolicyError;
use super::sentence;
use crate::model::{ChunkPolicy, EmptyBody, PlaceholderError, Splitter};

/// What is read of a unit.
#[derive(Debug, Clone, Copy)]
pub struct ChunkInput<'a> {
    pub title: &'a str,
    pub address: &'a str,
    pub body: &'a str,
    /// The fields a template may name.
    pub fields: &'a BTreeMap<String, String>,
}

/// One piece of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// 0 for the first chunk of the unit.
    pub ordinal: u32,
    /// What is embedded: the template filled in.
    pub text: String,
    /// The chunk alone.
    pub body: String,
}

impl Chunk {
    /// SHA-256 of the chunk alone, in hex: what ledgers and points know a text by.
    pub fn sha256(&self) -> String {
        hex::encode(sha2::Sha256::digest(self.body.as_bytes()))
    }
}

/// Why a unit cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChunkError {
    #[error("the chunk policy cannot be used")]
    Policy(#[from] PolicyError),
    #[error("unit \"{address}\" has an empty body, and the chunk policy says that is an error")]
    EmptyBody { address: String },
    #[error("unit \"{address}\" has an empty body, and the chunk policy does not say what then; set \"empty_body\"")]
    EmptyBodyUndecided { address: String },
    #[error("unit \"{address}\" has an empty body and an empty title")]
    EmptyTitle { address: String },
    #[error("the text template names field \"{name}\", which the unit does not have")]
    MissingField { name: String },
}

/// Cuts a unit into chunks, in the order of its body.
pub fn split(policy: &ChunkPolicy, input: &ChunkInput<'_>) -> Result<Vec<Chunk>, ChunkError> {
    policy.validate()?;
    if input.body.trim().is_empty() {
        return without_body(policy, input);
    }
    let chunk =
        |(ordinal, body): (u32, &str)| Ok(Chunk { ordinal, text: fill(policy, input, body)?, body: body.to_owned() });
    (0..).zip(bodies(policy, input.body)).map(chunk).collect()
}

/// The text that is embedded for one chunk.
fn fill(policy: &ChunkPolicy, input: &ChunkInput<'_>, chunk: &str) -> Result<String, ChunkError> {
    let scope = |name: &str| {
        let text = match name {
            "title" => input.title,
            "address" => input.address,
            "chunk" => chunk,
            other => input.fields.get(other)?,
        };
        Some(Value::from(text))
    };
    policy.text.template().fill_text(&scope).map_err(|error| match error {
        PlaceholderError::Unknown { name } => ChunkError::MissingField { name },
        PlaceholderError::Unbalanced { .. } => panic!("BUG: a parsed template does not balance"),
    })
}

/// `text-splitter`'s configuration for characters with outer whitespace removed.
///
/// The overlap must have been validated to be less than the maximum.
pub(super) fn config(max_chars: u32, overlap_chars: u32) -> ChunkConfig<Characters> {
    ChunkConfig::new(max_chars as usize)
        .with_trim(true)
        .with_overlap(overlap_chars as usize)
        .unwrap_or_else(|error| panic!("BUG: a validated policy was refused: {error}"))
}

fn without_body(policy: &ChunkPolicy, input: &ChunkInput<'_>) -> Result<Vec<Chunk>, ChunkError> {
    let address = input.address.to_owned();
    let title = input.title.trim();
    match policy.empty_body {
        Some(EmptyBody::Skip) => Ok(Vec::new()),
        Some(EmptyBody::Title) if title.is_empty() => Err(ChunkError::EmptyTitle { address }),
        Some(EmptyBody::Title) => Ok(vec![Chunk { ordinal: 0, text: title.to_owned(), body: title.to_owned() }]),
        Some(EmptyBody::Error) => Err(ChunkError::EmptyBody { address }),
        None => Err(ChunkError::EmptyBodyUndecided { address }),
    }
}

/// The chunk bodies, as slices of `body`.
pub(super) fn bodies<'a>(policy: &ChunkPolicy, body: &'a str) -> Vec<&'a str> {
    let (max, overlap) = (policy.max_chars, policy.overlap_chars);
    match policy.splitter {
        Splitter::Markdown => MarkdownSplitter::new(config(max, overlap)).chunks(body).collect(),
        Splitter::Text => TextSplitter::new(config(max, overlap)).chunks(body).collect(),
        Splitter::Sentence => sentence::pack(body, max, overlap),
    }
}
