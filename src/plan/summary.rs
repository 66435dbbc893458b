//! The counts of the verdict.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::{Change, ChangeDetail, ChunkSource, RowChange};

/// What the verdict counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Rows to add.
    pub add: u64,
    /// Rows and gates to change.
    pub change: u64,
    /// Rows to destroy.
    pub destroy: u64,
    /// Lifecycle moves.
    pub lifecycle: LifecycleCounts,
    /// Points.
    pub vectors: VectorCounts,
    /// Resources that are forgotten.
    pub forget: u64,
    /// Rows that stay as they are, and are written down so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub take_over: u64,
    /// Rows that are as declared.
    #[serde(default)]
    pub same_rows: u64,
}

/// Lifecycle moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LifecycleCounts {
    /// Units to move.
    pub promote: u64,
    /// Units by target state.
    pub to: BTreeMap<String, u64>,
}

/// Points.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VectorCounts {
    /// Texts to embed.
    pub embed: u64,
    /// Estimated tokens of these texts.
    pub tokens: u64,
    /// Points that take vectors from another point.
    pub copy: u64,
    /// Points to delete.
    pub delete: u64,
    /// Points that stay.
    pub kept: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Summary {
    /// Counts changes; `kept` are the points that stay in sets without a change.
    pub fn of(changes: &[Change], kept: u64) -> Summary {
        let mut summary = Summary::default();
        summary.vectors.kept = kept;
        for change in changes {
            summary.count(change);
        }
        summary
    }

    fn count(&mut self, change: &Change) {
        match &change.detail {
            ChangeDetail::Row { change, .. } => match change {
                RowChange::Create { .. } => self.add += 1,
                RowChange::Update { .. } => self.change += 1,
                RowChange::Delete { .. } => self.destroy += 1,
                RowChange::TakeOver { .. } => self.take_over += 1,
            },
            ChangeDetail::Lifecycle { to, .. } => {
                self.lifecycle.promote += 1;
                *self.lifecycle.to.entry(to.clone()).or_default() += 1;
            }
            ChangeDetail::VectorSet(set) => {
                self.vectors.kept += set.kept;
                self.vectors.tokens += set.tokens;
                for unit in &set.units {
                    self.vectors.delete += unit.delete.len() as u64;
                    for chunk in &unit.chunks {
                        match chunk.source {
                            ChunkSource::Kept => {}
                            ChunkSource::Copy { .. } | ChunkSource::Image { .. } => self.vectors.copy += 1,
                            ChunkSource::Embed { .. } => self.vectors.embed += 1,
                        }
                    }
                }
            }
            ChangeDetail::Forget => self.forget += 1,
            ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. } => self.change += 1,
            ChangeDetail::Promotion { .. } | ChangeDetail::Refresh { .. } | ChangeDetail::Guard { .. } => {}
        }
    }
}
