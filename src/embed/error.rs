//! What goes wrong with embedders, whether trying again can help, and what to change.
//!
//! No message holds a key or a text to embed: providers quote both in theirs, so of an error answer only the status and a short
//! machine-readable code are kept.

use std::time::Duration;

use thiserror::Error;

/// Whether trying again can help. Embedding has no effects, so there is no "in doubt".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedFault {
    /// The same request will be refused again.
    Refused,
    /// The same request may succeed later.
    Transient,
}

/// Why there are no vectors.
#[derive(Debug, Error)]
pub enum EmbedError {
    #[error("text {index} of the batch is empty")]
    EmptyText { index: usize },
    #[error("text {index} of the batch has no token that model \"{model}\" knows")]
    NoKnownToken { index: usize, model: String },
    #[error("embedder setting \"{field}\" {problem}")]
    Setting { field: &'static str, problem: String },
    #[error("model file \"{path}\" {problem}")]
    ModelFile { path: String, problem: String },
    #[error("\"{endpoint}\" cannot be reached")]
    Unreachable {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("no trusted connection to \"{endpoint}\"")]
    Untrusted {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("\"{endpoint}\" did not answer within {timeout_ms} ms")]
    Timeout { endpoint: String, timeout_ms: u128 },
    #[error("\"{endpoint}\" answered {status}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Rejected { endpoint: String, status: u16, code: Option<String>, retry_after: Option<Duration> },
    #[error("\"{endpoint}\" answered with {problem}")]
    Answer { endpoint: String, problem: AnswerProblem },
}

/// What is wrong with an answer that claims success.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AnswerProblem {
    #[error("something that is not the JSON of an embeddings answer (line {line}, column {column})")]
    NotEmbeddings { line: usize, column: usize },
    #[error("more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{got} vectors for {expected} texts")]
    Count { expected: usize, got: usize },
    #[error("vectors whose \"index\" is not each of 0 to {last} once")]
    Order { last: usize },
    #[error("a vector of dimension {got}, not {expected}")]
    Dimension { expected: u32, got: usize },
    #[error("a vector with a number that is not finite")]
    NotFinite,
}

impl EmbedError {
    /// Whether trying again can help.
    pub fn fault(&self) -> EmbedFault {
        match self {
            Self::EmptyText { .. }
            | Self::NoKnownToken { .. }
            | Self::Setting { .. }
            | Self::ModelFile { .. }
            | Self::Untrusted { .. }
            | Self::Answer { .. } => EmbedFault::Refused,
            Self::Unreachable { .. } | Self::Timeout { .. } => EmbedFault::Transient,
            Self::Rejected { status, code, .. } => rejection(*status, code.as_deref()),
        }
    }

    /// How long the provider asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } => *retry_after,
            Self::EmptyText { .. }
            | Self::NoKnownToken { .. }
            | Self::Setting { .. }
            | Self::ModelFile { .. }
            | Self::Untrusted { .. }
            | Self::Answer { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. } => None,
        }
    }

    /// What to type or change.
    pub fn hint(&self) -> String {
        match self {
            Self::EmptyText { .. } => "set \"empty_body\" in the chunk policy".to_owned(),
            Self::NoKnownToken { .. } => {
                "put the title into the chunk policy's \"text\", or name another embedder in enact.yaml".to_owned()
            }
            Self::Setting { field, .. } => format!("correct \"{field}\" of the embedder in enact.yaml"),
            Self::ModelFile { .. } => {
                "give the embedder's \"path\" a directory with model.safetensors, tokenizer.json and config.json".to_owned()
            }
            Self::Unreachable { endpoint, .. } => format!("check that a server listens at \"{endpoint}\", or correct \"base_url\""),
            Self::Untrusted { .. } => {
                "install the system's CA certificates or set SSL_CERT_FILE to the server's CA; for a server without TLS write http:// in \"base_url\"".to_owned()
            }
            Self::Timeout { .. } => "raise the embedder's \"timeout\", or lower \"max_texts\"".to_owned(),
            Self::Rejected { status, code, .. } => rejection_hint(*status, code.as_deref()).to_owned(),
            Self::Answer { problem, .. } => problem.hint(),
        }
    }
}

impl AnswerProblem {
    fn hint(&self) -> String {
        match self {
            Self::Dimension { got, .. } => {
                format!("set the embedder's \"dimension\" to {got}, or choose the model that makes the dimension you want")
            }
            Self::NotEmbeddings { .. } => {
                "check \"base_url\": it is the part before /embeddings, for example https://api.openai.com/v1".to_owned()
            }
            Self::TooLarge { .. } => "check the embedder's \"dimension\", or lower \"max_texts\"".to_owned(),
            Self::Count { .. } | Self::Order { .. } => {
                "set the embedder's \"max_texts\" to 1; if that does not help, the server does not speak the OpenAI protocol".to_owned()
            }
            Self::NotFinite => "choose another model: this one fails on some of the texts".to_owned(),
        }
    }
}

/// OpenAI's code for an account without money, sent with 429 though waiting does not help.
const NO_QUOTA: &str = "insufficient_quota";

fn rejection(status: u16, code: Option<&str>) -> EmbedFault {
    match status {
        429 if code == Some(NO_QUOTA) => EmbedFault::Refused,
        408 | 425 | 429 | 500..=599 => EmbedFault::Transient,
        _ => EmbedFault::Refused,
    }
}

fn rejection_hint(status: u16, code: Option<&str>) -> &'static str {
    match status {
        300..=399 => "correct \"base_url\": the server sends requests elsewhere",
        401 | 403 => "check the embedder's \"api_key\" and what it may use",
        404 | 405 => "check \"base_url\" (the part before /embeddings) and that the server has the \"model\"",
        413 => "lower the embedder's \"max_texts\" or \"max_tokens\"",
        400..=407 | 409..=424 => {
            "check \"model\" and \"dimension\", and that \"max_chars\" of the chunk policy fits what the model can read"
        }
        429 if code == Some(NO_QUOTA) => "the account has no quota left: add some, or use another \"api_key\"",
        429 => "wait, or lower the embedder's \"concurrency\"",
        _ => "try again later",
    }
}
