//! What becomes of the chunks of units: changed, new, copied, kept, gone.
//!
//! A point is never overwritten: an edited chunk is a new point, and the old one goes. One that goes and one that is
//! embedded are therefore read as one chunk that changed, as far as they pair up within a unit.

use super::words;
use crate::diff::{ChunkSource, UnitPoints};

/// Counts of chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Chunks that the units will have.
    all: u64,
    /// With another text than before.
    changed: u64,
    /// With a text, where no chunk was.
    new: u64,
    /// With other values or at another place, and the same text.
    copied: u64,
    /// As they are.
    kept: u64,
    /// Not there any more.
    gone: u64,
    /// Estimated tokens to embed.
    tokens: u64,
}

impl Chunks {
    /// Counts those of one unit.
    fn of(unit: &UnitPoints) -> Chunks {
        let mut chunks = Chunks { all: unit.chunks.len() as u64, ..Chunks::default() };
        let mut embed = 0;
        for chunk in &unit.chunks {
            match chunk.source {
                ChunkSource::Kept => chunks.kept += 1,
                ChunkSource::Copy { .. } | ChunkSource::Image { .. } => chunks.copied += 1,
                ChunkSource::Embed { tokens } => {
                    embed += 1;
                    chunks.tokens += tokens;
                }
            }
        }
        let deleted = unit.delete.len() as u64;
        let left = deleted.saturating_sub(chunks.copied);
        chunks.changed = embed.min(left);
        chunks.new = embed - chunks.changed;
        chunks.gone = left - chunks.changed;
        chunks
    }

    /// Counts those of several units.
    pub fn of_all<'p>(units: impl IntoIterator<Item = &'p UnitPoints>) -> Chunks {
        let mut sum = Chunks::default();
        for unit in units {
            let Chunks { all, changed, new, copied, kept, gone, tokens } = Chunks::of(unit);
            sum.all += all;
            sum.changed += changed;
            sum.new += new;
            sum.copied += copied;
            sum.kept += kept;
            sum.gone += gone;
            sum.tokens += tokens;
        }
        sum
    }

    /// Writes them: `3 chunks: 1 changed, 2 kept (~231 tokens)`.
    pub fn text(&self) -> String {
        let Chunks { all, changed, new, copied, kept, gone, tokens } = *self;
        let parts = [(changed, "changed"), (new, "new"), (copied, "copied"), (kept, "kept"), (gone, "gone")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, what)| format!("{} {what}", words::number(count))).collect();
        let tokens = if tokens > 0 { format!(" ({} tokens)", words::tokens(tokens)) } else { String::new() };
        match (all, gone) {
            (0, 0) => "no chunk".to_owned(),
            (0, gone) => format!("{} gone", words::count(gone, "chunk")),
            (all, _) => format!("{}: {}{tokens}", words::count(all, "chunk"), parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{ChunkPlan, Reason};
    use crate::model::{Digest, PointId};

    fn text(sources: &[ChunkSource], deleted: u64) -> String {
        let chunk = |source: &ChunkSource| ChunkPlan {
            digest: None,
            ordinal: 0,
            id: PointId::Number(0),
            text: Digest::of_bytes(b""),
            sha256: String::new(),
            source: source.clone(),
        };
        let unit = UnitPoints {
            unit: String::new(),
            address: String::new(),
            title: String::new(),
            input: None,
            reason: Reason::ContentChanged,
            chunks: sources.iter().map(chunk).collect(),
            delete: (0..deleted).map(PointId::Number).collect(),
        };
        Chunks::of_all([&unit]).text()
    }

    #[test]
    fn an_edit_reads_as_chunks_that_changed() {
        let embed = || ChunkSource::Embed { tokens: 10 };
        let copy = || ChunkSource::Copy { from: PointId::Number(9) };
        let kept = || ChunkSource::Kept;
        assert_eq!(text(&[kept(), embed(), kept()], 1), "3 chunks: 1 changed, 2 kept (~10 tokens)");
        assert_eq!(text(&[kept(), embed(), embed()], 1), "3 chunks: 1 changed, 1 new, 1 kept (~20 tokens)");
        assert_eq!(text(&[embed()], 3), "1 chunk: 1 changed, 2 gone (~10 tokens)");
        assert_eq!(text(&[copy(), copy()], 2), "2 chunks: 2 copied");
        assert_eq!(text(&[], 3), "3 chunks gone");
        assert_eq!(text(&[], 0), "no chunk");
    }
}
