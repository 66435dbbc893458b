use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::{DeclaredRow, Place, PlainScalar, RowOrigin, RowSet, RowState, SyncedTable, TableName, Written};
use crate::spec::parse_plan;

fn place() -> Place {
    Place { file: Arc::from("x"), line: 1, column: 1, start: 0, end: 0 }
}

fn spot<T>(value: T) -> Spot<T> {
    Spot { value, place: place() }
}

/// Everything that a text says but its rows, without places.
fn said(desired: &Desired) -> Vec<(&'static str, Vec<String>)> {
    let texts = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.text).collect();
    let sections = sections(desired).into_iter().filter(|(section, _)| *section != "rows");
    sections.map(|(section, all)| (section, texts(all))).collect()
}

/// What is said of rows, without places. No column tells a word in quotes from one without, and the reader no store's
/// spelling from a text.
fn rows_said(desired: &Desired) -> Vec<String> {
    let sets = desired.rows.iter().map(|set| {
        let RowSet { table, key, columns, state, origin, computed, rows } = set;
        let computed: Vec<&String> = computed.iter().map(|spot| &spot.value).collect();
        let cells = |row: &DeclaredRow| row.cells.iter().map(|cell| bare(&cell.value)).collect::<Vec<_>>();
        let rows: Vec<_> = rows.iter().map(cells).collect();
        format!("{} {key:?} {columns:?} {state:?} {origin:?} {computed:?} {rows:?}", table.value)
    });
    let synced = desired.synced.iter().map(|synced| {
        let SyncedTable { table, key, within, max_delete, place: _ } = synced;
        let values = |values: &Vec<Written>| values.iter().map(bare).collect::<Vec<_>>();
        let within: Vec<_> = within.iter().map(|(column, spot)| (column, values(&spot.value))).collect();
        format!("{} {key:?} {within:?} {max_delete}", table.value)
    });
    sets.chain(synced).collect()
}

fn bare(value: &Written) -> Written {
    match value {
        Written::Plain(text) if PlainScalar::of(text) == PlainScalar::Word => Written::Text(text.clone()),
        Written::Spelled(text) => Written::Text(text.clone()),
        Written::List(items) => Written::List(items.iter().map(bare).collect()),
        Written::Map(entries) => Written::Map(entries.iter().map(|(key, value)| (key.clone(), bare(value))).collect()),
        Written::Null | Written::Plain(_) | Written::Text(_) | Written::Json(_) | Written::ApplyTime => value.clone(),
    }
}

#[track_caller]
fn round(desired: &Desired, comments: &Comments) -> String {
    let text = plan_text("round", desired, comments).unwrap_or_else(|found| panic!("{found:?}"));
    let (again, _) = parse_plan("round.yaml", &text).unwrap_or_else(|found| panic!("{found:?}\n{text}"));
    assert_eq!(said(&again), said(desired), "{text}");
    assert_eq!(rows_said(&again), rows_said(desired), "{text}");
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

#[test]
fn rows_are_written_as_an_author_would() {
    let text = r#"# yaml-language-server: $schema=../schemas/plan.schema.json
enact: v1
plan: round

rows:
  cms.articles:
    mode: sync
    rows:
      - key:
          slug: travel
        values: {}
        computed: [updated_at]
    key: [slug]
    where:
      locale: en
    max_delete: 5
  "\"v1.2\".t":
    - key:
        id: 012
      values:
        at: "{apply.time}"
        doc: !json '{"a": 1}'
        lines: |
          one
          two
        n: 1.10
        none: null
        number: "1.10"
        tags:
          - a b
          - x: []
"#;
    let (desired, _) = parse_plan("plan.yaml", text).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(round(&desired, &Comments::default()), text);
}

#[test]
fn a_table_in_several_modes_has_an_entry_for_each() {
    let text = "enact: v1\nplan: p\nrows:\n  a.t: [{ key: { id: 1 }, absent: true }]\n  \"\\\"a\\\".t\": { mode: insert, rows: [{ key: { id: 2 }, values: {} }] }\n  \
        \"a.\\\"t\\\"\": { mode: sync, key: [id], rows: [] }\n";
    let (desired, _) = parse_plan("plan.yaml", text).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!((desired.rows.len(), desired.synced.len()), (2, 1));
    round(&desired, &Comments::default());
}

/// Words that YAML or the schema could take for something else.
const TRAPS: &[&str] = &[
    "yes",
    "null",
    "~",
    "",
    "0x1F",
    "1e3",
    "01",
    ".5",
    "+7",
    "2026-06-22",
    "=",
    "<<",
    "- a",
    "a: b",
    "\u{feff}x",
    "TRUE",
    ".nan",
    "1.10",
    "{apply.time}",
    "123456789012345678901234567890",
    "!json x",
    "a #b",
    "\u{85}",
    "é\r\n\t",
    " x ",
];

fn written() -> impl Strategy<Value = Written> {
    let text = prop_oneof![
        ".*",
        "[ \\t\\n#:{}\\[\\],&*!|>'\"%@`?~-]{0,12}",
        prop::sample::select(TRAPS).prop_map(str::to_owned),
    ];
    let number = prop::sample::select(vec![
        "1.10",
        "TRUE",
        "False",
        "012",
        "0x1F",
        "-.5",
        "3.",
        "1e400",
        ".nan",
        "99999999999999999999",
    ]);
    let json = prop::sample::select(vec![
        "null",
        "{\"a\": [1.10, \"it's\"]}",
        "\"\\u0085\"",
        "[\n1]",
        "\"\u{85}\u{feff}\"",
        "1e400",
    ]);
    let leaf = prop_oneof![
        Just(Written::Null),
        text.clone().prop_map(Written::Text),
        text.prop_map(Written::Spelled),
        number.prop_map(|text| Written::Plain(text.to_owned())),
        json.prop_map(|text| Written::Json(text.to_owned())),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let entries = prop::collection::btree_map(".{1,6}", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Written::List),
            entries.prop_map(|map| Written::Map(map.into_iter().collect())),
        ]
    })
}

