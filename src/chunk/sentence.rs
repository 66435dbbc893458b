//! The sentence splitter: whole sentences, packed greedily.
//!
//! Boundaries are those of UAX #29 (a line break ends a sentence). A sentence longer than the maximum is cut as plain text.
//! The next chunk begins with as many whole sentences of the one before as fit into the overlap and leave room for a
//! new one, so every chunk brings at least one new sentence.

use text_splitter::TextSplitter;
use unicode_segmentation::UnicodeSegmentation;

use super::split::config;

/// A sentence without its outer whitespace, or a piece of one that is too long; offsets into the body.
#[derive(Debug, Clone, Copy)]
struct Unit {
    bytes: (usize, usize),
    chars: (usize, usize),
}

/// Cuts `body`; `overlap_chars` must be less than `max_chars`.
pub(super) fn pack(body: &str, max_chars: u32, overlap_chars: u32) -> Vec<&str> {
    let units = units(body, max_chars);
    let (max, overlap) = (max_chars as usize, overlap_chars as usize);
    let length = |first: usize, last: usize| units[last].chars.1 - units[first].chars.0;
    let mut chunks = Vec::new();
    // units[first..new] is the overlap, units[new..end] is what this chunk adds.
    let (mut first, mut new) = (0, 0);
    while new < units.len() {
        while first < new && length(first, new) > max {
            first += 1;
        }
        let mut end = new + 1;
        while end < units.len() && length(first, end) <= max {
            end += 1;
        }
        chunks.push(&body[units[first].bytes.0..units[end - 1].bytes.1]);
        first = end;
        while first > 0 && length(first - 1, end - 1) <= overlap {
            first -= 1;
        }
        new = end;
    }
    chunks
}

fn units(body: &str, max_chars: u32) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut chars = 0;
    for (start, sentence) in body.split_sentence_bound_indices() {
        let text = sentence.trim();
        let lead = sentence.len() - sentence.trim_start().len();
        let before = chars + sentence[..lead].chars().count();
        chars += sentence.chars().count();
        pieces(text, max_chars, |at, piece| {
            let from = before + text[..at].chars().count();
            let byte = start + lead + at;
            units.push(Unit { bytes: (byte, byte + piece.len()), chars: (from, from + piece.chars().count()) });
        });
    }
    units
}

/// Calls `found` with the pieces of a sentence that fit, and where in it each begins.
fn pieces(sentence: &str, max_chars: u32, mut found: impl FnMut(usize, &str)) {
    if sentence.is_empty() {
        return;
    }
    if sentence.chars().count() <= max_chars as usize {
        return found(0, sentence);
    }
    for (at, piece) in TextSplitter::new(config(max_chars, 0)).chunk_indices(sentence) {
        found(at, piece);
    }
}
