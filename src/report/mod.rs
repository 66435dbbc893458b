//! Renders plans, runs and errors for people and machines. The only place with styles.
//!
//! A plan becomes sections of items of lines once (`body`), and these become a terminal's text or a comment's
//! Markdown, so that both say the same. Foreign text is made safe where it becomes output (`escape`, `line`), never
//! by a caller.
//!
//! *Not here:* whether the terminal shows colours and how wide it is (`cli::output` decides and passes it in).

mod action;
mod approval;
mod body;
mod body_chunks;
mod body_drift;
mod body_guards;
mod body_rows;
mod body_vectors;
mod diagnostic;
mod diagram;
mod drift;
pub mod escape;
mod graph_view;
mod html;
mod layers;
pub mod layout;
mod line;
mod markdown;
mod preflight;
mod prose;
mod run_record;
mod rehearsal;
mod runs;
mod search;
mod stream;
mod style;
mod svg;
mod text;
mod value;
mod verdict;
mod verify;
pub mod words;

pub use action::Action;
pub use approval::{approvals_json, approvals_text, approvals_verdict};
pub use diagnostic::{Color, render_diagnostics};
pub use diagram::{GraphEdge, GraphNode, GraphView, graph_dot, graph_json, graph_mermaid};
pub use drift::{DriftView, drift_json, drift_prometheus, drift_text, drift_verdict};
pub use graph_view::{changes_view, declared_view, focused, folded, plan_view};
pub use html::plan_html;
pub use markdown::{COMMENT_CHARS, plan_markdown};
pub use preflight::{preflight_json, preflight_text, preflight_verdict};
pub use rehearsal::{rehearsal_json, rehearsal_text, rehearsal_verdict};
pub use run_record::{history_json, history_markdown, history_text, run_json, run_markdown, run_text};
pub use runs::{Probed, SetView, StatusView, lock_text, status_json, status_text};
pub use search::{Hit, SearchView, search_json, search_text};
pub use stream::{
    Activity, Level, Message, STREAM_VERSION, StreamLine, check_messages, diagnostic_message, event_message,
    plan_messages, stream_schema,
};
pub use style::{Role, paint};
pub use svg::{SvgPlace, graph_svg};
pub use text::{TextOptions, UNWRAPPED, plan_text};
pub use verdict::{counts, verdict};
pub use verify::{verify_json, verify_text, verify_verdict};

use crate::plan::SavedPlan;

/// Writes a plan for machines: one value with its `format_version`, its changes in full and the steps that follow from them.
pub fn plan_json(plan: &SavedPlan) -> String {
    format!("{:#}\n", serde_json::json!(plan))
}
