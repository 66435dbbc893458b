//! `enact graph`: what depends on what, among the changes or, where nothing changes, among what is declared.

use crate::cli::args::{GlobalArgs, GraphArgs, GraphFormat};
use crate::cli::session::{Session, configure, in_session, load_desired};
use crate::cli::{Outcome, Output};
use crate::model::closest;
use crate::report::{
    GraphView, SvgPlace, changes_view, declared_view, focused, folded, graph_dot, graph_json, graph_mermaid, graph_svg,
    plan_view,
};

/// Draws.
pub fn run(global: &GlobalArgs, args: &GraphArgs, output: &Output) -> Outcome {
    match view(global, args, output) {
        Ok(view) => {
            output.result(&match args.format {
                GraphFormat::Dot => graph_dot(&view),
                GraphFormat::Mermaid => graph_mermaid(&view),
                GraphFormat::Svg => graph_svg(&view, SvgPlace::File),
                GraphFormat::Json => graph_json(&view),
            });
            Outcome::Success
        }
        Err(outcome) => outcome,
    }
}

fn view(global: &GlobalArgs, args: &GraphArgs, output: &Output) -> Result<GraphView, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = load_desired(global, output)?;
    let plan = async |session: &mut Session| session.plan(&desired, &sources, output).await;
    let built = in_session(configured, global, output, plan)?;
    let target = args.target.as_deref();
    if built.plan.changes.is_empty() {
        output.note("Nothing changes: this is what the plan files declare.");
        return focus(declared_view(&desired), target, output);
    }
    if target.is_none() && !global.verbose {
        return Ok(plan_view(&built.plan));
    }
    let view = focus(changes_view(&built.plan, &built.graph), target, output)?;
    Ok(if global.verbose { view } else { folded(&view, &built.plan, target.unwrap_or_default()) })
}

fn focus(view: GraphView, target: Option<&str>, output: &Output) -> Result<GraphView, Outcome> {
    let Some(target) = target else { return Ok(view) };
    focused(&view, target).ok_or_else(|| {
        let hint = closest(target, view.nodes.iter().map(|node| node.address.as_str()));
        let hint = hint.map(|address| format!("did you mean \"{address}\"?"));
        let hint = hint.as_deref().unwrap_or("enact graph --verbose --format json lists every address");
        output.error(&format!("\"{target}\" is no resource of this graph"), Some(hint));
        Outcome::InvalidInput
    })
}
