//! The whole cycle on the embedded stores: plan, apply, plan again; and what stops it.

use crate::support::plans::{AFTER, CONFIG, COUNTS, PLAN};
use crate::support::project::Project;

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
    assert_eq!(project.value(COUNTS), AFTER);
    assert_eq!(project.value("SELECT current_in_sync FROM v_iu_three_axis_envelope_refresh_status"), "t");
    let (again, _) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(again.contains("No changes. PostgreSQL and Qdrant match the plan."), "{again}");
    let (_, twice) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(twice.contains("this plan was applied before"), "{twice}");
}

/// A digest over everything that a failed apply must leave alone, in both stores.
fn world(project: &Project) -> String {
    let rows = project.value(
        "SELECT md5(concat((SELECT string_agg(t::text, '|' ORDER BY t::text) FROM information_unit t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM unit_version t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_lifecycle_log t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_vector_sync_point t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_three_axis_envelope t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM cutter_governance.manifest_unit_block t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM dot_config t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM enact.managed t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM enact.managed_point t)))",
    );
    format!("{rows} {:?}", project.points())
}

#[test]
fn one_refused_unit_leaves_both_stores_as_they_were() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    // A function that answers a refusal for one unit, as the field's do: with a status, without raising.
    project.sql(
        "CREATE OR REPLACE FUNCTION public.fn_iu_enact(p_canonical_address text, p_actor text, p_review_decision_id uuid, \
           p_target_lifecycle text DEFAULT 'enacted', p_change_set_id uuid DEFAULT NULL, p_reason text DEFAULT NULL, \
           p_tool_revision text DEFAULT NULL, p_dry_run boolean DEFAULT false) RETURNS jsonb LANGUAGE sql SECURITY DEFINER \
         SET search_path = pg_catalog, public AS $$ SELECT CASE WHEN $1 = 'D38-DIEU32-S7' THEN '{\"status\":\"fsm_denied\"}'::jsonb \
           ELSE public.fn_ref_iu_transition('fn_iu_enact',$1,$2,$3,$4,$5,$6,$7,NULL,$8) END $$",
    );
    let before = world(&project);
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(stderr.contains("\"D38-DIEU32-S7\"") && stderr.contains("answered fsm_denied"), "{stderr}");
    assert_eq!(
        last_line(&stderr),
        "Failed and undone: both stores are as they were before. Next: mend the cause, then enact plan"
    );
    assert_eq!(world(&project), before);
    assert_eq!(project.value("SELECT outcome FROM enact.run"), "undone");
}

#[test]
fn a_rehearsal_runs_the_whole_plan_and_changes_nothing() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let before = world(&project);
    let shown = project.ok(&["rehearse", "--refuse-at", "40"]);
    assert!(shown.starts_with("Rehearsed: the plan runs through, and was rolled back. Nothing changed: "), "{shown}");
    assert!(shown.contains("a refusal at unit 40: unit \"D38-"), "{shown}");
    assert!(shown.contains("table       public.iu_lifecycle_log"), "a table that only a function writes to: {shown}");
    assert!(shown.contains("sequence "), "{shown}");
    assert_eq!(world(&project), before);
    assert_eq!(project.value("SELECT outcome FROM enact.run"), "rehearsed");
    let (_, stderr) = project.exits(&["rehearse", "--refuse-at", "87"], 3);
    assert!(stderr.contains("the plan moves 86 units, and unit 87 is none of them"), "{stderr}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.value(COUNTS), AFTER);
}

#[test]
fn a_refusal_at_every_unit_in_turn_changes_nothing() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let before = world(&project);
    let shown = project.ok(&["rehearse", "--refuse-each", "--verbose"]);
    assert_eq!(shown.matches("a refusal at unit ").count(), 86, "{shown}");
    assert_eq!(world(&project), before);
}

#[test]
fn a_unit_changed_after_the_plan_is_named_and_nothing_is_done() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("SELECT fn_iu_amend('D38-DIEU28-S3', 'another title', 'another body', 'somebody')");
    let before = world(&project);
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stderr.contains("unit \"D38-DIEU28-S3\" changed"), "{stderr}");
    assert_eq!(world(&project), before);
}

