//! The way back from the field's packages: what goes back, what goes forward instead, what stays.

use std::collections::BTreeMap;

use crate::field_plans::numbers::{EARLIER, ONBOARDED, ONBOARDING, PROMOTED, PROMOTION, counts, nothing_to_do, run};
use crate::field_plans::world::{Backend, SET, SHARED, World, flat, has};

crate::field_plans::on_both!(
    both_packages_go_back_as_far_as_the_rules_allow,
    the_promotion_goes_forward_to_retired_under_a_decision,
    the_onboarding_goes_back_whole,
    a_reverted_run_has_nothing_left_to_go_back,
    a_revert_is_reverted_from_what_it_kept,
    what_was_only_written_down_or_never_decided_cannot_be_reverted,
);

const LAST_RUN: &str = "SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1";
const LEDGER: &str = "SELECT string_agg(sync_status || ':' || n, ' ' ORDER BY sync_status) FROM \
    (SELECT sync_status, count(*) n FROM iu_vector_sync_point GROUP BY 1) s";
const GATE: &str = "SELECT value FROM dot_config WHERE key = 'iu_core.vector_sync_enabled'";

/// Plans the way back from a run, gives what it says on one line, and leaves the plan in `back.json`.
fn way_back(world: &World, run: &str, more: &[&str]) -> String {
    flat(&world.ok(&[&["revert", run, "--out", "back.json"], more].concat()))
}

fn apply_back(world: &World) {
    world.ok(&["apply", "back.json", "--auto-approve"]);
    world.ok(&["verify"]);
}

/// On the reference roles `cutter_exec` may enact and not retire: the plan is refused with the grant that is missing.
fn may_retire(world: &World, backend: Backend, run: &str) {
    if backend == Backend::Postgres15 {
        let (_, refused) = world.exits(&["revert", run, "--to", "retired", "--reviewer", "council"], 3);
        let grant =
            "GRANT EXECUTE ON FUNCTION public.fn_iu_retire(text,text,uuid,uuid,text,text,boolean) TO cutter_exec;";
        has(&flat(&refused), &["no EXECUTE", grant]);
        world.sql(grant);
    }
}

/// What a revert must never touch: the earlier units with their rows, their points, and the collection of somebody else.
type Untouched = (String, BTreeMap<String, String>, BTreeMap<String, String>);

fn untouched(world: &World) -> Untouched {
    (world.value(EARLIER), world.points(SET), world.points(SHARED))
}

fn both_packages_go_back_as_far_as_the_rules_allow(backend: Backend) {
    let world = World::adopted(backend);
    let before = untouched(&world);
    assert_eq!(before.1.len(), 61);
    world.ok(&["apply", "--auto-approve"]);
    let applied = world.tables_but(&["public.iu_vector_sync_point"]);
    let plan = way_back(&world, &world.value(LAST_RUN), &[]);
    let said = [
        "Plan: 0 to add, 0 to change, 0 to destroy. Lifecycle: 0 to promote. Vectors: 0 to embed, 88 to delete, 61 kept.",
        "W051 89 governance rows stay: they record what was decided",
        "W051 promotion.iu-core-8000x: 86 units stay enacted: there is no way back to draft; with --to they go forward to \
         retired or superseded under a decision of its own",
    ];
    has(&plan, &said);
    // Only reading: nothing has moved yet.
    assert_eq!((counts(&world).as_str(), world.points(SET).len()), (ONBOARDED, 149));
    apply_back(&world);
    assert_eq!(counts(&world), ONBOARDED.replace("152 149", "152 61"));
    assert_eq!(world.value(LEDGER), "disabled:88 dryrun:3 indexed:61");
    assert_eq!(world.value(GATE), "false");
    assert_eq!(world.tables_but(&["public.iu_vector_sync_point"]), applied);
    assert_eq!(untouched(&world), before);
    // What is declared is wanted still: the next plan makes the 88 points again, and nothing else.
    let again = world.ok(&["plan"]);
    let verdict = "Plan: 0 to add, 0 to change, 0 to destroy.\nLifecycle: 0 to promote. Vectors: 88 to embed";
    assert!(again.starts_with(verdict) && again.contains("0 to delete, 61 kept."), "{again}");
    world.ok(&["apply", "--auto-approve"]);
    assert_eq!((counts(&world).as_str(), world.points(SET).len()), (ONBOARDED, 149));
    nothing_to_do(&world, &[]);
    world.ok(&["verify"]);
}

fn the_promotion_goes_forward_to_retired_under_a_decision(backend: Backend) {
    let world = World::adopted(backend);
    run(&world, &["apply", "--auto-approve"], PROMOTION);
    let before = untouched(&world);
    let reverted = world.value(LAST_RUN);
    may_retire(&world, backend, &reverted);
    let plan = way_back(&world, &reverted, &["--to", "retired", "--reviewer", "council"]);
    let said = [
        "Plan: 89 to add, 0 to change, 0 to destroy. Lifecycle: 86 to promote.",
        "86 units: enacted -> retired",
        "refresh.three_axis_envelope",
        "W051 promotion.iu-core-8000x: 86 units go forward to retired: there is no way back to draft",
        "W051 89 governance rows stay",
    ];
    has(&plan, &said);
    apply_back(&world);
    // One more of each kind of row, and a block and a log row for each unit.
    assert_eq!(counts(&world), "deprecated:12,draft:5,enacted:60,retired:86 232 172 3 3 2 64 61");
    let written = "SELECT concat_ws(' ', count(*), count(DISTINCT l.change_set_id), min(d.decided_by), min(d.verdict), min(d.findings ->> 'unit_count'), \
           min(e.rationale), bool_and(c.state = 'committed' AND d.manifest_id = e.envelope_id AND e.cut_change_set_ref = c.change_set_id)) \
         FROM iu_lifecycle_log l JOIN cutter_governance.review_decision d ON d.review_decision_id = l.review_decision_id \
         JOIN cutter_governance.cut_change_set c ON c.change_set_id = l.change_set_id AND c.review_decision_id = d.review_decision_id \
         JOIN cutter_governance.manifest_envelope e ON e.envelope_id = c.manifest_id \
         JOIN cutter_governance.manifest_unit_block b ON b.envelope_id = e.envelope_id AND b.unit_local_id = l.canonical_address \
         WHERE l.to_status = 'retired'";
    assert_eq!(world.value(written), format!("86 1 council approve 86 reverts run {reverted} t"));
    let in_sync = "SELECT concat_ws(' ', (SELECT count(*) FROM iu_three_axis_envelope WHERE refreshed_by = 'iu-core-9000x'), \
         current_in_sync, current_drift ->> 'content_diff_count') FROM v_iu_three_axis_envelope_refresh_status";
    assert_eq!(world.value(in_sync), "86 t 0");
    assert_eq!(untouched(&world), before);
    // The recorded promotion covers exactly its units, which have moved on: nothing is promoted twice.
    nothing_to_do(&world, PROMOTION);
    nothing_to_do(&world, &[]);
}

