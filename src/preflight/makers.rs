//! Embedders and BM25: each is asked for one short text.

use super::found::{Area, Found};
use super::needs::Needs;
use crate::diff::codes as plan_codes;
use crate::embed::{EmbedError, Makers};
use crate::model::name_hint;

/// Probes. A hosted embedder is sent one request for one word.
pub async fn probe_makers(makers: &Makers, needs: &Needs) -> Vec<Found> {
    let mut out = Vec::new();
    for (name, place) in &needs.embedders {
        let what = format!("embedder {name}");
        let found = match makers.embedder(name) {
            None => Found::failed(
                Area::Embedders,
                plan_codes::UNKNOWN_EMBEDDER,
                what,
                "the environment has none of this name",
            )
            .change(name_hint(name, makers.embedders.keys().map(String::as_str))),
            Some(embedder) => match embedder.probe().await {
                Ok(probe) => {
                    let identity = embedder.identity();
                    let model = probe.reported_model.as_deref().unwrap_or(&identity.model);
                    Found::ok(
                        Area::Embedders,
                        what,
                        format!("{} {model} answers with {} dimensions", identity.kind, probe.dimension),
                    )
                }
                Err(error) => Found::failed(Area::Embedders, plan_codes::EMBEDDER, what, with_sources(&error))
                    .change(error.hint()),
            },
        };
        out.push(found.at(place.as_ref()));
    }
    for (language, place) in &needs.languages {
        let what = format!("bm25 {language}");
        let found = match Makers::bm25(language) {
            Ok(_) => Found::ok(Area::Embedders, what, "available"),
            Err(error) => Found::failed(Area::Embedders, plan_codes::EMBEDDER, what, error.to_string()),
        };
        out.push(found.at(place.as_ref()));
    }
    out
}

fn with_sources(error: &EmbedError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}
