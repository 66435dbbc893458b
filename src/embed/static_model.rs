//! Static token embeddings: the mean of the tokens' rows, at unit length.
//!
//! - The compiled-in model (`assets/static-minilm-128`) is English, needs no network, and is read on first use. Its rows are int8; they
//!   are added as integers, so a text's vector has the same bits on every machine.
//! - A directory holds the same three files: `model.safetensors` (tensor `embeddings`, tokens x dimension, `I8`, `F16` or
//!   `F32`), `tokenizer.json` (any Hugging Face tokenizer) and `config.json`. It is read when the embedder is made.
//! - Special tokens are not added. Rows of zeros (special and unknown tokens of the compiled-in model) say nothing; a text of
//!   nothing else is an error, because a vector without direction cannot be ranked.
//! - The `tokenizers` crate makes the compiled-in model ready in 50 ms in the dev profile, so there is no tokenizer of our own.

mod table;

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use async_trait::async_trait;
use serde::Deserialize;
use tokenizers::Tokenizer;

use self::table::Table;
use super::embedder::{BatchLimits, Embedder, EmbedderIdentity, Probe, refuse_empty};
use super::error::EmbedError;

static WEIGHTS: &[u8] = include_bytes!("../../assets/static-minilm-128/model.safetensors");
static TOKENIZER: &[u8] = include_bytes!("../../assets/static-minilm-128/tokenizer.json");
const NAME: &str = "static-minilm-128";
const DIMENSION: u32 = 128;
/// [`revision`] of the two files above; a test holds it. Written down so that the identity costs nothing.
const REVISION: &str = "fbd141171318498183886a9f4b749b0dd2d3085c444d55cc3b6b6768ed0b2c3c";

/// Small, so that a request is spread over all cores: about a millisecond for 64 chunks.
const LIMITS: BatchLimits = BatchLimits { max_texts: 64, max_tokens: 64 * 1024 };

static BUILT_IN: LazyLock<Model> = LazyLock::new(|| {
    let config = Config { normalize: true, hidden_dim: DIMENSION };
    Model::parse(config, WEIGHTS, TOKENIZER)
        .unwrap_or_else(|(file, problem)| panic!("BUG: the compiled-in {file} {problem}"))
});

/// Embeds by looking tokens up in a table.
pub struct StaticEmbedder {
    identity: EmbedderIdentity,
    source: Source,
}

#[derive(Clone)]
enum Source {
    BuiltIn,
    Directory(Arc<Model>),
}

struct Model {
    tokenizer: Tokenizer,
    table: Table,
}

/// The part of `config.json` that is read.
#[derive(Debug, Deserialize)]
struct Config {
    normalize: bool,
    hidden_dim: u32,
}

/// Which file is wrong, and how.
type FileProblem = (&'static str, String);

impl StaticEmbedder {
    /// The compiled-in model. Does no work.
    pub fn built_in() -> Self {
        let identity = EmbedderIdentity {
            kind: "static".to_owned(),
            model: NAME.to_owned(),
            dimension: DIMENSION,
            revision: Some(REVISION.to_owned()),
        };
        Self { identity, source: Source::BuiltIn }
    }

    /// A model in a directory, known as the directory's name.
    pub fn open(directory: &Path) -> Result<Self, EmbedError> {
        let problem = |(file, problem)| {
            let path = directory.join(file).display().to_string();
            EmbedError::ModelFile { path, problem }
        };
        let read =
            |file| fs::read(directory.join(file)).map_err(|error| problem((file, format!("cannot be read: {error}"))));
        let (config, weights, tokenizer) = (read("config.json")?, read("model.safetensors")?, read("tokenizer.json")?);
        let config: Config = serde_json::from_slice(&config)
            .map_err(|error| problem(("config.json", format!("is not a static model's configuration: {error}"))))?;
        let identity = EmbedderIdentity {
            kind: "static".to_owned(),
            model: directory.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned()),
            dimension: config.hidden_dim,
            revision: Some(revision(&weights, &tokenizer)),
        };
        let model = Model::parse(config, &weights, &tokenizer).map_err(problem)?;
        Ok(Self { identity, source: Source::Directory(Arc::new(model)) })
    }

    fn no_token(&self, index: usize) -> EmbedError {
        EmbedError::NoKnownToken { index, model: self.identity.model.clone() }
    }
}

#[async_trait]
impl Embedder for StaticEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        &self.identity
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    /// Exact.
    fn count_tokens(&self, text: &str) -> u64 {
        self.source.model().ids(text).map_or(0, |ids| ids.len() as u64)
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        refuse_empty(texts)?;
        let parts = texts.chunks(LIMITS.max_texts as usize).map(|part| {
            let (source, part) = (self.source.clone(), part.to_vec());
            tokio::task::spawn_blocking(move || -> Vec<Option<Vec<f32>>> {
                part.iter().map(|text| source.model().vector(text)).collect()
            })
        });
        let mut vectors = Vec::with_capacity(texts.len());
        for part in parts.collect::<Vec<_>>() {
            match part.await {
                Ok(made) => vectors.extend(made),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        vectors.into_iter().enumerate().map(|(index, made)| made.ok_or_else(|| self.no_token(index))).collect()
    }

    async fn probe(&self) -> Result<Probe, EmbedError> {
        let start = Instant::now();
        self.source.model().vector("probe").ok_or_else(|| self.no_token(0))?;
        Ok(Probe { dimension: self.identity.dimension, elapsed: start.elapsed(), reported_model: None })
    }
}

impl Source {
    fn model(&self) -> &Model {
        match self {
            Source::BuiltIn => &BUILT_IN,
            Source::Directory(model) => model,
        }
    }
}

impl Model {
    fn parse(config: Config, weights: &[u8], tokenizer: &[u8]) -> Result<Self, FileProblem> {
        if !config.normalize {
            return Err((
                "config.json",
                "has \"normalize\": false; only models of unit length are supported".to_owned(),
            ));
        }
        let table = Table::parse(weights, config.hidden_dim).map_err(|problem| ("model.safetensors", problem))?;
        let mut tokenizer = Tokenizer::from_bytes(tokenizer)
            .map_err(|error| ("tokenizer.json", format!("is not a tokenizer: {error}")))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| ("tokenizer.json", format!("cannot be used without truncation: {error}")))?;
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        if highest as usize >= table.rows() {
            return Err(("tokenizer.json", format!("has token {highest}, but the model has {} rows", table.rows())));
        }
        Ok(Self { tokenizer, table })
    }

    /// The vector of a text; none where it has no token that says anything.
    fn vector(&self, text: &str) -> Option<Vec<f32>> {
        self.table.unit_mean(&self.ids(text)?)
    }

    /// The tokens of a text; none where the tokenizer cannot read it (one without an unknown token).
    fn ids(&self, text: &str) -> Option<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).ok()?;
        Some(encoding.get_ids().to_vec())
    }
}

/// BLAKE3 over both files, each after its length, because either changes the vectors.
fn revision(weights: &[u8], tokenizer: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in [weights, tokenizer] {
        hasher.update(&(file.len() as u64).to_le_bytes());
        hasher.update(file);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests;