fn key_cell() -> impl Strategy<Value = Written> {
    let text = prop_oneof![".*", prop::sample::select(TRAPS).prop_map(str::to_owned)];
    prop_oneof![
        Just(Written::Null),
        text.prop_filter("a time is no key", |text| text != "{apply.time}").prop_map(Written::Text),
        Just(Written::Plain("1.10".to_owned())),
        Just(Written::Map(vec![
            ("row".to_owned(), Written::Text("\"v 1\".t".to_owned())),
            ("key".to_owned(), Written::Map(vec![("id".to_owned(), Written::Plain("0x1".to_owned()))])),
        ])),
    ]
}

/// A set of one row, and the table that is synced by it.
fn row_set() -> impl Strategy<Value = (RowSet, Option<SyncedTable>)> {
    let table = (prop::sample::select(vec!["public", "v1.2", "Cap", "a\"b", "c d"]), ".{1,4}");
    let columns = prop::collection::btree_map(".{1,6}", written(), 0..4);
    let state = prop::sample::select(vec![RowState::Present, RowState::Inserted, RowState::Absent]);
    let computed = prop::option::of("[a-z]{1,3}");
    let sync = prop::option::of((key_cell(), 0..200_u64));
    let key = ".{1,6}".prop_filter("a column has a name", |key| !key.trim().is_empty());
    (table, key, key_cell(), columns, state, (computed, sync)).prop_map(
        |((schema, table), key, cell, mut columns, state, (computed, sync))| {
            columns.remove(&key);
            if state == RowState::Absent {
                columns.clear();
            }
            let computed: Vec<_> =
                computed.filter(|name| *name != key && state != RowState::Absent).into_iter().map(spot).collect();
            let table = spot(TableName::new(schema, table));
            let (columns, cells): (Vec<String>, Vec<Written>) = columns.into_iter().unzip();
            let cells = std::iter::once(cell).chain(cells).map(spot).collect();
            let synced = sync.filter(|(within, _)| state == RowState::Present && !within.is_reference());
            let synced = synced.map(|(within, max_delete)| SyncedTable {
                table: table.clone(),
                key: vec![key.clone()],
                within: BTreeMap::from([("w".to_owned(), spot(vec![within]))]),
                max_delete,
                place: place(),
            });
            let rows = vec![DeclaredRow { cells, place: place() }];
            (RowSet { table, key: vec![key], columns, state, origin: RowOrigin::Files, computed, rows }, synced)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(
        (set, synced) in row_set(),
        addresses in prop::collection::btree_set(".{0,12}", 1..4),
        rationale in "\\PC{0,30}[\\p{L}\\p{N}]\\PC{0,30}",
        comment in ".*",
    ) {
        let mut desired = Desired::default();
        desired.rows.push(set);
        desired.synced.extend(synced);
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
