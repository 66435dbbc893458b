//! No value escapes its place, whatever it holds: what stands outside the places for values is the same for every
//! value.

use enact::diff::{ChunkSource, CollectionChange, Drift, DriftKind, Reason, SomeUnits};
use enact::model::{Address, TableName};
use enact::plan::{Phase, SavedPlan};
use enact::report::{
    COMMENT_CHARS, GraphEdge, GraphNode, GraphView, TextOptions, escape, graph_dot, graph_mermaid, plan_markdown,
    plan_text,
};
use proptest::prelude::*;

use crate::report::builder::{PlanBuilder, create, delete, environment, file, points, set, some_work, unit, update};

const NASTY: &[&str] = &[
    "\u{1b}[31m",
    "\u{1b}]0;t\u{7}",
    "\u{9b}2J",
    "\r",
    "\n",
    "\n\n",
    "\t",
    "\u{202e}",
    "\u{2066}",
    "\u{200f}",
    "\u{2028}",
    "```",
    "````\n",
    "~~~",
    "`",
    "</code>",
    "</details>",
    "</script>",
    "</noscript>",
    "]]>",
    "' onload=x ",
    "\u{fffe}",
    "<!--",
    "<script>",
    "&lt;",
    "@team",
    "@org/team",
    "#12",
    "org/repo#12",
    "GH-12",
    "!12",
    "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c",
    ":tada:",
    "www.x.y",
    "a@x.y",
    "::error::",
    "$`a`$",
    "</summary>",
    "<details open>",
    "``",
    "&#96;",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "\u{fe0f}",
    "https://x.y",
    "[a](b)",
    "**",
    "\n# h",
    "\n+ create row",
    "\n- delete",
    "\"",
    "\\\"",
    "\\",
    "\"]; n9 [",
    "-->",
    "|",
    "%%{init: {}}%%",
    "#quot;",
    "end",
    "{",
    "}",
    "[",
    "]",
    "$",
    "漢字",
    "Điều",
    "e\u{301}",
    " ",
    "  ",
    "Plan: 0 to add, 0 to change, 0 to destroy.",
];

pub fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(NASTY).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z ]{0,30}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// A plan with the value in every place that takes foreign text.
pub fn plan_with(value: &str) -> SavedPlan {
    let value = &format!("x{value}");
    let table = || TableName::new(value.as_str(), value.as_str());
    let replace = CollectionChange::Replace { live: value.clone(), why: value.clone() };
    let embed = ChunkSource::Embed { tokens: 9 };
    let units =
        vec![points(value, value, Reason::UnitLeaves, &[], 1), points(value, value, Reason::UnitJoins, &[embed], 0)];
    let shape = Reason::ShapeChanged(value.clone());
    let by = || Reason::Promotion(value.clone());
    let fields = [("c", "draft", value.as_str()), ("d", value.as_str(), "enacted"), (value.as_str(), "1", "2")];
    let mut builder = PlanBuilder::new()
        .row_of(table(), value, Some(value), by(), create(&[(value, value)]))
        .at(value)
        .row_of(table(), value, Some(value), by(), update(&fields))
        .row_of(table(), value, Some(value), by(), delete(&[(value, value)]))
        .promotion(value, 1)
        .promote(unit(value, value), value, value)
        .refresh(value, 1)
        .vectors(shape, set(value, replace, units))
        .step(Phase::Transaction, value, Some(value), some_work())
        .finding(value, Some(Address::from_text(value.as_str())), value);
    builder.plan.environment = environment(value);
    builder.plan.environment.actor = value.clone();
    builder.plan.files = vec![file(value)];
    builder.plan.drift = drift(value);
    builder.done()
}

fn drift(value: &str) -> Vec<Drift> {
    let units = SomeUnits { count: 5, examples: vec![value.to_owned()] };
    let kinds = [
        DriftKind::UnitsMovedBack { from: value.to_owned(), units: units.clone() },
        DriftKind::RowsGone { rows: 1 },
        DriftKind::CollectionGone,
        DriftKind::CollectionReplaced { live: value.to_owned() },
        DriftKind::ShapeChanged { how: vec![value.to_owned()] },
        DriftKind::PointsGone { points: 1, units: units.clone() },
        DriftKind::ContentChanged { units },
        DriftKind::LedgerChanged { rows: 2 },
    ];
    kinds.into_iter().map(|what| Drift { address: Address::from_text(value), what }).collect()
}

/// Marks at the places where only we put them, in order.
fn marks(text: &str) -> Vec<String> {
    let mark = |line: &str| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let first = line.trim_start().split(' ').next().unwrap_or("");
        let place = match first {
            "+" | "~" | "-" | ">" | "." => indent > 0 && indent.is_multiple_of(2),
            "<=" => indent == 1,
            "-/+" => indent == 0,
            _ => false,
        };
        place.then(|| format!("{indent}{first}"))
    };
    text.lines().filter_map(mark).collect()
}

