//! Plans come back from their lines as they were, and cost what they should.

use std::collections::BTreeMap;

use super::derived::Making;
use super::{read_plan, write_plan};
use crate::diff::{
    Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, FieldChange, LedgerWrite, PromotionRecord, Reason,
    RowChange, UnitPoints, VectorChange,
};
use crate::model::{
    Address, Cell, Digest, Guards, KeyPart, LiveRow, PointId, PointIds, RowKey, RowReference, TableName, UnitFacts,
};
use crate::plan::{
    Baseline, EnvironmentPin, FORMAT_VERSION, LoadError, NeedKind, NeedPin, Pins, RowsKept, RowsPin, SavedPlan, SetPin,
    Summary,
};

const SET: &str = "chunks";
const PROMOTION: &str = "wave";

fn binding() -> crate::model::Binding {
    let value = serde_json::json!({
        "name": "documents",
        "units": {
            "from": "documents", "id": "id", "address": "slug", "title": "title", "body": "body",
            "content_hash": "md5(body)", "lifecycle": "status", "lock": [], "tables": ["public.documents"],
        },
        "lifecycle": { "states": ["draft", "enacted"], "transitions": [] },
        "ledger": {
            "table": "public.points", "sets": [SET], "key_column": "k", "key": "iu.{unit.address}#chunk-{chunk.key}",
            "status_column": "s", "digest_column": "d", "unit_column": "u", "indexed": "indexed", "removed": "disabled",
            "record": { "function": "public.record", "arguments": {}, "success": [] },
        },
    });
    serde_json::from_value(value).unwrap()
}

fn plan(changes: Vec<Change>) -> SavedPlan {
    let pin = SetPin {
        vectors: BTreeMap::new(),
        payload_indexes: BTreeMap::new(),
        makers: BTreeMap::new(),
        chunk_policy: "v1".to_owned(),
        payload: vec!["unit_id".to_owned(), "title".to_owned(), "kind".to_owned()],
        policy: Digest::of_bytes(b"policy"),
        embedders: Digest::of_bytes(b"embedders"),
        fields: ["title".to_owned(), "kind".to_owned()].into(),
        ids: PointIds::Content,
    };
    let pins = Pins {
        binding: binding(),
        project: "project".to_owned(),
        roles: BTreeMap::new(),
        types: BTreeMap::new(),
        selections: Vec::new(),
        overlay: BTreeMap::new(),
        promotions: BTreeMap::new(),
        sets: BTreeMap::from([(SET.to_owned(), pin)]),
        chunk_policies: BTreeMap::new(),
        embedders: BTreeMap::new(),
        embedding: BTreeMap::new(),
        ledger_units: BTreeMap::new(),
        checks: BTreeMap::new(),
        guards: BTreeMap::new(),
        declared: BTreeMap::new(),
        needs: Vec::new(),
        rows: RowsPin::default(),
    };
    let mut plan = SavedPlan {
        format_version: FORMAT_VERSION.to_owned(),
        digest: Digest::of_bytes(b""),
        made_by: "enact 0.1.0".to_owned(),
        summary: Summary::of(&changes, 0),
        author: Some("planner".to_owned()),
        partial: Default::default(),
        environment: EnvironmentPin {
            name: "local".to_owned(),
            actor: "lan".to_owned(),
            connected_as: Some("planner".to_owned()),
            approvals: Default::default(),
            sweep_grace_seconds: 0,
            request_deadline_seconds: 0,
            allowed_collections: Vec::new(),
            denied_collections: Vec::new(),
        },
        files: Vec::new(),
        changes,
        findings: Vec::new(),
        drift: Vec::new(),
        steps: Vec::new(),
        links: Vec::new(),
        baseline: Baseline::default(),
        pins,
        guards: Guards::default(),
    };
    plan.digest = plan.content_digest();
    plan
}

