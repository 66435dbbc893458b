//! Chunk policies: how a unit's body is cut and what text of a chunk is embedded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::placeholder::{PlaceholderError, Template};

/// How a unit becomes chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkPolicy {
    /// What finds the cuts.
    pub splitter: Splitter,
    /// The longest chunk, in characters (Unicode scalar values).
    pub max_chars: u32,
    /// How much of a chunk the next one repeats, in characters; less than `max_chars`.
    pub overlap_chars: u32,
    /// The text that is embedded.
    pub text: ChunkTemplate,
    /// What becomes of a unit without a body; must be chosen once a set holds such a unit.
    pub empty_body: Option<EmptyBody>,
}

/// What finds the cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Splitter {
    /// Markdown structure first.
    Markdown,
    /// Paragraphs, lines, sentences, words.
    Text,
    /// Whole sentences, packed greedily.
    Sentence,
}

/// What becomes of a unit without a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyBody {
    /// No chunk.
    Skip,
    /// One chunk of the title.
    Title,
    /// The plan is refused.
    Error,
}

/// A template that holds `{chunk}`; other names are `title`, `address` and the binding's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ChunkTemplate {
    source: String,
    template: Template,
}

/// Why a text is not a chunk template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The braces do not balance.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// The chunk itself is missing.
    #[error("the text \"{0}\" has no {{chunk}}")]
    NoChunk(String),
}

impl ChunkTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// When the braces do not balance or `{chunk}` is missing.
    pub fn parse(source: &str) -> Result<ChunkTemplate, TemplateError> {
        let template = Template::parse(source)?;
        if !template.names().any(|name| name == "chunk") {
            return Err(TemplateError::NoChunk(source.to_owned()));
        }
        Ok(ChunkTemplate { source: source.to_owned(), template })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The parsed template.
    pub fn template(&self) -> &Template {
        &self.template
    }
}

impl TryFrom<String> for ChunkTemplate {
    type Error = TemplateError;
    fn try_from(source: String) -> Result<ChunkTemplate, TemplateError> {
        ChunkTemplate::parse(&source)
    }
}

impl From<ChunkTemplate> for String {
    fn from(template: ChunkTemplate) -> String {
        template.source
    }
}
