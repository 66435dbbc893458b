//! `protect`: identical before and after, or nothing is applied.

use super::{ROW, first_error, plan, world};
use crate::support::plans::{CONFIG, PLAN};
use crate::support::project::Project;

/// Makes a trigger that writes behind the plan's back as soon as the plan writes its row of settings.
fn sabotage(project: &Project, statement: &str) {
    project.sql(&format!(
        "CREATE FUNCTION public.sabotage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.key = 'a' THEN {statement}; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER sabotage AFTER INSERT OR UPDATE ON public.dot_config FOR EACH ROW EXECUTE FUNCTION public.sabotage()"
    ));
}

fn protecting(protect: &str) -> String {
    plan(&format!("{ROW}protect:\n  kept: {protect}\n"))
}

const KT_B: &str = "{ units: { address: ICX-CONST/KT-B } }";

#[test]
fn a_write_behind_the_plan_is_named_and_rolls_everything_back() {
    let cases = [
        (
            "{ units: { address_prefix: ICX-CONST/KT- } }",
            "PERFORM public.fn_iu_amend('ICX-CONST/KT-B', 'x', 'y', 'trigger')",
            "protected \"kept\": unit \"ICX-CONST/KT-B\": its rows changed",
        ),
        (
            "{ table: public.iu_qdrant_collection_registry }",
            "UPDATE public.iu_qdrant_collection_registry SET notes = 'x'",
            "protected \"kept\": row \"iu_core_iu_chunks\" changed",
        ),
        (
            "{ table: public.dot_config, where: { key: iu_core.composer_enabled } }",
            "DELETE FROM public.dot_config WHERE key = 'iu_core.composer_enabled'",
            "protected \"kept\": row \"iu_core.composer_enabled\" is gone",
        ),
        (
            "{ query: \"SELECT command_name, category FROM public.dot_iu_command_catalog;\" }",
            "INSERT INTO public.dot_iu_command_catalog VALUES ('new', 'read', false, false)",
            "protected \"kept\": row \"new\" is new",
        ),
    ];
    for (protect, statement, message) in cases {
        let project = Project::with_fixture(CONFIG);
        sabotage(&project, statement);
        project.write("plans/a.yaml", &protecting(protect));
        let before = world(&project);
        let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
        assert!(stderr.contains(message), "{protect}: {stderr}");
        assert_eq!(world(&project), before, "{protect}");
        assert_eq!(project.value("SELECT count(*) FROM dot_config WHERE key = 'a'"), "0");
    }
}

#[test]
fn many_that_moved_are_named_up_to_twenty_and_of_a_large_table_both_counts_are_told() {
    let project = Project::with_fixture(CONFIG);
    sabotage(&project, "UPDATE public.big SET t = 'x' WHERE id <= 30; DELETE FROM public.big WHERE id > 900");
    project.sql("CREATE TABLE public.big AS SELECT id, 'a' AS t FROM generate_series(1, 40) id; ALTER TABLE big ADD PRIMARY KEY (id)");
    project.write("plans/a.yaml", &protecting("{ table: public.big }"));
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(stderr.contains("row \"1\" changed, row \"10\" changed") && stderr.contains("and 10 more"), "{stderr}");
    project.sql("INSERT INTO big SELECT id, 'a' FROM generate_series(41, 1000) id");
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(stderr.contains("protected \"kept\": 1000 rows when planned, 900 now"), "{stderr}");
}

#[test]
fn what_moved_before_the_apply_makes_the_plan_stale() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &protecting(KT_B));
    project.ok(&["plan", "--out", "plan.json"]);
    project.sql("SELECT fn_iu_amend('ICX-CONST/KT-B', 'x', 'y', 'somebody')");
    let (_, stderr) = project.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stderr.contains("protected \"kept\": unit \"ICX-CONST/KT-B\": its rows changed"), "{stderr}");
}

#[test]
fn a_unit_that_joins_the_protected_selection_is_named() {
    let project = Project::with_fixture(CONFIG);
    sabotage(&project, "PERFORM public.fn_iu_create('ICX-CONST/KT-Z', 'z', 'z', 'trigger', 'law_unit', 'article')");
    project.write("plans/a.yaml", &protecting("{ units: { address_prefix: ICX-CONST/KT- } }"));
    let (_, stderr) = project.exits(&["apply", "--auto-approve"], 5);
    assert!(stderr.contains("protected \"kept\": unit \"ICX-CONST/KT-Z\" is new"), "{stderr}");
}

