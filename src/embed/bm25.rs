//! Sparse vectors for full-text ranking: the formula and the token ids of Qdrant's own `qdrant/bm25` inference.
//!
//! - A document's values are the saturated term frequencies, a query's are 1; the server multiplies by IDF (`modifier: idf`).
//! - Token id: murmur3 (32 bit, seed 0) of the processed token, its absolute value as a signed number. Tokens: words (runs of
//!   letters and digits), folded, lowercased, stop words dropped, stemmed, in this order.
//! - Defaults are the server's: `english`, `k` 1.2, `b` 0.75, `avg_len` 256. Other languages bring their stop words and, where
//!   there is one, their Snowball stemmer. `none` (as on the server) has neither: the choice for Vietnamese and for mixed text.
//! - Scripts that put no spaces between words (Han, kana, Thai, Lao, Burmese, Khmer) have no words that a run of letters
//!   could be: there each two neighbouring letters are a word, as in Lucene's analyzer of such texts. Text without these
//!   letters has the server's vectors.
//! - Needs the cargo feature `embedded`, which brings the code; without it [`Bm25::new`] says so.

mod bigrams;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

/// Names the formula and the token pipeline in digests. Changes only when the vectors of the same text change; a test holds them.
const FORMULA: &str = "qdrant-bm25/2";
/// The language, or stemmer, that is none.
#[cfg(feature = "embedded")]
const NONE: &str = "none";

/// A vector of few dimensions; indices ascend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SparseVector {
    pub indices: Vec<u32>,
    pub values: Vec<f32>,
}

/// What decides the vectors beside the text. All of it is part of the identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bm25Params {
    /// How fast repeated words stop counting; 0 or more.
    pub k: f64,
    /// How much long texts are held back; 0 to 1.
    pub b: f64,
    /// The average length of a chunk in words; more than 0.
    pub avg_len: f64,
    /// `english`, another language Qdrant knows, or `none`.
    pub language: String,
    /// A Snowball stemmer's language or `none`; where not given, the one of `language` if there is one.
    pub stemmer: Option<String>,
    /// Words to leave out; where not given, those of `language`.
    pub stopwords: Option<Vec<String>>,
    pub lowercase: bool,
    /// Whether letters lose their accents. Takes Vietnamese tones away too.
    pub ascii_folding: bool,
}

impl Default for Bm25Params {
    fn default() -> Self {
        Self {
            k: 1.2,
            b: 0.75,
            avg_len: 256.0,
            language: "english".to_owned(),
            stemmer: None,
            stopwords: None,
            lowercase: true,
            ascii_folding: false,
        }
    }
}

/// Why there is no BM25.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Bm25Error {
    #[error("this build of enact has no bm25; build it with the cargo feature \"embedded\"")]
    NotBuilt,
    #[error("bm25 setting \"{field}\" is {value}; it has to be {range}")]
    OutOfRange { field: &'static str, value: f64, range: &'static str },
    #[error("bm25 has no language \"{name}\"; \"none\" works with every language")]
    UnknownLanguage { name: String },
    #[error("bm25 has no stemmer \"{name}\"; \"none\" turns stemming off")]
    UnknownStemmer { name: String },
}

/// Makes sparse vectors.
#[derive(Debug)]
pub struct Bm25 {
    params: Bm25Params,
    model: engine::Model,
}

impl Bm25 {
    /// Checks the parameters and loads stop words and stemmer.
    pub fn new(params: Bm25Params) -> Result<Self, Bm25Error> {
        check_numbers(&params)?;
        let (params, model) = engine::build(params)?;
        Ok(Self { params, model })
    }

    /// The vector of a chunk.
    pub fn document(&self, text: &str) -> SparseVector {
        engine::document(&self.model, &bigrams::spaced(text))
    }

    /// The vector of a search.
    pub fn query(&self, text: &str) -> SparseVector {
        engine::query(&self.model, &bigrams::spaced(text))
    }

    /// Names everything that decides the vectors beside the text.
    pub fn identity(&self) -> BTreeMap<String, Value> {
        let Bm25Params { k, b, avg_len, language, stemmer, stopwords, lowercase, ascii_folding } = &self.params;
        BTreeMap::from([
            ("formula".to_owned(), json!(FORMULA)),
            ("k".to_owned(), json!(k)),
            ("b".to_owned(), json!(b)),
            ("avg_len".to_owned(), json!(avg_len)),
            ("language".to_owned(), json!(language)),
            ("stemmer".to_owned(), json!(stemmer)),
            ("stopwords".to_owned(), json!(stopwords)),
            ("lowercase".to_owned(), json!(lowercase)),
            ("ascii_folding".to_owned(), json!(ascii_folding)),
        ])
    }
}

