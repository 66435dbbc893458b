//! Renders plans, runs and errors for people and machines. The only place with styles.
//!
//! A plan becomes sections of items of lines once (`body`), and these become a terminal's text or a comment's
//! Markdown, so that both say the same. Foreign text is made safe where it becomes output (`escape`, `line`), never
//! by a caller.
//!
//! *Not here:* whether the terminal shows colours and how wide it is (`cli::output` decides and passes it in).

mod action;
mod body;
mod body_chunks;
mod body_drift;
mod body_guards;
mod body_rows;
mod body_vectors;
mod diagnostic;
mod diagram;
pub mod escape;
mod graph_view;
pub mod layout;
mod line;
mod markdown;
mod preflight;
mod prose;
mod rehearsal;
mod runs;
mod search;
mod style;
mod text;
mod value;
mod verdict;
mod verify;
pub mod words;

pub use action::Action;
pub use diagnostic::{Color, render_diagnostics};
pub use diagram::{GraphEdge, GraphNode, GraphView, graph_dot, graph_mermaid};
pub use graph_view::{changes_view, declared_view};
pub use markdown::{COMMENT_CHARS, plan_markdown};
pub use preflight::{preflight_json, preflight_text, preflight_verdict};
pub use rehearsal::{rehearsal_json, rehearsal_text, rehearsal_verdict};
pub use runs::{Probed, SetView, StatusView, history_json, history_text, lock_text, status_json, status_text};
pub use search::{Hit, SearchView, search_json, search_text};
pub use style::{Role, paint};
pub use text::{TextOptions, UNWRAPPED, plan_text};
pub use verdict::{counts, verdict};
pub use verify::{verify_json, verify_text, verify_verdict};

use crate::plan::SavedPlan;

/// Writes a plan for machines: the saved file itself, with its `format_version`.
pub fn plan_json(plan: &SavedPlan) -> String {
    plan.to_text()
}