#[test]
fn a_plan_that_would_write_into_what_it_protects_is_refused_at_its_place() {
    let project = Project::with_fixture(CONFIG);
    let cases = [
        (
            format!("{PLAN}protect:\n  kept: {{ units: {{ address: D38-DIEU32-S7 }} }}\n"),
            "lifecycle[\"D38-DIEU32-S7\"]",
            "22:3",
        ),
        (protecting("{ table: public.dot_config }"), "row.public.dot_config[key=a]", "7:3"),
        (protecting("{ table: public.dot_config, where: { key: a } }"), "row.public.dot_config[key=a]", "7:3"),
        (
            plan("gates: { iu_core.composer_enabled: \"true\" }\nprotect:\n  kept: { table: public.dot_config }\n"),
            "gate.iu_core.composer_enabled",
            "5:3",
        ),
    ];
    for (text, what, place) in cases {
        project.write("plans/a.yaml", &text);
        let (_, stderr) = project.exits(&["plan"], 3);
        assert!(
            first_error(&stderr).starts_with("error[E080]: the plan writes into something protected: \"kept\""),
            "{stderr}"
        );
        assert!(stderr.contains(what) && stderr.contains(&format!("plans/a.yaml:{place}")), "{what}: {stderr}");
    }
    // Another row of the same table is none of the protected ones.
    project
        .write("plans/a.yaml", &protecting("{ table: public.dot_config, where: { key: iu_core.composer_enabled } }"));
    project.ok(&["plan"]);
}

#[test]
fn protected_units_keep_their_points_while_the_set_around_them_is_replaced() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", PLAN);
    project.ok(&["apply", "--auto-approve"]);
    let protect = "protect:\n  kept: { units: { address_prefix: D38-DIEU32 } }\n";
    project.write("plans/a.yaml", &format!("{PLAN}{protect}"));
    let first = project.ok(&["apply", "--auto-approve"]);
    let units = "create protect.kept: units with their ledger rows and their points in iu_core_iu_chunks (23)";
    assert!(first.replace("\n       ", " ").contains(units), "{first}");
    project.exits(&["plan", "--detailed-exitcode"], 0);
    for (rollout, body) in [("in_place", "edited in place"), ("blue_green", "edited once more")] {
        let text = format!("{PLAN}{protect}").replace("    payload:", &format!("    rollout: {rollout}\n    payload:"));
        project.write("plans/a.yaml", &text);
        project.sql(&format!(
            "SELECT fn_iu_amend('D38-DIEU28-S3', 'D38-DIEU28-S3', '{body}', 'somebody'); SELECT fn_iu_three_axis_envelope_refresh('x')"
        ));
        project.ok(&["apply", "--auto-approve"]);
        let verified = project.ok(&["verify"]);
        assert!(verified.contains("ok      protection \"kept\""), "{rollout}: {verified}");
        project.exits(&["plan", "--detailed-exitcode"], 0);
    }
    // An edit of a protected unit would change its points.
    project.sql("SELECT fn_iu_amend('D38-DIEU32-S3', 'D38-DIEU32-S3', 'edited', 'somebody')");
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("E080") && stderr.contains("\"D38-DIEU32-S3\""), "{stderr}");
    let (different, _) = project.exits(&["verify"], 9);
    assert!(different.contains("unit \"D38-DIEU32-S3\": its rows changed"), "{different}");
}

#[test]
fn a_collection_and_a_ledger_row_are_protected_and_verified() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", PLAN);
    project.ok(&["apply", "--auto-approve"]);
    let protect =
        "protect:\n  points: { collection: iu_core_iu_chunks }\n  units: { units: { address: D38-DIEU32-S7 } }\n";
    project.write("plans/a.yaml", &format!("{PLAN}{protect}"));
    project.ok(&["apply", "--auto-approve"]);
    project.ok(&["verify"]);
    project.sql("UPDATE iu_vector_sync_point SET last_actor = 'x' WHERE point_key LIKE 'iu.D38-DIEU32-S7#%'");
    let (different, _) = project.exits(&["verify"], 9);
    assert!(different.contains("unit \"D38-DIEU32-S7\": its ledger rows changed"), "{different}");
    let moved = project.ok(&["plan"]);
    assert!(moved.contains("W061 protect.units: unit \"D38-DIEU32-S7\": its ledger rows changed"), "{moved}");
    project.write("plans/a.yaml", &format!("{PLAN}protect:\n  points: {{ collection: iu_core_iu_chunk }}\n"));
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("E084") && stderr.contains("did you mean \"iu_core_iu_chunks\"?"), "{stderr}");
    // A change of the set is a write into the collection.
    project.write(
        "plans/a.yaml",
        &format!("{PLAN}protect:\n  points: {{ collection: iu_core_iu_chunks }}\n")
            .replace("chunk_index]", "chunk_index, chunk_count]"),
    );
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(stderr.contains("E080") && stderr.contains("vector_set.iu_core_iu_chunks"), "{stderr}");
}
