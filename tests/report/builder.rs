//! Saved plans made by hand.

use std::collections::BTreeMap;

use enact::diff::{
    Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, FieldChange, Finding, PromotionRecord, Reason,
    RowChange, UnitPoints, VectorChange,
};
use enact::model::{
    Address, Binding, Cell, Digest, EmbedderIdentity, KeyPart, LiveRow, PointId, RowKey, SourceFile, TableName,
    UnitFacts,
};
use enact::plan::{
    Baseline, EnvironmentPin, FORMAT_VERSION, Phase, Pins, RowsPin, SavedPlan, SetPin, Step, Summary, VectorMaker,
    VectorWork, Work,
};

/// A plan in the making.
pub struct PlanBuilder {
    pub plan: SavedPlan,
    pub kept: u64,
}

impl PlanBuilder {
    pub fn new() -> PlanBuilder {
        let plan = SavedPlan {
            format_version: FORMAT_VERSION.to_owned(),
            digest: Digest::default(),
            made_by: "0.1.0".to_owned(),
            summary: Summary::default(),
            author: None,
            partial: Default::default(),
            environment: environment("local"),
            files: vec![file("plans/charter.yaml")],
            changes: Vec::new(),
            findings: Vec::new(),
            drift: Vec::new(),
            steps: Vec::new(),
            links: Vec::new(),
            baseline: Baseline::default(),
            pins: pins(),
            guards: enact::model::Guards::default(),
        };
        PlanBuilder { plan, kept: 0 }
    }

    pub fn change(mut self, address: Address, reason: Reason, detail: ChangeDetail) -> PlanBuilder {
        self.plan.changes.push(Change { address, declared_at: None, reasons: vec![reason], detail });
        self
    }

    /// Says where the last change is declared.
    pub fn at(mut self, place: &str) -> PlanBuilder {
        if let Some(change) = self.plan.changes.last_mut() {
            change.declared_at = Some(place.to_owned());
        }
        self
    }

    pub fn row(self, table: &str, key: &str, reason: Reason, change: RowChange) -> PlanBuilder {
        let table = TableName::parse(table).unwrap();
        self.row_of(table, key, None, reason, change)
    }

    pub fn row_of(
        self,
        table: TableName,
        key: &str,
        kind: Option<&str>,
        reason: Reason,
        change: RowChange,
    ) -> PlanBuilder {
        let key = RowKey(vec![KeyPart { column: "id".to_owned(), value: Cell::Text(key.to_owned()) }]);
        let address = Address::row(&table, &key);
        self.change(address, reason, ChangeDetail::Row { table, key, kind: kind.map(str::to_owned), change })
    }

    pub fn promote(self, unit: UnitFacts, to: &str, promotion: &str) -> PlanBuilder {
        let address = Address::lifecycle(&unit.address);
        let reason = Reason::Promotion(promotion.to_owned());
        let detail = ChangeDetail::Lifecycle { unit, to: to.to_owned(), promotion: promotion.to_owned() };
        self.change(address, reason, detail)
    }

    pub fn promotion(self, name: &str, units: u64) -> PlanBuilder {
        let record = PromotionRecord {
            to: "enacted".to_owned(),
            namespace: name.to_owned(),
            scheme: None,
            set_hash: None,
            text: None,
            units: Vec::new(),
        };
        let detail = ChangeDetail::Promotion {
            name: name.to_owned(),
            units,
            set_hash: Some("29b36fa4c0ffee".to_owned()),
            record: Box::new(record),
        };
        self.change(Address::promotion(name), Reason::NotThere, detail)
    }

    pub fn refresh(self, name: &str, units: u64) -> PlanBuilder {
        let detail = ChangeDetail::Refresh { name: name.to_owned(), units };
        self.change(Address::refresh(name), Reason::LifecycleChanges, detail)
    }

    pub fn vectors(mut self, reason: Reason, set: VectorChange) -> PlanBuilder {
        self.plan.pins.sets.insert(set.set.clone(), pinned());
        let work = stage(&set);
        self = self.step(Phase::Stage, &format!("embed for {}", set.set), None, work);
        self.change(Address::vector_set(&set.set), reason, ChangeDetail::VectorSet(Box::new(set)))
    }

    pub fn step(mut self, phase: Phase, title: &str, run_as: Option<&str>, work: Work) -> PlanBuilder {
        let id = self.plan.steps.len() as u32 + 1;
        let step = Step {
            id,
            phase,
            title: title.to_owned(),
            run_as: run_as.map(str::to_owned),
            needs: Vec::new(),
            addresses: Vec::new(),
            work,
        };
        self.plan.steps.push(step);
        self
    }

    pub fn finding(mut self, code: &str, address: Option<Address>, message: &str) -> PlanBuilder {
        self.plan.findings.push(Finding { code: code.to_owned(), address, message: message.to_owned() });
        self
    }

    /// Counts, and digests as a real plan would.
    pub fn done(mut self) -> SavedPlan {
        self.plan.summary = Summary::of(&self.plan.changes, self.kept);
        self.plan.digest = self.plan.content_digest();
        self.plan
    }
}

/// Work that a report does not look into.
pub fn some_work() -> Work {
    Work::RecordManaged { write: Vec::new(), forget: Vec::new(), remember: Vec::new(), declare: Vec::new() }
}

fn pinned() -> SetPin {
    SetPin {
        vectors: BTreeMap::new(),
        payload_indexes: BTreeMap::new(),
        makers: makers(),
        chunk_policy: "v1".to_owned(),
        payload: Vec::new(),
        policy: Digest::of_bytes(b"policy"),
        embedders: Digest::of_bytes(b"embedders"),
        fields: Default::default(),
        ids: Default::default(),
    }
}