fn the_onboarding_goes_back_whole(backend: Backend) {
    let world = World::adopted(backend);
    run(&world, &["apply", "--auto-approve"], PROMOTION);
    let promotion = world.value(LAST_RUN);
    let before = untouched(&world);
    let tables = world.tables_but(&["public.iu_vector_sync_point"]);
    run(&world, &["apply", "--auto-approve"], ONBOARDING);
    let plan = way_back(&world, &world.value(LAST_RUN), &[]);
    has(&plan, &["Lifecycle: 0 to promote. Vectors: 0 to embed, 88 to delete, 61 kept."]);
    assert!(!plan.contains("W051"), "{plan}");
    apply_back(&world);
    assert_eq!(counts(&world), PROMOTED.replace("64 61", "152 61"));
    assert_eq!((world.value(LEDGER), world.value(GATE)), ("disabled:88 dryrun:3 indexed:61".into(), "false".into()));
    assert_eq!(untouched(&world), before);
    assert_eq!(world.tables_but(&["public.iu_vector_sync_point"]), tables);
    // The way back from the promotion is the same as if there had been no onboarding.
    let plan = way_back(&world, &promotion, &[]);
    has(&plan, &["86 units stay enacted", "89 governance rows stay", "No changes"]);
}

fn a_reverted_run_has_nothing_left_to_go_back(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let first = world.value(LAST_RUN);
    may_retire(&world, backend, &first);
    way_back(&world, &first, &["--to", "retired", "--reviewer", "council"]);
    apply_back(&world);
    let (revert, points, now) = (world.value(LAST_RUN), world.points(SET), counts(&world));
    let points_stay = format!("points stay: run {revert} changed the set since; revert that one first");
    let said = [
        "No changes",
        "W051 promotion.iu-core-8000x: 86 units are no longer enacted but retired: left as found",
        &format!("W051 vector_set.iu_core_iu_chunks: {points_stay}"),
    ];
    for forward in [&[][..], &["--to", "retired", "--reviewer", "council"]] {
        let plan = way_back(&world, &first, forward);
        has(&plan, &said);
        assert!(!plan.contains("86 units stay") && !plan.contains("go forward"), "{plan}");
    }
    let (_, told) = world.exits(&["revert", &first], 0);
    has(&told, &["Nothing of this run is left to go back"]);
    let (_, told) = world.exits(&["apply", "back.json", "--auto-approve"], 0);
    assert!(!told.contains("Decided"), "{told}");
    assert_eq!((world.points(SET), counts(&world)), (points, now));
}

fn a_revert_is_reverted_from_what_it_kept(backend: Backend) {
    let world = World::adopted(backend);
    world.ok(&["apply", "--auto-approve"]);
    let (applied, embedded) = (untouched(&world), world.embeddings.texts());
    way_back(&world, &world.value(LAST_RUN), &[]);
    apply_back(&world);
    let plan = way_back(&world, &world.value(LAST_RUN), &[]);
    has(&plan, &["Lifecycle: 0 to promote. Vectors: 0 to embed, 88 to copy, 0 to delete, 61 kept."]);
    apply_back(&world);
    assert_eq!((counts(&world).as_str(), untouched(&world)), (ONBOARDED, applied));
    assert_eq!((world.embeddings.texts(), world.value(GATE)), (embedded, "false".into()));
    nothing_to_do(&world, &[]);
}

fn what_was_only_written_down_or_never_decided_cannot_be_reverted(backend: Backend) {
    let world = World::adopted(backend);
    let plan = way_back(&world, &world.value(LAST_RUN), &[]);
    has(&plan, &["vector_set.iu_core_iu_chunks: points stay: they were only written down", "No changes"]);
    world.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON public.iu_lifecycle_log FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    world.exits(&["apply", "--auto-approve"], 5);
    let undone = world.value(LAST_RUN);
    let (_, refused) = world.exits(&["revert", &undone], 3);
    assert!(refused.contains(&format!("run {undone} is undone, and only an applied run can be reverted")), "{refused}");
    // A state that no transition leads to is no way forward.
    world.sql("DROP TRIGGER refuse ON public.iu_lifecycle_log");
    run(&world, &["apply", "--auto-approve"], PROMOTION);
    let (_, refused) = world.exits(&["revert", &world.value(LAST_RUN), "--to", "retierd", "--reviewer", "x"], 3);
    has(&refused, &["no transition of the binding \"iu-core\" leads to \"retierd\"", "did you mean \"retired\"?"]);
}
