//! Plans and their golden texts under `tests/cases/report`. `ENACT_BLESS=1` writes them anew, to be read before a
//! commit.

use std::path::PathBuf;

use enact::diff::{ChunkSource, CollectionChange, Drift, DriftKind, LedgerWrite, Reason, RowChange, SomeUnits};
use enact::model::{Address, PointId};
use enact::plan::{EmbeddingTerms, FORMAT_VERSION, Phase, SavedPlan};
use enact::report::{
    GraphEdge, GraphNode, GraphView, TextOptions, graph_dot, graph_mermaid, plan_json, plan_markdown, plan_text,
};

use crate::report::builder::{PlanBuilder, create, delete, points, set, some_work, unit, update};

/// Compares with a golden file.
pub fn check(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/report").join(name);
    if std::env::var_os("ENACT_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == actual, "{name} is not the golden text. It is now:\n{actual}");
}

fn check_all(name: &str, plan: &SavedPlan) {
    let text = |verbose| plan_text(plan, &TextOptions { color: false, width: 90, verbose });
    check(&format!("{name}.txt"), &text(false));
    check(&format!("{name}.verbose.txt"), &text(true));
    check(&format!("{name}.md"), &plan_markdown(plan));
}

const EMBED: ChunkSource = ChunkSource::Embed { tokens: 231 };

#[test]
fn a_promotion_with_its_vectors() {
    let by = || Reason::Promotion("articles".to_owned());
    let mut builder = PlanBuilder::new()
        .row("governance.change_set", "cf00", by(), create(&[("status", "approved"), ("units", "6")]))
        .at("plans/charter.yaml:9:3")
        .promotion("articles", 6);
    for n in 1..=6 {
        let id = format!("b{n}");
        let values = [("status", "ready"), ("unit", id.as_str())];
        let table = enact::model::TableName::new("governance", "unit_block");
        builder = builder.row_of(table, &id, Some("unit block"), by(), create(&values));
        builder = builder.promote(unit(&format!("DIEU-{n}"), "Điều khoản"), "enacted", "articles");
    }
    let join = |n: usize| points(&format!("DIEU-{n}"), "Điều khoản", Reason::UnitJoins, &[EMBED, EMBED], 0);
    let plan = builder
        .refresh("three_axis", 6)
        .vectors(Reason::LifecycleChanges, set("charter", CollectionChange::New, (1..=6).map(join).collect()))
        .step(Phase::Transaction, "insert 7 rows", Some("workflow_admin"), some_work())
        .step(Phase::Transaction, "move 6 units to enacted", None, some_work())
        .finding("W103", Some(Address::refresh("three_axis")), "the gate is shut, the plan refreshes by itself")
        .done();
    check_all("promotion", &plan);
}

#[test]
fn values_that_change() {
    let prose = (
        "The owner shall sign within five days.\nNobody signs for another.\nDone.\n",
        "The owner shall sign within three days.\nNobody signs for another.\nDone.\n",
    );
    let json = (r#"{"tags": ["a", "b"], "grade": 2, "old": true}"#, r#"{"tags": ["a", "c"], "grade": 2}"#);
    let fields = [("body", prose.0, prose.1), ("meta", json.0, json.1), ("status", "open", "closed")];
    let plan = PlanBuilder::new()
        .row("public.entry", "6d1c", Reason::ValuesDiffer, update(&fields))
        .at("plans/charter.yaml:12:5")
        .row("public.entry", "77aa", Reason::DeclaredAbsent, delete(&[("status", "open"), ("title", "漢字 Điều")]))
        .step(Phase::Transaction, "update 1 row", None, some_work())
        .done();
    check_all("values", &plan);
}

#[test]
fn a_collection_that_is_replaced() {
    let live = "charter@1".to_owned();
    let replace = CollectionChange::Replace { live, why: "the dimension changes from 64 to 128".to_owned() };
    let mut units = vec![points("GONE", "Leaves", Reason::UnitLeaves, &[], 3)];
    let sources = [EMBED, ChunkSource::Kept, ChunkSource::Kept];
    units.push(points("GLOSS-11", "漢字", Reason::ContentChanged, &sources, 1));
    units.extend((1..=14).map(|n| points(&format!("NEW-{n}"), "Joins", Reason::UnitJoins, &[EMBED], 0)));
    let mut change = set("charter", replace, units);
    change.skipped_empty = ["E1", "E2", "E3", "E4", "E5"].map(str::to_owned).to_vec();
    change.foreign = 2;
    change.ledger = [true, true, false].map(ledger_write).to_vec();
    let plan = PlanBuilder::new().vectors(Reason::RecipeChanged, change).done();
    check_all("replace", &plan);
}

#[test]
fn drift_costs_and_an_edit_in_one_chunk() {
    let kept = || ChunkSource::Kept;
    let edited = points("DIEU-7", "Điều khoản", Reason::ContentChanged, &[kept(), EMBED, kept()], 1);
    let gone = points("DIEU-8", "👩‍🔬 Tài liệu", Reason::PointsMissing(1), &[EMBED, kept()], 0);
    let moved =
        points("GLOSS-11", "漢字", Reason::PayloadChanged, &[ChunkSource::Copy { from: PointId::Number(5) }], 1);
    let replace = CollectionChange::Replace { live: "charter@1".to_owned(), why: "readers never see half".to_owned() };
    let change = set("charter", replace, vec![edited, gone, moved]);
    let mut plan = PlanBuilder::new().vectors(Reason::ContentChanged, change).done();
    let terms = EmbeddingTerms { max_texts: 1, max_tokens: 8_000, price_per_million_tokens: Some("0.02".to_owned()) };
    plan.pins.embedding.insert("default".to_owned(), terms);
    let some = |count, name: &str| SomeUnits { count, examples: vec![name.to_owned()] };
    let drift = |address: Address, what: DriftKind| Drift { address, what };
    plan.drift = vec![
        drift(
            Address::promotion("articles"),
            DriftKind::UnitsMovedBack { from: "enacted".to_owned(), units: some(12, "DIEU-1") },
        ),
        drift(Address::vector_set("charter"), DriftKind::ContentChanged { units: some(1, "DIEU-7") }),
        drift(Address::vector_set("charter"), DriftKind::PointsGone { points: 1, units: some(1, "DIEU-8") }),
    ];
    plan.summary.same_rows = 7;
    plan.digest = plan.content_digest();
    check_all("edit", &plan);
}

#[test]
fn a_long_paragraph_and_nested_json() {
    let filler = "Biên bản được lưu tại văn phòng và gửi cho các bên trong ngày. ".repeat(6);
    let text = |days: &str| format!("{filler}Chủ sở hữu phải ký trong {days} ngày làm việc. {filler}");
    let (old, new) = (text("năm"), text("ba"));
    let json = |days: &str, tags: &str| {
        format!(r#"{{"rule": {{"text": "{}", "grade": 2}}, "tags": [{tags}], "keep": {{"a": 1}}}}"#, text(days))
    };
    let (before, after) = (json("năm", r#""a", "b""#), json("ba", r#""a", "b", "c""#));
    let fields = [("body", old.as_str(), new.as_str()), ("meta", before.as_str(), after.as_str())];
    let mut change = update(&fields);
    if let RowChange::Update { live, .. } = &mut change {
        for column in ["id", "body", "meta", "title", "owner"] {
            live.0.insert(column.to_owned(), Some("x".to_owned()));
        }
    }
    let plan = PlanBuilder::new().row("public.entry", "6d1c", Reason::ValuesDiffer, change).done();
    check_all("long", &plan);
}

fn ledger_write(exists: bool) -> LedgerWrite {
    let (unit, key, sha256) = (String::new(), String::new(), String::new());
    LedgerWrite { unit, key, id: PointId::Number(1), ordinal: 0, count: 1, sha256, exists }
}

#[test]
fn nothing_to_do() {
    let plan = PlanBuilder::new().done();
    check_all("empty", &plan);
    let told: serde_json::Value = serde_json::from_str(&plan_json(&plan)).unwrap();
    assert_eq!((told["format_version"].as_str(), told["steps"].as_array()), (Some(FORMAT_VERSION), Some(&Vec::new())));
}

#[test]
fn a_hostile_value_stays_where_it_is() {
    let hostile = "\u{1b}[2J\"\n```\n</details><img src=x> @everyone \u{202e}lla eteled";
    let plan = PlanBuilder::new()
        .row("public.entry", hostile, Reason::NotThere, create(&[("status", hostile)]))
        .promote(unit("A", hostile), "enacted", "p")
        .promote(unit("B", "B"), hostile, "p")
        .step(Phase::Transaction, "insert 1 row", None, some_work())
        .finding("W900", None, hostile)
        .done();
    check_all("hostile", &plan);
}

#[test]
fn a_graph() {
    let node = |address: &str, action: Option<&str>| GraphNode {
        address: address.to_owned(),
        label: address.to_owned(),
        kind: "row".to_owned(),
        action: action.map(str::to_owned),
        count: 1,
        phases: vec!["transaction".to_owned()],
    };
    let edge = |from: &str, to: &str, why: &str| GraphEdge {
        from: from.to_owned(),
        to: to.to_owned(),
        why: why.to_owned(),
        soft: !why.is_empty(),
        count: 2,
    };
    let graph = GraphView {
        nodes: vec![node("a[\"1\"]", Some("create")), node("b]; c -> d", None)],
        edges: vec![edge("a[\"1\"]", "b]; c -> d", "foreign key a_b"), edge("a[\"1\"]", "unknown", "")],
    };
    check("graph.dot", &graph_dot(&graph));
    check("graph.mmd", &graph_mermaid(&graph));
}
