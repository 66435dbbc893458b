//! The page around the data: everything that needs no script.

use std::collections::BTreeMap;

use super::mark;
use crate::diff::Finding;
use crate::plan::{Phase, SavedPlan, Step};
use crate::report::action::Action;
use crate::report::body::{Detail, Item, Section, sections, tally_text};
use crate::report::body_drift;
use crate::report::escape::markup;
use crate::report::line::Line;
use crate::report::verdict::verdict;
use crate::report::words;
use crate::report::{GraphEdge, GraphView, SvgPlace, graph_svg, plan_view};

const STYLE: &str = concat!(
    include_str!("../../../assets/report/theme.css"),
    include_str!("../../../assets/report/page.css"),
    include_str!("../../../assets/report/list.css"),
);
const SCRIPT: &str = concat!(
    "(function () {\n\"use strict\";\n",
    include_str!("../../../assets/report/data.js"),
    include_str!("../../../assets/report/detail.js"),
    include_str!("../../../assets/report/list.js"),
    include_str!("../../../assets/report/page.js"),
    include_str!("../../../assets/report/selftest.js"),
    "})();\n",
);

/// Changes that are listed where no script runs.
const LISTED: usize = 300;
/// Steps that are listed; a plan has a step for a batch, not for a change.
const STEPS: usize = 1_000;

/// Edges that are told in words.
const EDGES: usize = 500;

