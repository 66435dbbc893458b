//! The makers of vectors by name: embedders, and BM25 by language.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Bm25, Bm25Error, Bm25Params, EmbedError, Embedder};

/// Everything that can make a vector in one environment.
#[derive(Clone, Default)]
pub struct Makers {
    /// Embedders by name.
    pub embedders: BTreeMap<String, Arc<dyn Embedder>>,
}

impl Makers {
    /// The embedder of this name.
    pub fn embedder(&self, name: &str) -> Option<&Arc<dyn Embedder>> {
        self.embedders.get(name)
    }

    /// Makes the BM25 of a language.
    ///
    /// # Errors
    /// An unknown language, or a build without BM25.
    pub fn bm25(language: &str) -> Result<Bm25, Bm25Error> {
        Bm25::new(Bm25Params { language: language.to_owned(), ..Bm25Params::default() })
    }

    /// Embeds with the embedder of this name.
    ///
    /// # Errors
    /// Those of the embedder.
    pub async fn embed(&self, name: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        match self.embedders.get(name) {
            Some(embedder) => embedder.embed(texts).await,
            None => panic!("BUG: a plan for this environment names the embedder \"{name}\", which it does not have"),
        }
    }
}