#[test]
fn an_edit_embeds_one_chunk_and_a_unit_that_leaves_takes_its_points() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.ok(&["apply", "--auto-approve"]);
    // The first of two chunks stays as it is; the second is another text.
    project.sql(
        "SELECT fn_iu_amend('D38-DIEU35-S2', 'D38-DIEU35-S2', repeat('z', 1700) || E'\\n' || repeat('v', 1600), 'somebody'); \
         SELECT fn_iu_three_axis_envelope_refresh('somebody')",
    );
    let edited = project.ok(&["plan"]);
    assert!(edited.contains("Vectors: 1 to embed") && edited.contains("1 to delete, 87 kept."), "{edited}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.points().len(), 88);
    project.sql(
        "SELECT fn_iu_retire('D38-DIEU35-S3', 'somebody', (SELECT review_decision_id FROM cutter_governance.review_decision)); \
         SELECT fn_iu_three_axis_envelope_refresh('somebody')",
    );
    let retired = project.ok(&["plan"]);
    assert!(retired.contains("Vectors: 0 to embed, 2 to delete, 86 kept."), "{retired}");
    project.ok(&["apply", "--auto-approve"]);
    assert_eq!(project.points().len(), 86);
    assert_eq!(project.value("SELECT count(*) FROM iu_vector_sync_point WHERE sync_status = 'indexed'"), "86");
    project.exits(&["plan", "--detailed-exitcode"], 0);
}

#[test]
fn what_changed_outside_is_told_apart_from_what_the_files_ask_for() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    let first = project.ok(&["apply", "--auto-approve"]);
    assert!(first.contains("W043 draft -> enacted (86 units) has no way back to draft"), "{first}");
    assert!(!first.contains("Changed outside"), "{first}");
    project.sql(
        "SELECT fn_iu_amend('D38-DIEU35-S2', 'another title', 'another body', 'somebody'); \
         SELECT fn_iu_three_axis_envelope_refresh('somebody'); \
         DELETE FROM cutter_governance.manifest_unit_block WHERE ctid IN \
           (SELECT ctid FROM cutter_governance.manifest_unit_block LIMIT 2)",
    );
    project.lose_point_but("D38-DIEU35-S2");
    let drifted = project.ok(&["plan", "--out", "drifted.json"]);
    assert!(drifted.contains("\nChanged outside Enact since the last apply:\n"), "{drifted}");
    for line in [
        "promotion.d38: 2 rows that it wrote are gone; written again",
        "vector_set.iu_core_iu_chunks: 1 unit (D38-DIEU35-S2) has other content than what is indexed; indexed again",
        "vector_set.iu_core_iu_chunks: 1 point of 1 unit (",
        "87 rows are as declared",
    ] {
        assert!(drifted.contains(line), "{line}\n{drifted}");
    }
    let markdown = project.ok(&["show", "drifted.json", "--format", "markdown"]);
    assert!(markdown.contains("! promotion.d38: 2 rows that it wrote are gone"), "{markdown}");
    project.ok(&["apply", "drifted.json", "--auto-approve"]);
    project.exits(&["plan", "--detailed-exitcode"], 0);
}

#[test]
fn a_changed_recipe_is_intent_and_its_cost_is_a_finding() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.ok(&["apply", "--auto-approve"]);
    project.write("plans/cycle.yaml", &PLAN.replace("max_chars: 1800", "max_chars: 400"));
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("why: the chunk policy, an embedder or the payload's fields changed\n"), "{plan}");
    assert!(plan.contains("W044 vector_set.iu_core_iu_chunks: "), "{plan}");
    assert!(!plan.contains("Changed outside"), "{plan}");
    project.write(
        "plans/cycle.yaml",
        &PLAN.replace("lifecycle: enacted }", "lifecycle: enacted, address_prefix: D38-DIEU2 }\n    max_delete: 100%"),
    );
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("W046 vector_set.iu_core_iu_chunks: "), "{plan}");
    assert!(!plan.contains("Changed outside"), "{plan}");
}

#[test]
fn a_plan_file_edited_by_hand_or_of_a_newer_format_is_refused() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.ok(&["plan", "--out", "plan.json"]);
    let text = std::fs::read_to_string(project.path().join("plan.json")).unwrap();
    project.write("edited.json", &text.replace("\"reviewer\"", "\"Reviewer\""));
    project.write("newer.json", &text.replace("\"format_version\":\"2.", "\"format_version\":\"9."));
    let (_, edited) = project.exits(&["apply", "edited.json", "--auto-approve"], 3);
    assert!(edited.contains("it was changed after it was saved") || edited.contains("not a saved plan"), "{edited}");
    let (_, newer) = project.exits(&["apply", "newer.json", "--auto-approve"], 3);
    assert!(newer.contains("the plan has format 9."), "{newer}");
}