/// Writes the page around its data.
pub fn page(plan: &SavedPlan, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        mark::policy_hash(STYLE),
        mark::policy_hash(SCRIPT)
    );
    let name = markup(&plan.environment.name);
    let mut out = String::with_capacity(data.len() + STYLE.len() + SCRIPT.len() + 65_536);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n"));
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str(
        "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
    );
    out.push_str(&format!("<title>Plan for {name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"));
    out.push_str(&header(plan));
    out.push_str("<main id=\"main\">\n");
    out.push_str(&findings(&plan.findings));
    out.push_str(&drift(plan));
    out.push_str(&tabs(plan));
    out.push_str(&changes(plan));
    out.push_str(&steps(&plan.steps));
    out.push_str(&graph(&plan_view(plan)));
    out.push_str(&inputs(plan));
    out.push_str("</main>\n");
    out.push_str(&footer(plan));
    out.push_str(include_str!("../../../assets/report/keys.html"));
    out.push_str(&format!("<script type=\"application/json\" id=\"plan-data\">{data}</script>\n"));
    out.push_str(&format!("<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    out
}

fn header(plan: &SavedPlan) -> String {
    let pin = &plan.environment;
    let files: Vec<String> = plan.files.iter().map(|file| format!("<code>{}</code>", markup(&file.path))).collect();
    let from = match files.len() {
        0 => String::new(),
        1..=3 => format!(" from {}", files.join(", ")),
        more => format!(" from {} and {} more", files[..2].join(", "), words::count(more as u64 - 2, "file")),
    };
    format!(
        "<a class=\"skip\" href=\"#main\">Skip to the plan</a>\n<header class=\"top\">\n<div class=\"bar\">\
         <p class=\"mark\">Enact <span>plan</span></p><p class=\"env\">Environment <strong>{}</strong>, recorded as {}{from}</p>\
         <div class=\"tools\" id=\"tools\" hidden><button type=\"button\" id=\"theme\">Theme: auto</button>\
         <button type=\"button\" id=\"help\" aria-keyshortcuts=\"?\">Keys</button></div></div>\n{}</header>\n",
        markup(&pin.name),
        markup(&pin.actor),
        verdict_block(plan, "h1"),
    )
}

/// The verdict's lines; the last one is the digest.
fn verdict_block(plan: &SavedPlan, first: &str) -> String {
    let mut out = String::from("<div class=\"verdict\">");
    for (i, line) in verdict(plan).iter().enumerate() {
        match line.strip_prefix("Plan digest: ") {
            Some(digest) => {
                out.push_str(&format!("<p class=\"digest\">Plan digest: <code>{}</code></p>", markup(digest)))
            }
            None if i == 0 => out.push_str(&format!("<{first}>{}</{first}>", markup(line))),
            None => out.push_str(&format!("<p>{}</p>", markup(line))),
        }
    }
    out.push_str("</div>\n");
    out
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let item = |finding: &Finding| {
        let about = finding.address.as_ref().map(|a| format!("<code>{}</code>: ", markup(a.as_str())));
        let (code, about) = (markup(&finding.code), about.unwrap_or_default());
        format!("<li><span class=\"code\">{code}</span><p>{about}{}</p></li>\n", markup(&finding.message))
    };
    let items: String = findings.iter().map(item).collect();
    format!(
        "<section class=\"findings\" aria-labelledby=\"findings-title\"><h2 id=\"findings-title\">Findings \
         <span class=\"count\">{}</span></h2>\n<ul>\n{items}</ul></section>\n",
        words::number(findings.len() as u64)
    )
}

/// What changed outside Enact, apart from what the plan files ask for.
fn drift(plan: &SavedPlan) -> String {
    if plan.drift.is_empty() {
        return String::new();
    }
    let item = |line: &Line| format!("<li><p>{}</p></li>\n", markup(&line.safe_text()));
    let items: String = body_drift::lines(&plan.drift, 0).iter().map(item).collect();
    format!(
        "<section class=\"findings\" aria-labelledby=\"drift-title\"><h2 id=\"drift-title\">{} \
         <span class=\"count\">{}</span></h2>\n<ul>\n{items}</ul></section>\n",
        body_drift::TITLE,
        words::number(plan.drift.len() as u64)
    )
}

fn tabs(plan: &SavedPlan) -> String {
    let tab = |id: &str, title: &str, count: Option<usize>| {
        let count = count.map(|n| format!(" <span class=\"count\">{}</span>", words::number(n as u64)));
        format!(
            "<button type=\"button\" role=\"tab\" id=\"tab-{id}\" aria-controls=\"{id}\">{title}{}</button>",
            count.unwrap_or_default()
        )
    };
    format!(
        "<div class=\"tabs\" role=\"tablist\" aria-label=\"Parts of the plan\" id=\"tabs\" hidden>{}{}{}{}</div>\n",
        tab("changes", "Changes", None),
        tab("steps", "Steps", Some(plan.steps.len())),
        tab("graph", "Graph", None),
        tab("inputs", "Inputs", Some(plan.files.len()))
    )
}

/// The place where the script lists the changes, and what stands there without one.
fn changes(plan: &SavedPlan) -> String {
    let sections = sections(plan, Detail { unfold: false, destructive: 100, value_chars: 240 });
    let mut out = String::from(
        "<section class=\"panel\" id=\"changes\" aria-labelledby=\"changes-title\">\n<h2 id=\"changes-title\">Changes</h2>\n\
         <div id=\"app\" hidden></div>\n<noscript>\n",
    );
    let mut room = LISTED;
    let mut left_out: BTreeMap<(Action, &'static str), u64> = BTreeMap::new();
    for section in &sections {
        out.push_str(&listed(section, &mut room, &mut left_out));
    }
    if sections.is_empty() {
        out.push_str("<p>Nothing changes.</p>\n");
    }
    if !left_out.is_empty() {
        let counts = markup(&tally_text(&left_out));
        out.push_str(&format!("<p class=\"more\"><strong>Left out where no script runs:</strong> {counts}.</p>\n"));
    }
    out.push_str("</noscript>\n</section>\n");
    out
}

fn listed(section: &Section, room: &mut usize, left_out: &mut BTreeMap<(Action, &'static str), u64>) -> String {
    let shown = section.items.len().min(*room);
    *room -= shown;
    for item in section.items[shown..].iter().filter(|item| item.things > 0) {
        *left_out.entry((item.action, item.noun)).or_default() += item.things;
    }
    if shown == 0 {
        return String::new();
    }
    let title = format!("{} {}", section.title, section.name);
    let items: String = section.items[..shown].iter().map(item).collect();
    format!(
        "<h3>{}: <span>{}</span></h3>\n<ul class=\"plain\">\n{items}</ul>\n",
        markup(title.trim_end()),
        markup(&tally_text(&section.tally()))
    )
}

fn item(item: &Item) -> String {
    let lines: String = item.lines.iter().map(line).collect();
    format!("<li>{lines}</li>\n")
}

fn line(line: &Line) -> String {
    let symbol = line.mark.map(|action| format!("<b>{}</b> ", markup(action.symbol())));
    let depth = line.depth.min(3);
    format!("<div class=\"d{depth}\">{}{}</div>", symbol.unwrap_or_default(), markup(&line.safe_text()))
}

fn steps(steps: &[Step]) -> String {
    let mut out = String::from(
        "<section class=\"panel\" id=\"steps\" aria-labelledby=\"steps-title\">\n<h2 id=\"steps-title\">Steps</h2>\n",
    );
    if steps.is_empty() {
        out.push_str("<p>There is nothing to do.</p>\n");
    }
    let mut at = 0;
    let shown = &steps[..steps.len().min(STEPS)];
    while let Some(first) = shown.get(at) {
        let end = shown[at..].iter().position(|step| step.phase != first.phase).map_or(shown.len(), |n| at + n);
        let (name, about) = phase_text(first.phase);
        out.push_str(&format!(
            "<div class=\"phase {name}\"><div class=\"about\"><h3>{name}</h3><p>{about}</p></div>\n<ol>\n"
        ));
        out.extend(shown[at..end].iter().map(step));
        out.push_str("</ol></div>\n");
        at = end;
    }
    if shown.len() < steps.len() {
        let more = words::count((steps.len() - shown.len()) as u64, "step");
        out.push_str(&format!("<p class=\"more\"><strong>Left out:</strong> {more}.</p>\n"));
    }
    out.push_str("</section>\n");
    out
}

/// A phase's name, and what it means to a reviewer.
fn phase_text(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Stage => ("stage", "Prepared where nobody sees it. A failure here leaves nothing."),
        Phase::Transaction => {
            ("transaction", "One PostgreSQL transaction. Its commit decides; before it, all goes back.")
        }
        Phase::Settle => ("settle", "After the decision, only forward: the vector store shows what was decided."),
        Phase::Sweep => ("sweep", "What nobody needs any more is removed."),
    }
}

fn step(step: &Step) -> String {
    let role = step.run_as.as_ref().map(|role| format!(" <span class=\"role\">as {}</span>", markup(role)));
    format!(
        "<li value=\"{}\"><span class=\"title\">{}</span>{}</li>\n",
        step.id,
        markup(&step.title),
        role.unwrap_or_default()
    )
}

fn graph(view: &GraphView) -> String {
    let mut out = String::from(
        "<section class=\"panel\" id=\"graph\" aria-labelledby=\"graph-title\">\n<h2 id=\"graph-title\">Graph</h2>\n",
    );
    if view.nodes.is_empty() {
        return out + "<p>Nothing changes.</p>\n</section>\n";
    }
    out.push_str(
        "<p class=\"legend\">What is done first stands on the left; an arrow goes to what needs it, and says why. What a \
         dashed arrow comes from only has to be there in the end.</p>\n",
    );
    let drawing = graph_svg(view, SvgPlace::Page);
    out.push_str(&format!(
        "<div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-label=\"The graph\">{drawing}</div>\n"
    ));
    let labels: BTreeMap<&str, &str> = view.nodes.iter().map(|n| (n.address.as_str(), n.label.as_str())).collect();
    let label = |address: &str| markup(labels.get(address).copied().unwrap_or(address));
    let edge = |edge: &GraphEdge| {
        format!("<li>{} needs {}: {}</li>\n", label(&edge.from), label(&edge.to), markup(&edge.reason()))
    };
    let listed: String = view.edges.iter().take(EDGES).map(edge).collect();
    if !listed.is_empty() {
        out.push_str(&format!("<details><summary>The same in words</summary><ul>\n{listed}</ul></details>\n"));
    }
    out + "</section>\n"
}

fn inputs(plan: &SavedPlan) -> String {
    let pin = &plan.environment;
    let row = |name: &str, value: &str| format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>\n");
    let names = |all: &[String]| all.iter().map(|name| markup(name)).collect::<Vec<_>>().join(", ");
    let mut rows = row("Environment", &markup(&pin.name));
    rows.push_str(&row("Recorded as", &markup(&pin.actor)));
    rows.push_str(&row("Made by", &markup(&plan.made_by)));
    rows.push_str(&row("Format of the saved plan", &markup(&plan.format_version)));
    rows.push_str(&row("Binding", &markup(plan.pins.binding.name.as_str())));
    if !pin.allowed_collections.is_empty() {
        rows.push_str(&row("Collections that may be written", &names(&pin.allowed_collections)));
    }
    if !pin.denied_collections.is_empty() {
        rows.push_str(&row("Collections that are never written", &names(&pin.denied_collections)));
    }
    for (name, embedder) in &plan.pins.embedders {
        let text = format!("{name}: {} {}, {} dimensions", embedder.kind, embedder.model, embedder.dimension);
        rows.push_str(&row("Embedder", &markup(&text)));
    }
    let file = |file: &crate::model::SourceFile| {
        let (path, plan, digest) = (markup(&file.path), markup(&file.plan), markup(&file.digest.to_string()));
        format!("<tr><td><code>{path}</code></td><td>{plan}</td><td><code>{digest}</code></td></tr>\n")
    };
    let files: String = plan.files.iter().map(file).collect();
    format!(
        "<section class=\"panel\" id=\"inputs\" aria-labelledby=\"inputs-title\">\n<h2 id=\"inputs-title\">Inputs</h2>\n\
         <table class=\"facts\">\n{rows}</table>\n<h3>Plan files</h3>\n<div class=\"wide\"><table class=\"files\">\
         <thead><tr><th scope=\"col\">File</th><th scope=\"col\">Plan</th><th scope=\"col\">Digest</th></tr></thead>\n\
         <tbody>\n{files}</tbody></table></div>\n</section>\n"
    )
}

fn footer(plan: &SavedPlan) -> String {
    format!(
        "<footer>\n{}<p class=\"made\">Made by {}. Nothing on this page is loaded from elsewhere.</p>\n</footer>\n",
        verdict_block(plan, "p"),
        markup(&plan.made_by)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_end_where_they_should() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        assert!(SCRIPT.len() < 40_000, "the script has {} bytes", SCRIPT.len());
        for way_to_make_markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"]
        {
            assert!(!SCRIPT.contains(way_to_make_markup), "{way_to_make_markup}");
        }
    }
}
