//! The plan of the cycle tests, and what it makes.

/// An environment on the embedded stores.
#[allow(dead_code, reason = "not every test that includes this module asks")]
pub const CONFIG: &str = "enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n    binding: iu-core\n    embedders: { default: { kind: static } }\n    actor: test\n    sweep_grace: 0s\n";

/// Promotes the fixture's 86 drafts and indexes what is enacted.
pub const PLAN: &str = r#"enact: v1
plan: cycle
units:
  drafts: { where: { address_prefix: D38-, lifecycle: draft } }
promotions:
  d38:
    units: drafts
    to: enacted
    review: { decision: approve, reviewer: council, rationale: "read twice", at: "2026-05-24T00:00:00Z" }
chunk_policies:
  short: { splitter: text, max_chars: 1800, text: "{title}\n\n{chunk}", empty_body: skip }
vector_sets:
  iu_core_iu_chunks:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors:
      dense: { embedder: default, distance: cosine }
      text: { sparse: bm25, language: none }
    payload: [unit_id, canonical_address, title, chunk_index]
    payload_indexes: { unit_id: uuid }
"#;

/// What the plan changes, counted.
pub const COUNTS: &str = "SELECT concat_ws('/', (SELECT count(*) FROM information_unit WHERE lifecycle_status = 'enacted'), \
    (SELECT count(*) FROM iu_lifecycle_log), (SELECT count(*) FROM cutter_governance.manifest_unit_block), \
    (SELECT count(*) FROM cutter_governance.review_decision), (SELECT count(*) FROM cutter_governance.cut_change_set), \
    (SELECT count(*) FROM iu_vector_sync_point), (SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'))";

/// The counts before the plan.
#[allow(dead_code, reason = "not every test that includes this module asks")]
pub const BEFORE: &str = "0/0/0/0/0/0/false";

/// The counts after it.
pub const AFTER: &str = "86/86/86/1/1/88/false";
