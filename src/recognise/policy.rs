//! Finds a chunk policy that cuts texts as they were cut.

use std::collections::BTreeMap;

use crate::chunk::{Chunk, ChunkInput, split};
use crate::model::{ChunkPolicy, ChunkTemplate, EmptyBody, Splitter};

/// Longest chunks that are tried, in characters: sizes that people and tools choose.
const SIZES: [u32; 18] =
    [256, 384, 400, 500, 512, 768, 800, 1_000, 1_024, 1_200, 1_500, 1_536, 1_800, 2_000, 2_048, 3_000, 4_000, 8_000];
/// Overlaps that are tried, none first.
const OVERLAPS: [u32; 6] = [0, 50, 64, 100, 150, 200];
const SPLITTERS: [Splitter; 3] = [Splitter::Text, Splitter::Markdown, Splitter::Sentence];

/// A unit's text and how it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutUnit {
    /// Its body.
    pub body: String,
    /// SHA-256 of the text of each chunk, in order.
    pub chunks: Vec<String>,
}

/// A policy that cuts as it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fit {
    /// The policy, with the longest of the sizes that fit: it leaves what is there alone for longest.
    pub policy: ChunkPolicy,
    /// The sizes that fit, of those that were tried.
    pub sizes: Vec<u32>,
}

/// Tries the usual policies on texts. `None` when each cuts at least one of them otherwise, or there is no text.
pub(super) fn fit(units: &[CutUnit]) -> Option<Fit> {
    if units.is_empty() {
        return None;
    }
    // Those with the most chunks rule out the most.
    let mut hardest: Vec<&CutUnit> = units.iter().collect();
    hardest.sort_by_key(|unit| std::cmp::Reverse(unit.chunks.len()));
    let tries = OVERLAPS.into_iter().flat_map(|overlap| SPLITTERS.map(|splitter| (overlap, splitter)));
    tries.into_iter().find_map(|(overlap, splitter)| {
        let fitting = SIZES.into_iter().filter(|size| *size > overlap);
        let sizes: Vec<u32> =
            fitting.filter(|size| hardest.iter().all(|unit| fits(&policy(splitter, *size, overlap), unit))).collect();
        let longest = *sizes.last()?;
        Some(Fit { policy: policy(splitter, longest, overlap), sizes })
    })
}

/// The policy that is written where none fits.
pub(super) fn unproven() -> ChunkPolicy {
    policy(Splitter::Text, 1_800, 0)
}

fn policy(splitter: Splitter, max_chars: u32, overlap_chars: u32) -> ChunkPolicy {
    let Ok(text) = ChunkTemplate::parse("{chunk}") else { panic!("BUG: the bare chunk is a template") };
    ChunkPolicy { splitter, max_chars, overlap_chars, text, empty_body: Some(EmptyBody::Skip) }
}

fn fits(policy: &ChunkPolicy, unit: &CutUnit) -> bool {
    let fields = BTreeMap::new();
    let Ok(chunks) = split(policy, &ChunkInput { title: "", address: "", body: &unit.body, fields: &fields }) else {
        return false;
    };
    chunks.len() == unit.chunks.len() && chunks.iter().map(Chunk::sha256).eq(unit.chunks.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(splitter: Splitter, size: u32, overlap: u32, bodies: &[String]) -> Vec<CutUnit> {
        let with = policy(splitter, size, overlap);
        let fields = BTreeMap::new();
        let one = |body: &String| {
            let input = ChunkInput { title: "", address: "", body, fields: &fields };
            let chunks = split(&with, &input).unwrap();
            CutUnit { body: body.clone(), chunks: chunks.iter().map(Chunk::sha256).collect() }
        };
        bodies.iter().map(one).collect()
    }

    fn bodies() -> Vec<String> {
        let sentence = "The steward answers within ten days, and says why. ";
        (1..6).map(|n| format!("# Part {n}\n\n{}\n\n{}", sentence.repeat(12 * n), sentence.repeat(7))).collect()
    }

    #[test]
    fn the_policy_that_cut_the_texts_is_found() {
        for (splitter, size, overlap) in [
            (Splitter::Text, 500, 0),
            (Splitter::Markdown, 800, 0),
            (Splitter::Sentence, 400, 0),
            (Splitter::Text, 1_000, 150),
        ] {
            let units = cut(splitter, size, overlap, &bodies());
            let found = fit(&units).unwrap();
            assert!(found.sizes.contains(&size), "{splitter:?} {size}: {found:?}");
            assert_eq!(found.policy.overlap_chars, overlap);
            assert!(units.iter().all(|unit| fits(&found.policy, unit)), "{found:?}");
        }
    }

    #[test]
    fn texts_that_no_policy_cuts_so_have_none() {
        let mut units = cut(Splitter::Text, 500, 0, &bodies());
        units[0].chunks[0] = "another".to_owned();
        assert_eq!(fit(&units), None);
        assert_eq!(fit(&[]), None);
    }
}
