//! A plan as one HTML page that loads nothing.
//!
//! ```text
//! SavedPlan ── page ──▶ verdict, findings, steps, graph, first changes: plain HTML that needs no script
//!          └── data ──▶ every change as JSON in the page ──▶ assets/report/*.js: list, filter, search, diffs
//! ```
//!
//! - The page is read as it is: style and script stand in it, and its policy forbids every request and every other
//!   script. Both are named in the policy by their hashes, so that a value that came to stand as HTML would still not run.
//! - Foreign text reaches the page in two ways only: through [`super::escape::markup`], which escapes it, and through the JSON
//!   block, in which no character can end the block. The script puts it into the document as text, never as markup.
//! - Without a script the first changes are listed, and the rest is counted.

mod changes;
mod data;
mod fields;
mod mark;
mod page;

pub(super) use data::tone;

use crate::plan::SavedPlan;

/// Writes a plan as one HTML page.
pub fn plan_html(plan: &SavedPlan) -> String {
    page::page(plan, &mark::json_block(&data::page_data(plan)))
}
