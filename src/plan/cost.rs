//! What embedding will cost: texts, tokens, requests and money, for each embedder that a vector set uses.
//!
//! Tokens are estimates, so the rest is too. Requests are counted as the stage packs them: texts in order, within the
//! embedder's limits. Money is the price that the environment names for a million tokens; it names no currency, and
//! none is invented here.

use serde::{Deserialize, Serialize};

use super::saved::SavedPlan;
use super::step::VectorMaker;
use crate::diff::{ChunkSource, VectorChange};

/// Texts that the stage hands to an embedder at once.
const STAGED_TEXTS: u64 = 256;

/// On what terms a remote embedder works, as the environment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EmbeddingTerms {
    /// Texts in one request.
    pub max_texts: u32,
    /// Tokens in one request, by estimate.
    pub max_tokens: u32,
    /// Price of a million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_million_tokens: Option<String>,
}

/// What one embedder does for one vector set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingCost {
    /// The vector it makes.
    pub vector: String,
    /// What makes it.
    pub maker: VectorMaker,
    /// Texts.
    pub texts: u64,
    /// Estimated tokens.
    pub tokens: u64,
    /// Requests, where each is one to a server.
    pub requests: Option<u64>,
    /// The price of a million tokens and, in ten-thousandths of the same money and rounded up, what this costs.
    pub money: Option<(String, u64)>,
}

/// What the vectors of a set cost; empty where nothing of it is embedded.
pub fn embedding_costs(plan: &SavedPlan, set: &VectorChange) -> Vec<EmbeddingCost> {
    let chunks = set.units.iter().flat_map(|unit| &unit.chunks);
    let tokens: Vec<u64> = chunks
        .filter_map(|chunk| match chunk.source {
            ChunkSource::Embed { tokens } => Some(tokens),
            ChunkSource::Kept | ChunkSource::Copy { .. } | ChunkSource::Image { .. } => None,
        })
        .collect();
    let Some(pin) = plan.pins.sets.get(&set.set).filter(|_| !tokens.is_empty()) else { return Vec::new() };
    let cost = |(vector, maker): (&String, &VectorMaker)| {
        let terms = match maker {
            VectorMaker::Embedder(name) => plan.pins.embedding.get(name),
            VectorMaker::Bm25(_) => None,
        };
        let total = tokens.iter().sum();
        let price = terms.and_then(|terms| terms.price_per_million_tokens.as_ref());
        EmbeddingCost {
            vector: vector.clone(),
            maker: maker.clone(),
            texts: tokens.len() as u64,
            tokens: total,
            requests: terms.map(|terms| requests(&tokens, terms)),
            money: price.and_then(|price| Some((price.clone(), money(total, price)?))),
        }
    };
    pin.makers.iter().map(cost).collect()
}

fn requests(tokens: &[u64], terms: &EmbeddingTerms) -> u64 {
    let most = u64::from(terms.max_texts).clamp(1, STAGED_TEXTS);
    let (mut requests, mut texts, mut sum) = (0, 0, 0u64);
    for more in tokens {
        let full = texts >= most || sum.saturating_add(*more) > u64::from(terms.max_tokens);
        if texts == 0 || full {
            requests += 1;
            (texts, sum) = (0, 0);
        }
        texts += 1;
        sum = sum.saturating_add(*more);
    }
    requests
}

/// Ten-thousandths of the money, rounded up; `None` for a price that is no decimal number.
fn money(tokens: u64, price: &str) -> Option<u64> {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    let digits: String = format!("{fraction:0<8}").chars().take(8).collect();
    let price = format!("{whole}{digits}").parse::<u128>().ok()?;
    // In 10^-8 for a million tokens; so 10^-14 for one, and ten-thousandths are 10^10 of these.
    u64::try_from((u128::from(tokens) * price).div_ceil(10_000_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(max_texts: u32, max_tokens: u32) -> EmbeddingTerms {
        EmbeddingTerms { max_texts, max_tokens, price_per_million_tokens: None }
    }

    #[test]
    fn requests_keep_both_limits() {
        assert_eq!(requests(&[2, 1, 6, 1, 1, 1, 1], &terms(3, 4)), 4);
        assert_eq!(requests(&[1; 600], &terms(2_048, 100_000)), 3);
        assert_eq!(requests(&[9], &terms(0, 0)), 1);
    }

    #[test]
    fn money_is_exact_and_rounded_up() {
        assert_eq!(money(93_000, "0.02"), Some(19));
        assert_eq!(money(1_000_000, "0.13"), Some(1_300));
        assert_eq!(money(1, "0.02"), Some(1));
        assert_eq!(money(0, "5"), Some(0));
        assert_eq!(money(1_500_000, "2"), Some(30_000));
        assert_eq!(money(1, "free"), None);
    }
}
