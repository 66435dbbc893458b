//! The HTML page and the drawings: what they are made of, that no value escapes its place in them, and how large they get.

use enact::diff::{ChunkSource, CollectionChange, Reason, RowChange};
use enact::model::{Address, Cell, KeyPart, RowKey, TableName};
use enact::plan::{Link, Phase, SavedPlan};
use enact::report::{
    GraphView, SvgPlace, changes_view, escape, focused, folded, graph_json, graph_svg, plan_html, plan_view,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::report::builder::{PlanBuilder, create, delete, points, set, some_work, unit, update};
use crate::report::golden::check;
use crate::report::properties::{graph_with, hostile, plan_with};

const EMBED: ChunkSource = ChunkSource::Embed { tokens: 120 };

/// One change of each kind.
fn small() -> SavedPlan {
    let by = || Reason::Promotion("articles".to_owned());
    let prose =
        |days: &str| format!("The owner shall sign within {days} days of the request.\nNobody signs for another.\n");
    let fields = [
        ("body", &*prose("five"), &*prose("three")),
        ("meta", r#"{"tags": ["a"], "old": 1}"#, r#"{"tags": ["a", "b"]}"#),
        ("status", "open", "closed"),
    ];
    let mut builder = PlanBuilder::new()
        .row("public.entry", "6d1c", Reason::ValuesDiffer, update(&fields))
        .at("plans/charter.yaml:12:5")
        .row("public.entry", "77aa", Reason::DeclaredAbsent, delete(&[("title", "漢字 Điều")]))
        .row_of(TableName::new("governance", "unit_block"), "b1", Some("unit block"), by(), create(&[("n", "1")]))
        .promotion("articles", 2)
        .promote(unit("DIEU-1", "Điều khoản"), "enacted", "articles")
        .promote(unit("DIEU-2", "Hiệu lực"), "enacted", "articles")
        .refresh("three_axis", 2);
    let live = "charter@1".to_owned();
    let collection = CollectionChange::InPlace { live, why: "the shape stays".to_owned() };
    let units = vec![
        points("DIEU-1", "Điều khoản", Reason::ContentChanged, &[ChunkSource::Kept, EMBED], 1),
        points("GONE", "Leaves", Reason::UnitLeaves, &[], 2),
    ];
    builder = builder
        .vectors(Reason::LifecycleChanges, set("charter", collection, units))
        .step(Phase::Transaction, "insert 1 row", Some("workflow_admin"), some_work())
        .finding("W103", Some(Address::refresh("three_axis")), "the gate is shut");
    let link = |from: Address, to: Address, why: &str, soft: bool, count: u64| Link {
        from,
        to,
        why: why.to_owned(),
        soft,
        count,
    };
    let key = RowKey(vec![KeyPart { column: "id".to_owned(), value: Cell::Text("b1".to_owned()) }]);
    let block = Address::row(&TableName::new("governance", "unit_block"), &key);
    let (moved, set) = (Address::lifecycle("DIEU-1"), Address::vector_set("charter"));
    builder.plan.links = vec![
        link(moved.clone(), block.clone(), "is allowed by", false, 2),
        link(set.clone(), moved, "indexes its text", false, 2),
        link(block, set, "column point_id", true, 1),
    ];
    builder.done()
}

/// The JSON in the page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"plan-data\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// The page without style, script and data.
fn skeleton(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    for (open, shut) in [("<style>", "</style>"), ("id=\"plan-data\">", "</script>"), ("<script>", "</script>")] {
        let (before, inside) = rest.split_once(open).unwrap();
        let (_, after) = inside.split_once(shut).unwrap();
        out.push_str(&format!("{before}{open}…{shut}"));
        rest = after;
    }
    let all = out + rest;
    // The hashes change with every word of the script.
    all.split('\'')
        .map(|part| if part.starts_with("sha256-") { "sha256-…" } else { part })
        .collect::<Vec<_>>()
        .join("'")
}

/// The tags of a text in order, with the names of their attributes; whatever a tag may not hold fails.
fn tags(markup: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = markup;
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a bare > in {text:?}");
        let (tag, after) = after.split_once('>').unwrap_or_else(|| panic!("a tag is left open: {after:?}"));
        let mut parts = tag.split('"');
        let mut shape = String::new();
        while let Some(names) = parts.next() {
            shape.push_str(names);
            if parts.next().is_some() {
                shape.push('"');
            }
        }
        out.push(shape);
        rest = after;
    }
    out
}

fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(map) => map.values().for_each(|item| strings(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The structure of the data: everything but texts, and the texts' number.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::from("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), shape(item))).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_small_page() {
    let page = plan_html(&small());
    check("page.html", &skeleton(&page));
    check("page.json", &(serde_json::to_string_pretty(&data(&page)).unwrap() + "\n"));
    assert!(page.len() < 120_000, "{} bytes", page.len());
    // Nothing is asked of any server, and nothing runs that the policy does not name.
    for loaded in ["http:", "https:", "src=", "href=\"//", "url(//", "@import", "@font-face"] {
        let found = skeleton(&page).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!found.contains(loaded), "{loaded}");
    }
    assert!(!page.contains("style=\"") && !page.contains("onclick=\""), "the policy would stop it");
}

#[test]
fn the_graph_of_a_plan_as_people_see_it() {
    let view = plan_view(&small());
    check("graph.svg", &graph_svg(&view, SvgPlace::File));
    check("graph.json", &graph_json(&view));
    let labels: Vec<&str> = view.nodes.iter().map(|node| node.label.as_str()).collect();
    assert!(
        labels.contains(&"2 units: draft -> enacted") && labels.contains(&"1 unit block in unit_block"),
        "{labels:?}"
    );
}

#[test]
fn one_of_a_group_is_looked_at_alone() {
    let plan = small();
    let mut graph = enact::graph::Graph::default();
    let (one, other, set) =
        (Address::lifecycle("DIEU-1"), Address::lifecycle("DIEU-2"), Address::vector_set("charter"));
    for moved in [&one, &other] {
        graph.need(&set, moved, enact::graph::EdgeKind::Order, "indexes its text");
    }
    let view = changes_view(&plan, &graph);
    let labels = |alone: &str| {
        let view = folded(&focused(&view, alone).unwrap(), &plan, alone);
        view.nodes.into_iter().map(|node| (node.label, node.count)).collect::<Vec<_>>()
    };
    let charter = ("charter".to_owned(), 1);
    assert_eq!(labels(one.as_str()), [("DIEU-1: draft -> enacted".to_owned(), 1), charter.clone()]);
    assert_eq!(labels(set.as_str()), [("2 units: draft -> enacted".to_owned(), 2), charter]);
}

fn many(count: usize, change: impl Fn(usize) -> RowChange) -> SavedPlan {
    let mut builder = PlanBuilder::new();
    for n in 0..count {
        let key = format!("5f0c7d7e-5b1a-4c51-9f7e-{n:012}");
        builder =
            builder.row("governance.unit_block", &key, Reason::ValuesDiffer, change(n)).at("plans/charter.yaml:12:5");
    }
    builder.done()
}

#[test]
fn ten_thousand_changes_make_a_page_below_12_megabytes() {
    let body = |n: usize, word: &str| format!("Article {n}. The {word} shall sign within five days. ").repeat(12);
    let fields = |n: usize| update(&[("body", &body(n, "owner"), &body(n, "steward")), ("status", "draft", "enacted")]);
    for plan in [
        many(10_000, fields),
        many(10_000, |n| create(&[("body", &body(n, "owner")), ("status", "draft"), ("title", "Điều khoản")])),
    ] {
        let page = plan_html(&plan);
        assert!(page.len() < 12_000_000, "{} bytes", page.len());
        assert_eq!(data(&page)["changes"].as_array().unwrap().len(), 10_000);
    }
}

#[test]
fn ten_thousand_changes_are_counted_where_no_script_runs() {
    let page = plan_html(&many(10_000, |n| update(&[("status", &n.to_string(), "closed")])));
    let (_, fallback) = page.split_once("<noscript>").unwrap();
    let (fallback, _) = fallback.split_once("</noscript>").unwrap();
    let shown = fallback.matches("<li>").count();
    assert!((100..=300).contains(&shown), "{shown}");
    assert!(fallback.contains("other in 9,900 rows"), "{}", &fallback[fallback.len() - 300..]);
}

#[test]
fn a_graph_of_ten_thousand_changes_is_small() {
    let svg = graph_svg(&plan_view(&many(10_000, |n| update(&[("n", "a", &n.to_string())]))), SvgPlace::Page);
    assert!(svg.len() < 4_000 && svg.contains("10,000 rows in"), "{svg}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_escapes_its_place_in_a_page(value in hostile()) {
        let (page, plain) = (plan_html(&plan_with(&value)), plan_html(&plan_with("y")));
        // A long value has more lines, and each is a `div`.
        let but_lines = |page: &str| {
            let (lines, rest): (Vec<String>, Vec<String>) =
                tags(&skeleton(page)).into_iter().partition(|tag| ["div class=\"", "/div"].contains(&tag.as_str()));
            assert!(lines.len().is_multiple_of(2));
            rest
        };
        let same = but_lines(&page) == but_lines(&plain);
        prop_assert!(same, "{}", skeleton(&page));
        let (found, expected) = (data(&page), data(&plain));
        // The block is read back as it was written: the same structure, and the value where a name stands.
        let mut texts = Vec::new();
        strings(&found, &mut texts);
        let address = escape::terminal(&format!("refresh.x{value}"));
        prop_assert!(texts.contains(&address), "{:?}", address);
        prop_assert_eq!(shape(&found["groups"]), shape(&expected["groups"]));
        let plain_keys = |data: &Value| data["changes"].as_array().map(|all| all.iter().map(|c| c["a"].clone()).collect::<Vec<_>>());
        prop_assert_eq!(plain_keys(&found), plain_keys(&expected));
        let hidden = |text: &str| text.chars().any(|c| c != '\n' && escape::is_hidden(c));
        prop_assert!(!hidden(&page));
        prop_assert!(!texts.iter().any(|text| hidden(text)));
    }

    #[test]
    fn no_value_escapes_its_place_in_a_drawing(value in hostile()) {
        let (graph, plain) = (graph_with(&value), graph_with("y"));
        let svg = graph_svg(&graph, SvgPlace::File);
        let (_, drawn) = svg.split_once("</style>").unwrap();
        let plain = graph_svg(&plain, SvgPlace::File);
        prop_assert_eq!(tags(drawn), tags(plain.split_once("</style>").unwrap().1));
        // XML has no way to write the last two.
        let unseen = |c: char| c != '\n' && (escape::is_hidden(c) || ['\u{fffe}', '\u{ffff}'].contains(&c));
        let clean = !svg.chars().any(unseen);
        prop_assert!(clean);
        let back: Value = serde_json::from_str(&graph_json(&graph)).unwrap();
        prop_assert_eq!(back["nodes"][0]["label"].as_str(), Some(value.as_str()));
        let empty = graph_svg(&GraphView::default(), SvgPlace::File);
        prop_assert!(empty.ends_with("</svg>\n"));
    }
}
