//! `enact graph`: what depends on what, among the changes or, where nothing changes, among what is declared.

use crate::cli::args::{GlobalArgs, GraphArgs, GraphFormat};
use crate::cli::session::{Session, block_on, configure, load_desired};
use crate::cli::{Outcome, Output};
use crate::report::{GraphView, changes_view, declared_view, graph_dot, graph_mermaid};

/// Draws.
pub fn run(global: &GlobalArgs, args: &GraphArgs, output: &Output) -> Outcome {
    match view(global, output) {
        Ok(view) => {
            output.result(&match args.format {
                GraphFormat::Dot => graph_dot(&view),
                GraphFormat::Mermaid => graph_mermaid(&view),
            });
            Outcome::Success
        }
        Err(outcome) => outcome,
    }
}

fn view(global: &GlobalArgs, output: &Output) -> Result<GraphView, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = load_desired(global, output)?;
    block_on(async {
        let mut session = Session::open(configured, global, output).await?;
        let built = session.plan(&desired, &sources, output).await;
        session.close(output).await;
        let built = built?;
        if built.plan.changes.is_empty() {
            output.note("Nothing changes: this is what the plan files declare.");
            return Ok(declared_view(&desired));
        }
        Ok(changes_view(&built.plan.changes, &built.graph))
    })
}
