//! The whole cycle on the embedded stores: plan, apply, plan again; and what stops it.
#![cfg(feature = "embedded")]

#[path = "support/project.rs"]
mod project;

use project::Project;

const CONFIG: &str = "enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n    binding: iu-core\n    embedders: { default: { kind: static } }\n    actor: test\n    sweep_grace: 0s\n";

const PLAN: &str = r#"enact: v1
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

const COUNTS: &str = "SELECT concat_ws('/', (SELECT count(*) FROM information_unit WHERE lifecycle_status = 'enacted'), \
    (SELECT count(*) FROM iu_lifecycle_log), (SELECT count(*) FROM cutter_governance.manifest_unit_block), \
    (SELECT count(*) FROM cutter_governance.review_decision), (SELECT count(*) FROM cutter_governance.cut_change_set), \
    (SELECT count(*) FROM iu_vector_sync_point), (SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'))";

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}

#[test]
fn plan_apply_plan_is_empty() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let plan = project.ok(&["plan", "--out", "plan.json"]);
    assert!(plan.starts_with("Plan: 89 to add, 0 to change, 0 to destroy.\nLifecycle: 86 to promote."), "{plan}");
    assert_eq!(std::fs::read(project.path().join("plan.json")).unwrap(), {
        project.ok(&["plan", "--out", "again.json"]);
        std::fs::read(project.path().join("again.json")).unwrap()
    });
    let applied = project.ok(&["apply", "plan.json", "--auto-approve"]);
    assert!(last_line(&applied).starts_with("Applied."), "{applied}");
    assert_eq!(project.value(COUNTS), "86/86/86/1/1/88/false");
    assert_eq!(project.value("SELECT current_in_sync FROM v_iu_three_axis_envelope_refresh_status"), "t");
    let (again, _) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(again.contains("No changes. PostgreSQL and Qdrant match the plan."), "{again}");
    let (_, twice) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(twice.contains("this plan was applied before"), "{twice}");
}
