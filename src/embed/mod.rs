//! Turns texts into vectors.
//!
//! ```text
//!            ┌─ StaticEmbedder   compiled in, or a directory; no network; exact token counts
//! Embedder ──┤
//!            └─ OpenAiEmbedder   any OpenAI-compatible /v1/embeddings; batches, bounded concurrency, retries
//! Bm25                           sparse; Qdrant's own formula and token ids; IDF is the server's
//! ```
//!
//! - An embedder answers with one vector for each text, in the order of the texts, of the dimension its identity names, and of finite
//!   numbers; or with an error and nothing else. Embedding has no effect on either store, so no answer is ever in doubt.
//! - An identity says which vectors belong together: another identity means other points.
//! - Errors carry a fault, `Refused` or `Transient`; nothing reads message text. No error holds a key or a text to embed.
//! - Nothing is loaded, hashed or connected to before the first use of an embedder from the compiled-in model.
//!
//! *Not here:* which texts are embedded (`chunk`), when, and where vectors go (`apply`, `store`); reading `enact.yaml` (`spec`).

mod bm25;
mod embedder;
mod makers;
mod error;
mod openai;
mod static_model;

pub use bm25::{Bm25, Bm25Error, Bm25Params, SparseVector};
pub use embedder::{BatchLimits, Embedder, EmbedderIdentity, Probe, batches};
pub use error::{AnswerProblem, EmbedError, EmbedFault};
pub use makers::Makers;
pub use openai::{OpenAiConfig, OpenAiEmbedder, RetryPolicy};
pub use static_model::StaticEmbedder;