#[test]
fn what_a_plan_refers_to_and_is_not_there_stops_it_with_its_place() {
    let project = Project::with_fixture(CONFIG);
    let broken = PLAN
        .replace("address_prefix: D38-", "adress: x")
        .replace("payload: [unit_id,", "payload: [unit_ix,")
        .replace("payload_indexes: { unit_id:", "payload_indexes: { unit_ix:")
        .replace("embedder: default", "embedder: defualt");
    project.write("plans/cycle.yaml", &broken);
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("has no field \"adress\"") && stderr.contains("did you mean \"address\"?"), "{stderr}");
    assert!(stderr.contains("has no field \"unit_ix\"") && stderr.contains("plans/cycle.yaml:19"), "{stderr}");
    let rows = "enact: v1\nplan: rows\nrows:\n  public.dot_config:\n    - { key: { key: a }, values: { valeu: b } }\n  public.nowhere:\n    - { key: { id: 1 }, values: {} }\n";
    project.write("plans/cycle.yaml", rows);
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("no column \"valeu\"") && stderr.contains("did you mean \"value\"?"), "{stderr}");
    assert!(stderr.contains("no table \"public.nowhere\""), "{stderr}");
}

#[test]
fn rows_are_created_updated_and_deleted_and_hostile_values_stay_data() {
    let project = Project::with_fixture(CONFIG);
    let hostile = "'; DROP TABLE dot_config; -- $1 {x}";
    let plan = |first: &str, state: &str| {
        format!(
            "enact: v1\nplan: rows\nrows:\n  public.dot_config:\n    - {{ key: {{ key: a }}, values: {{ value: \"{first}\" }} }}\n    - {{ key: {{ key: b }}, {state} }}\n"
        )
    };
    project.write("plans/rows.yaml", &plan(hostile, "values: { value: two, description: null }"));
    let created = project.ok(&["apply", "--auto-approve"]);
    assert!(created.starts_with("Plan: 2 to add, 0 to change, 0 to destroy."), "{created}");
    assert_eq!(project.value("SELECT value FROM dot_config WHERE key = 'a'"), hostile);
    project.exits(&["plan", "--detailed-exitcode"], 0);
    project.write("plans/rows.yaml", &plan("three", "absent: true"));
    let changed = project.ok(&["apply", "--auto-approve"]);
    assert!(changed.starts_with("Plan: 0 to add, 1 to change, 1 to destroy."), "{changed}");
    assert_eq!(project.value("SELECT string_agg(key || value, ',') FROM dot_config WHERE key IN ('a', 'b')"), "athree");
    project.exits(&["plan", "--detailed-exitcode"], 0);
}

#[test]
fn a_row_changed_after_the_plan_is_named_and_nothing_is_done() {
    let project = Project::with_fixture(CONFIG);
    project.sql("INSERT INTO dot_config (key, value) VALUES ('a', 'old')");
    project.write(
        "plans/rows.yaml",
        "enact: v1\nplan: rows\nrows:\n  public.dot_config:\n    - { key: { key: a }, values: { value: new } }\n",
    );
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("UPDATE dot_config SET value = 'other' WHERE key = 'a'");
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stderr.contains("row.public.dot_config") && stderr.contains("changed"), "{stderr}");
    assert_eq!(project.value("SELECT value FROM dot_config WHERE key = 'a'"), "other");
}

#[test]
fn a_revert_says_what_stays_and_what_goes_forward_instead() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/cycle.yaml", PLAN);
    project.ok(&["apply", "--auto-approve"]);
    let run = project.value("SELECT run_id FROM enact.run");
    let plan = project.ok(&["revert", &run[..13]]);
    assert!(plan.contains("86 units stay enacted: there is no way back to draft"), "{plan}");
    assert!(plan.contains("retired") && plan.contains("governance rows stay"), "{plan}");
    assert!(plan.contains("88 to delete"), "{plan}");
    project.ok(&["revert", &run, "--to", "retired", "--reviewer", "council", "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!(project.value("SELECT count(*) FROM information_unit WHERE lifecycle_status = 'retired'"), "86");
    assert_eq!(project.value("SELECT count(*) FROM iu_vector_sync_point WHERE sync_status = 'indexed'"), "0");
    assert!(project.points().is_empty());
    project.ok(&["verify"]);
    let (_, stderr) = project.exits(&["revert", "0000"], 3);
    assert!(stderr.contains("no run's id begins so"), "{stderr}");
}