/// The first words of lines that begin in the first column.
fn headings(text: &str) -> Vec<String> {
    let first = |line: &str| line.split([' ', ':']).next().unwrap_or("").to_owned();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).map(first).collect()
}

/// Markdown without what stands in fences and in `<code>`, and without the digest, which depends on everything.
fn skeleton(markdown: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        match &fence {
            Some(open) if line.trim_end() == open => fence = None,
            Some(_) => assert!(line.starts_with(['+', '-', '~', '>', '<', '.', ' ', '#', '!']), "{line}"),
            None if line.starts_with("```") => fence = Some(line.chars().take_while(|c| *c == '`').collect()),
            None => out.push_str(&format!("{}\n", without_code(line))),
        }
    }
    assert!(fence.is_none(), "a fence is left open");
    out
}

/// A line of Markdown without what stands in code spans; a line of HTML without what stands in `<code>`.
fn without_code(line: &str) -> String {
    if line.starts_with("<details>") { without_html_code(line) } else { without_code_spans(line) }
}

fn without_html_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, code)) = rest.split_once("<code>") {
        out.push_str(before);
        let (inside, after) = code.split_once("</code>").unwrap();
        assert!(!inside.contains(['<', '>', '@', '`']), "{inside}");
        rest = after;
    }
    out + rest
}

/// As CommonMark reads them: a run of backticks is closed by the next run of the same length.
fn without_code_spans(line: &str) -> String {
    let run = |text: &str| text.chars().take_while(|c| *c == '`').count();
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let ticks = run(&rest[at..]);
        out.push_str(&rest[..at]);
        let mut inside = &rest[at + ticks..];
        loop {
            let shut = inside.find('`').unwrap_or_else(|| panic!("a code span is left open: {line}"));
            let length = run(&inside[shut..]);
            inside = &inside[shut + length..];
            if length == ticks {
                break;
            }
        }
        rest = inside;
    }
    out + rest
}

/// A diagram without its quoted labels.
fn unlabelled(text: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        match (inside, escaped, c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, false, '"') => inside = !inside,
            (true, false, c) => assert!(c != '\n', "a label spans lines"),
            (false, _, c) => out.push(c),
        }
    }
    assert!(!inside, "a label is left open");
    out
}

pub fn graph_with(value: &str) -> GraphView {
    let address = format!("x{value}");
    let node = |address: &str| GraphNode {
        address: address.to_owned(),
        label: value.to_owned(),
        kind: value.to_owned(),
        action: Some(value.to_owned()),
        count: 2,
        phases: vec![value.to_owned()],
    };
    let edge = GraphEdge { from: address.clone(), to: "b".to_owned(), why: format!("x{value}"), soft: true, count: 3 };
    GraphView { nodes: vec![node(&address), node("b")], edges: vec![edge] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_escapes_its_place_on_a_terminal(value in hostile(), width in 0usize..160, verbose: bool) {
        let options = TextOptions { color: false, width, verbose };
        let text = plan_text(&plan_with(&value), &options);
        let hidden = text.chars().find(|c| *c != '\n' && escape::is_hidden(*c));
        prop_assert_eq!(hidden, None);
        let plain = plan_text(&plan_with("y"), &options);
        prop_assert_eq!(marks(&text), marks(&plain));
        prop_assert_eq!(headings(&text), headings(&plain));
    }

    #[test]
    fn colours_only_add_their_own_sequences(value in hostile()) {
        let plan = plan_with(&value);
        let text = |color| plan_text(&plan, &TextOptions { color, width: 80, verbose: true });
        let [colored, plain] = [true, false].map(text);
        prop_assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
    }

    #[test]
    fn no_value_escapes_its_place_in_markdown(value in hostile()) {
        let markdown = plan_markdown(&plan_with(&value));
        prop_assert_eq!(skeleton(&markdown), skeleton(&plan_markdown(&plan_with("y"))));
        prop_assert!(markdown.chars().count() <= COMMENT_CHARS);
        prop_assert!(!markdown.chars().any(|c| c != '\n' && escape::is_hidden(c)));
    }

    #[test]
    fn no_value_escapes_its_label_in_a_diagram(value in hostile()) {
        let (graph, plain) = (graph_with(&value), graph_with("y"));
        prop_assert_eq!(unlabelled(&graph_dot(&graph)), unlabelled(&graph_dot(&plain)));
        let mermaid = graph_mermaid(&graph);
        let active = mermaid.contains(['%', '`', '<', '{', '\\']);
        prop_assert!(!active, "{}", mermaid);
        prop_assert_eq!(unlabelled(&mermaid), unlabelled(&graph_mermaid(&plain)));
    }
}