fn check_numbers(params: &Bm25Params) -> Result<(), Bm25Error> {
    let Bm25Params { k, b, avg_len, .. } = *params;
    let checks = [
        ("k", k, k.is_finite() && k >= 0.0, "0 or more"),
        ("b", b, (0.0..=1.0).contains(&b), "from 0 to 1"),
        ("avg_len", avg_len, avg_len.is_finite() && avg_len > 0.0, "more than 0"),
    ];
    for (field, value, is_good, range) in checks {
        if !is_good {
            return Err(Bm25Error::OutOfRange { field, value, range });
        }
    }
    Ok(())
}

#[cfg(feature = "embedded")]
mod engine {
    use qdrant_edge::bm25_embed::{EdgeBm25, EdgeBm25Config};
    use qdrant_edge::{Language, SnowballLanguage};
    use serde_json::{Value, json};

    use super::{Bm25Error, Bm25Params, NONE, SparseVector};

    pub(super) type Model = EdgeBm25;

    /// Stands in where there is to be no stemmer: the engine has no way to say "none", but has none for this language, and
    /// uses the language for nothing else once the stop words are given.
    const WITHOUT_STEMMER: &str = "azerbaijani";

    /// Returns the parameters with their languages spelled in full and stop words in order, so that spelling does not change the identity.
    pub(super) fn build(mut params: Bm25Params) -> Result<(Bm25Params, Model), Bm25Error> {
        params.language = language(&params.language)?;
        params.stemmer = params.stemmer.as_deref().map(stemmer).transpose()?;
        if let Some(words) = &mut params.stopwords {
            words.sort();
            words.dedup();
        }
        let config: EdgeBm25Config = serde_json::from_value(config(&params))
            .unwrap_or_else(|error| panic!("BUG: checked bm25 settings were refused: {error}"));
        let model =
            EdgeBm25::new(config).unwrap_or_else(|error| panic!("BUG: checked bm25 settings were refused: {error}"));
        Ok((params, model))
    }

    pub(super) fn document(model: &Model, text: &str) -> SparseVector {
        let vector = model.embed_document(text);
        SparseVector { indices: vector.indices, values: vector.values }
    }

    pub(super) fn query(model: &Model, text: &str) -> SparseVector {
        let vector = model.embed_query(text);
        SparseVector { indices: vector.indices, values: vector.values }
    }

    fn config(params: &Bm25Params) -> Value {
        let Bm25Params { k, b, avg_len, language, stemmer, stopwords, lowercase, ascii_folding } = params;
        let has_no_stemmer = match stemmer {
            Some(stemmer) => stemmer == NONE,
            None => language == NONE,
        };
        let stopwords = match stopwords {
            Some(words) => json!({ "custom": words }),
            None if language == NONE => json!({ "custom": [] }),
            None => json!(language),
        };
        let mut config = json!({
            "k": k, "b": b, "avg_len": avg_len, "lowercase": lowercase, "ascii_folding": ascii_folding,
            "stopwords": stopwords,
            "language": if has_no_stemmer || language == NONE { WITHOUT_STEMMER } else { language },
        });
        if let (false, Some(stemmer)) = (has_no_stemmer, stemmer) {
            config["stemmer"] = json!({ "type": "snowball", "language": stemmer });
        }
        config
    }

    fn language(name: &str) -> Result<String, Bm25Error> {
        match name.parse::<Language>() {
            _ if name == NONE => Ok(NONE.to_owned()),
            Ok(language) => Ok(language.to_string()),
            Err(_) => Err(Bm25Error::UnknownLanguage { name: name.to_owned() }),
        }
    }

    fn stemmer(name: &str) -> Result<String, Bm25Error> {
        match name.parse::<SnowballLanguage>() {
            _ if name == NONE => Ok(NONE.to_owned()),
            Ok(language) => Ok(language.to_string()),
            Err(_) => Err(Bm25Error::UnknownStemmer { name: name.to_owned() }),
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod engine {
    use super::{Bm25Error, Bm25Params, SparseVector};

    /// Cannot be made.
    #[derive(Debug)]
    pub(super) enum Model {}

    pub(super) fn build(_: Bm25Params) -> Result<(Bm25Params, Model), Bm25Error> {
        Err(Bm25Error::NotBuilt)
    }

    pub(super) fn document(model: &Model, _: &str) -> SparseVector {
        match *model {}
    }

    pub(super) fn query(model: &Model, _: &str) -> SparseVector {
        match *model {}
    }
}

#[cfg(test)]
mod tests;