fn makers() -> BTreeMap<String, VectorMaker> {
    BTreeMap::from([
        ("dense".to_owned(), VectorMaker::Embedder("default".to_owned())),
        ("text".to_owned(), VectorMaker::Bm25("english".to_owned())),
    ])
}

fn stage(set: &VectorChange) -> Work {
    Work::StageVectors(Box::new(VectorWork {
        set: set.set.clone(),
        live: None,
        new_collection: true,
        vectors: BTreeMap::new(),
        payload_indexes: BTreeMap::new(),
        makers: makers(),
        chunk_policy: "v1".to_owned(),
        payload: Vec::new(),
        policy_digest: Digest::of_bytes(b"policy"),
        embedders_digest: Digest::of_bytes(b"embedders"),
        units: Vec::new(),
        kept: set.kept,
        ledger_key: None,
    }))
}

pub fn environment(name: &str) -> EnvironmentPin {
    EnvironmentPin {
        name: name.to_owned(),
        actor: "lan".to_owned(),
        connected_as: None,
        approvals: Default::default(),
        sweep_grace_seconds: 0,
        request_deadline_seconds: 0,
        allowed_collections: Vec::new(),
        denied_collections: Vec::new(),
    }
}

pub fn file(path: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), plan: "charter".to_owned(), digest: Digest::of_bytes(b"file") }
}

fn pins() -> Pins {
    let pin =
        EmbedderIdentity { kind: "static".to_owned(), model: "minilm".to_owned(), dimension: 128, revision: None };
    Pins {
        binding: binding(),
        project: "project".to_owned(),
        roles: BTreeMap::new(),
        types: BTreeMap::new(),
        selections: Vec::new(),
        overlay: BTreeMap::new(),
        promotions: BTreeMap::new(),
        sets: BTreeMap::new(),
        chunk_policies: BTreeMap::new(),
        embedders: BTreeMap::from([("default".to_owned(), pin)]),
        embedding: BTreeMap::new(),
        ledger_units: BTreeMap::new(),
        checks: BTreeMap::new(),
        guards: BTreeMap::new(),
        declared: BTreeMap::new(),
        needs: Vec::new(),
        rows: RowsPin::default(),
    }
}

fn binding() -> Binding {
    let value = serde_json::json!({
        "name": "documents",
        "units": {
            "from": "documents", "id": "id", "address": "slug", "title": "title", "body": "body",
            "content_hash": "md5(body)", "lifecycle": "status", "lock": [], "tables": ["public.documents"],
        },
        "lifecycle": { "states": ["draft", "enacted"], "transitions": [] },
    });
    serde_json::from_value(value).unwrap()
}

pub fn unit(address: &str, title: &str) -> UnitFacts {
    UnitFacts {
        id: format!("id-{address}"),
        address: address.to_owned(),
        title: title.to_owned(),
        lifecycle: "draft".to_owned(),
        content_hash: "0123".to_owned(),
        anchor: None,
        empty_body: false,
        fields: BTreeMap::new(),
    }
}

pub fn create(values: &[(&str, &str)]) -> RowChange {
    let cell = |(column, value): &(&str, &str)| ((*column).to_owned(), Cell::Text((*value).to_owned()));
    RowChange::Create { values: values.iter().map(cell).collect() }
}

pub fn delete(values: &[(&str, &str)]) -> RowChange {
    RowChange::Delete { before: live(values) }
}

pub fn update(fields: &[(&str, &str, &str)]) -> RowChange {
    let field = |(column, before, after): &(&str, &str, &str)| {
        let change =
            FieldChange { before: Some((*before).to_owned()), after: Cell::Text((*after).to_owned()), recorded: None };
        ((*column).to_owned(), change)
    };
    RowChange::Update { live: live(&[]), fields: fields.iter().map(field).collect() }
}

fn live(values: &[(&str, &str)]) -> LiveRow {
    LiveRow(values.iter().map(|(column, value)| ((*column).to_owned(), Some((*value).to_owned()))).collect())
}

pub fn set(name: &str, collection: CollectionChange, units: Vec<UnitPoints>) -> VectorChange {
    VectorChange {
        back: None,
        set: name.to_owned(),
        recipe: Digest::of_bytes(b"recipe"),
        collection,
        tokens: units.iter().flat_map(|unit| &unit.chunks).map(chunk_tokens).sum(),
        units,
        kept: 12,
        foreign: 0,
        ledger: Vec::new(),
        skipped_empty: Vec::new(),
    }
}

fn chunk_tokens(chunk: &ChunkPlan) -> u64 {
    match chunk.source {
        ChunkSource::Embed { tokens } => tokens,
        ChunkSource::Kept | ChunkSource::Copy { .. } | ChunkSource::Image { .. } => 0,
    }
}

/// The points of a unit: `sources` for its chunks, `delete` points that go.
pub fn points(address: &str, title: &str, reason: Reason, sources: &[ChunkSource], delete: u64) -> UnitPoints {
    let chunk = |(i, source): (usize, &ChunkSource)| ChunkPlan {
        digest: None,
        ordinal: i as u32,
        id: PointId::Number(100 + i as u64),
        text: Digest::of_bytes(b"text"),
        sha256: String::new(),
        source: source.clone(),
    };
    UnitPoints {
        unit: format!("id-{address}"),
        address: address.to_owned(),
        title: title.to_owned(),
        input: None,
        reason,
        chunks: sources.iter().enumerate().map(chunk).collect(),
        delete: (0..delete).map(PointId::Number).collect(),
    }
}
