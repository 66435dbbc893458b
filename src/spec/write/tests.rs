use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{Place, TableName};
use crate::spec::parse_plan;

fn place() -> Place {
    Place { file: Arc::from("x"), line: 1, column: 1, start: 0, end: 0 }
}

fn spot<T>(value: T) -> Spot<T> {
    Spot { value, place: place() }
}

/// Everything that a text says, without places.
fn said(desired: &Desired) -> Vec<(&'static str, Vec<(String, Value)>)> {
    let entries = |entries: Vec<Entry>| entries.into_iter().map(|entry| (entry.name, entry.value)).collect();
    sections(desired).into_iter().map(|(section, all)| (section, entries(all))).collect()
}

#[track_caller]
fn round(desired: &Desired, comments: &Comments) -> String {
    let text = plan_text("round", desired, comments).unwrap_or_else(|found| panic!("{found:?}"));
    let (again, _) = parse_plan("round.yaml", &text).unwrap_or_else(|found| panic!("{found:?}\n{text}"));
    assert_eq!(said(&again), said(desired), "{text}");
    text
}

#[test]
fn every_shipped_plan_file_says_the_same_when_it_is_written_again() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["plans", "examples/charter/plans", "examples/documents/plans", "examples/rows/plans"];
    let mut read = 0;
    for folder in folders {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let (desired, _) = parse_plan("plan.yaml", &text).unwrap();
            round(&desired, &Comments::default());
            read += 1;
        }
    }
    assert!(read >= 5, "{read} files");
}

#[test]
fn guards_retention_and_comments_are_written() {
    let text = "enact: v1\nplan: guards\nunits:\n  some: { where: { lifecycle: [draft, enacted], parent: null }, expect: { count: 3 } }\n\
        gates: { a.b: \"false\", c: true }\nchecks:\n  one: { query: \"SELECT 1\\nFROM t\", expect: { value: null }, when: [before, after], severity: warning }\n  \
        two: { query: SELECT, expect: { at_least: 1.5 } }\nprotect:\n  u: { units: some }\n  t: { table: a.b, where: { c: null, d: 1 } }\n\
        retention:\n  log: { table: a.b, keep: 90d, gate: g, paired: { check: one }, not_before: 2026-06-22 }\n";
    let (desired, _) = parse_plan("plan.yaml", text).unwrap();
    let mut comments = Comments { head: vec!["one\ntwo".to_owned()], ..Comments::default() };
    comments.of.insert(Address::check("two"), vec!["a \u{85}\rcomment: {".to_owned()]);
    let written = round(&desired, &comments);
    assert!(written.contains("# one\n# two\n"), "{written}");
    assert!(written.contains("  # a   comment: {\n  two:\n"), "{written}");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1.0e12f64..1.0e12).prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[ \\t\\n#:{}\\[\\],&*!|>'\"%@`?~-]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "yes",
            "null",
            "~",
            "0x1F",
            "1e3",
            "01",
            ".5",
            "2026-06-22",
            "=",
            "<<",
            "- a",
            "a: b",
            "\u{feff}x"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z ]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_what_is_read(
        key in ".{1,20}",
        columns in prop::collection::btree_map("[a-z]{1,8}", value(), 0..4),
        addresses in prop::collection::btree_set(".{0,12}", 1..4),
        rationale in "\\PC{1,60}",
        comment in ".*",
    ) {
        let mut desired = Desired::default();
        desired.rows.push(RowResource {
            table: spot(TableName::new("public", "t")),
            key: BTreeMap::from([("id 1".to_owned(), spot(Value::from(key)))]),
            state: RowState::Present(columns.into_iter().map(|(name, value)| (name, spot(value))).collect()),
            place: place(),
        });
        let conditions = BTreeMap::from([("address".to_owned(), Condition::In(addresses.into_iter().collect()))]);
        desired.promotions.insert("p".to_owned(), Promotion {
            name: "p".to_owned(),
            units: UnitsRef::Inline(spot(Selection { conditions })),
            to: spot("enacted".to_owned()),
            review: Review {
                decision: "approve".to_owned(), reviewer: "council".to_owned(), rationale, at: None,
                more: BTreeMap::new(), place: None,
            },
            ids: IdChoice::default(),
            adopt: false,
            place: place(),
        });
        let mut comments = Comments::default();
        comments.of.insert(Address::promotion("p"), vec![comment]);
        round(&desired, &comments);
    }
}