fn text(plan: &SavedPlan) -> String {
    let mut out = Vec::new();
    write_plan(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn comes_back(plan: &SavedPlan) -> String {
    let text = text(plan);
    let read = read_plan(&mut text.as_bytes()).unwrap();
    assert_eq!(read.changes.len(), plan.changes.len(), "{text}");
    for (read, planned) in read.changes.iter().zip(&plan.changes) {
        assert_eq!(read, planned, "{text}");
    }
    assert_eq!(&read, plan, "{text}");
    text
}

fn unit(number: u32) -> UnitFacts {
    let digest = Digest::of_bytes(&number.to_be_bytes());
    let uuid = |name: &str| PointId::of_key("6ba7b811-9dad-11d1-80b4-00c04fd430c8", name).unwrap().to_string();
    let address = format!("law/code-{}/§ {number}", number % 7);
    UnitFacts {
        id: uuid(&format!("unit {number}")),
        title: format!("§ {number} Anwendungsbereich und Begriffe"),
        lifecycle: "draft".to_owned(),
        content_hash: digest.to_string(),
        anchor: (!number.is_multiple_of(5)).then(|| uuid(&format!("anchor {number}"))),
        empty_body: number % 50 == 3,
        fields: BTreeMap::from([
            ("canonical_address".to_owned(), Some(address.clone())),
            ("kind".to_owned(), Some(["law", "article", "note"][number as usize % 3].to_owned())),
            ("parent".to_owned(), (!number.is_multiple_of(4)).then(|| address[..10].to_owned())),
            ("url".to_owned(), Some(format!("https://law.example/{address}"))),
        ]),
        address,
    }
}

fn moves(units: &[UnitFacts]) -> Vec<Change> {
    let one = |unit: &UnitFacts| Change {
        address: Address::lifecycle(&unit.address),
        declared_at: Some("plans/wave.yaml:7:3".to_owned()),
        reasons: vec![Reason::Promotion(PROMOTION.to_owned())],
        detail: ChangeDetail::Lifecycle {
            unit: unit.clone(),
            to: "enacted".to_owned(),
            promotion: PROMOTION.to_owned(),
        },
    };
    units.iter().map(one).collect()
}

fn recorded(units: &[UnitFacts]) -> Change {
    let record = PromotionRecord {
        to: "enacted".to_owned(),
        namespace: PROMOTION.to_owned(),
        scheme: None,
        set_hash: Some("29b36fa4".to_owned()),
        text: None,
        units: units.to_vec(),
    };
    Change {
        address: Address::promotion(PROMOTION),
        declared_at: None,
        reasons: vec![Reason::NotThere],
        detail: ChangeDetail::Promotion {
            name: PROMOTION.to_owned(),
            units: units.len() as u64,
            set_hash: Some("29b36fa4".to_owned()),
            record: Box::new(record),
        },
    }
}

fn row(table: &str, key: &[(&str, &str)], kind: Option<&str>, change: RowChange) -> Change {
    let table = TableName::new("public", table);
    let part = |(column, value): &(&str, &str)| KeyPart { column: (*column).to_owned(), value: cell(value) };
    let key = RowKey(key.iter().map(part).collect());
    Change {
        address: Address::row(&table, &key),
        declared_at: None,
        reasons: vec![kind.map_or(Reason::NotThere, |_| Reason::Promotion(PROMOTION.to_owned()))],
        detail: ChangeDetail::Row { table, key, kind: kind.map(str::to_owned), change },
    }
}

fn cell(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn blocks(units: &[UnitFacts]) -> Vec<Change> {
    let one = |(unit, ordinal): (&UnitFacts, u32)| {
        let span = format!("{{\"kind\": \"whole\", \"content_hash\": \"{}\"}}", unit.content_hash);
        let values = [
            ("envelope_id", cell("cf000017-b369-f74e-815d-c9ea9d8a20c6")),
            ("unit_local_id", cell(&unit.address)),
            ("source_span", cell(&span)),
            ("render_order", cell(&ordinal.to_string())),
            ("target_unit_id", cell(&unit.id)),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let key = [("envelope_id", "cf000017-b369-f74e-815d-c9ea9d8a20c6"), ("unit_local_id", unit.address.as_str())];
        row("unit_block", &key, Some("unit block"), RowChange::Create { values })
    };
    units.iter().zip(1..).map(one).collect()
}

/// The set's change of these units, made as the comparison makes it.
fn indexed(plan: &SavedPlan, units: &[UnitFacts]) -> Change {
    let recipe = Digest::of_bytes(b"recipe");
    let making = Making { set: SET, recipe: &recipe, pin: &plan.pins.sets[SET], binding: &plan.pins.binding };
    let mut ledger = Vec::new();
    let mut points = Vec::new();
    for unit in units {
        let made = making.of(unit, "enacted");
        let text = Digest::of_bytes(unit.title.as_bytes());
        let sha256 = Digest::of_bytes(unit.id.as_bytes()).to_string();
        let (id, digest) = made.point(0, 1, &text, &sha256).unwrap();
        ledger.push(LedgerWrite {
            unit: unit.id.clone(),
            key: made.key(0).unwrap(),
            id,
            ordinal: 0,
            count: 1,
            sha256: sha256.clone(),
            exists: true,
        });
        points.push(UnitPoints {
            unit: unit.id.clone(),
            address: unit.address.clone(),
            title: unit.title.clone(),
            input: Some(made.input()),
            reason: Reason::UnitJoins,
            chunks: vec![ChunkPlan { ordinal: 0, id, text, sha256, digest, source: ChunkSource::Embed { tokens: 93 } }],
            delete: Vec::new(),
        });
    }
    change_of(recipe, points, ledger)
}

fn change_of(recipe: Digest, units: Vec<UnitPoints>, ledger: Vec<LedgerWrite>) -> Change {
    let set = VectorChange {
        set: SET.to_owned(),
        recipe,
        collection: CollectionChange::New,
        units,
        kept: 0,
        foreign: 0,
        tokens: 0,
        ledger,
        skipped_empty: Vec::new(),
        back: None,
    };
    Change {
        address: Address::vector_set(SET),
        declared_at: None,
        reasons: vec![Reason::UnitJoins],
        detail: ChangeDetail::VectorSet(Box::new(set)),
    }
}

/// Units that are promoted and indexed, with the rows that their promotion authors.
fn wave(count: u32) -> SavedPlan {
    let mut units: Vec<UnitFacts> = (0..count).map(unit).collect();
    units.sort_by(|a, b| a.address.cmp(&b.address));
    let mut changes = blocks(&units);
    changes.extend(moves(&units));
    changes.push(recorded(&units));
    let points = indexed(&plan(Vec::new()), &units);
    changes.push(points);
    plan(changes)
}

#[test]
fn a_wave_comes_back_at_three_hundred_bytes_a_unit() {
    comes_back(&wave(1));
    let text = comes_back(&wave(1_000));
    let without = text.lines().filter(|line| line.starts_with('{')).map(str::len).sum::<usize>();
    let each = (text.len() - without) / 1_000;
    assert!(each <= 300, "{each} bytes a unit:\n{}", text.lines().take(1_000).collect::<Vec<_>>().join("\n"));
    assert!(without < 6_000, "{without} bytes of heads");
    assert!(!text.contains("\"steps\""));
}

#[test]
fn rows_of_every_kind_come_back() {
    let live = |status: &str| {
        LiveRow(BTreeMap::from([
            ("id".to_owned(), Some("1".to_owned())),
            ("status".to_owned(), Some(status.to_owned())),
        ]))
    };
    let field = |before: &str, after: Cell| {
        BTreeMap::from([("status".to_owned(), FieldChange { before: Some(before.to_owned()), after, recorded: None })])
    };
    let reference = Cell::Reference(Box::new(RowReference {
        table: TableName::new("public", "person"),
        key: RowKey(vec![KeyPart { column: "handle".to_owned(), value: cell("cy") }]),
        column: "id".to_owned(),
    }));
    let created = |id: &str, of: Cell| RowChange::Create {
        values: BTreeMap::from([("id".to_owned(), cell(id)), ("of".to_owned(), of)]),
    };
    let mut changes = vec![
        row("t", &[("id", "1")], None, RowChange::Update { live: live("open"), fields: field("open", cell("~shut")) }),
        row("t", &[("id", "2")], None, created("2", Cell::ApplyTime)),
        row("t", &[("id", "3")], None, RowChange::Delete { before: live("@x") }),
        row("t", &[("id", "4")], None, created("4", reference)),
        row("t", &[("id", "5")], None, created("5", Cell::Null)),
        row("t", &[("id", "6")], None, RowChange::Update { live: live("x"), fields: field("y", Cell::ApplyTime) }),
        row("t", &[("id", "7")], None, created("7", cell("29b36fa4fd95dd871a0b949c2e37407c"))),
    ];
    changes[3].declared_at = Some("data/t.csv:12:1".to_owned());
    changes[4].address = Address::from_text("row.somewhere");
    comes_back(&plan(changes));
}

#[test]
fn rows_of_a_file_cost_their_values() {
    let one = |number: u32| {
        let (id, name) = (format!("id-{number:06}"), format!("Country {number}"));
        let values =
            [("code", cell(&id)), ("name", cell(&name)), ("region", cell(["north", "south"][number as usize % 2]))];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut change = row("countries", &[("code", id.as_str())], None, RowChange::Create { values });
        change.declared_at = Some(format!("data/countries.csv:{}:1", number + 2));
        change
    };
    let text = comes_back(&plan((0..1_000).map(one).collect()));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(lines.len(), 1_000);
    assert_eq!(lines.last(), Some(&"[\"id-000999\",\"Country 999\",1]"));
}

#[test]
fn what_does_not_follow_is_written_down() {
    let units: Vec<UnitFacts> = (0..3).map(unit).collect();
    let mut changes = moves(&units[..2]);
    changes[1].address = Address::from_text("lifecycle[\"another\"]");
    let mut points = indexed(&plan(Vec::new()), &units);
    let ChangeDetail::VectorSet(set) = &mut points.detail else { panic!() };
    set.units[0].chunks[0].id = PointId::Number(7);
    set.units[0].title = "another".to_owned();
    set.units[1].input = None;
    set.units[1].delete = vec![PointId::Number(9), PointId::from_text("cf000017-b369-f74e-815d-c9ea9d8a20c6").unwrap()];
    set.units[1].reason = Reason::UnitLeaves;
    set.units[1].chunks[0].source = ChunkSource::Copy { from: PointId::Number(3) };
    set.units[2].chunks[0].source = ChunkSource::Image { run: "019a".to_owned() };
    set.units[2].chunks[0].digest = Some(Digest::of_bytes(b"stands"));
    set.ledger.pop();
    changes.push(points);
    changes.push(recorded(&units));
    let mut plan = plan(changes);
    plan.pins.needs =
        vec![NeedPin { kind: NeedKind::Unique, why: "unique index x".to_owned(), pairs: vec![(0, 1); 2_500] }];
    plan.pins.rows.unchanged = vec![RowsKept {
        table: TableName::new("public", "t"),
        key: vec!["id".to_owned()],
        columns: vec!["name".to_owned()],
        times: vec!["name".to_owned()],
        rows: vec![vec![cell("1")], vec![Cell::Null]],
    }];
    plan.digest = plan.content_digest();
    comes_back(&plan);
}

#[test]
fn what_is_changed_afterwards_is_refused_with_its_line() {
    let whole = text(&wave(5));
    let why = |text: &str| match read_plan(&mut text.as_bytes()) {
        Err(error) => error,
        Ok(_) => panic!("it was read: {text}"),
    };
    assert!(matches!(why(&whole.replacen("Anwendungsbereich", "Geltungsbereich", 1)), LoadError::Edited { .. }));
    let lines: Vec<&str> = whole.lines().collect();
    for left_out in 1..lines.len() - 1 {
        let rest: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
        let error = why(&(rest.join("\n") + "\n"));
        assert!(matches!(error, LoadError::Edited { .. } | LoadError::NotAPlan(_)), "{error}");
    }
    for cut in [1, whole.len() / 2, whole.len() - 2] {
        let cut = (0..=cut).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
        assert!(matches!(why(&whole[..cut]), LoadError::NotAPlan(_)));
    }
    assert!(matches!(why(&format!("{whole}[]\n")), LoadError::NotAPlan(_)));
    assert!(matches!(why(&whole.replacen("{\"moves\":", "{\"moved\":", 1)), LoadError::NotAPlan(_)));
    let deep = format!("{}\n{}\n", lines[0], "[".repeat(100_000));
    assert!(why(&deep).to_string().contains("line 2"), "{}", why(&deep));
}
