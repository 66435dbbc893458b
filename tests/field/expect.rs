//! `units.expect`: another live set stops the plan and says how it differs.

use super::{first_error, plan};
use crate::support::plans::CONFIG;
use crate::support::project::Project;

const SET_HASH: &str = "SELECT encode(sha256(convert_to(string_agg(canonical_address || '|' || content_anchor_ref, E'\\n' \
    ORDER BY canonical_address || '|' || content_anchor_ref COLLATE \"C\"), 'UTF8')), 'hex') FROM information_unit \
    WHERE canonical_address LIKE 'D38-DIEU32%'";

fn expecting(expect: &str) -> String {
    plan(&format!(
        "units:\n  dieu32:\n    where: {{ address_prefix: D38-DIEU32, lifecycle: draft }}\n    expect: {expect}\n\
         promotions:\n  dieu32:\n    units: dieu32\n    to: enacted\n    review: {{ decision: approve, reviewer: council, rationale: read }}\n"
    ))
}

#[test]
fn the_expected_set_is_planned_and_another_one_is_refused_with_its_difference() {
    let project = Project::with_fixture(CONFIG);
    let hash = project.value(SET_HASH);
    project.write("plans/a.yaml", &expecting(&format!("{{ count: 23, hash: {hash} }}")));
    project.ok(&["plan"]);
    project.write("plans/a.yaml", &expecting("{ count: 22, hash: '01234567' }"));
    let (_, stderr) = project.exits(&["plan"], 3);
    let message = format!(
        "error[E040]: the selection is not the expected one: \"dieu32\" chooses another set: 22 units expected, 23 found; \
         hash 01234567 expected, {hash} found; chosen: \"D38-DIEU32-ROOT\", \"D38-DIEU32-S10\", \"D38-DIEU32-S11\", \
         \"D38-DIEU32-S12\", \"D38-DIEU32-S13\" and 18 more"
    );
    assert_eq!(first_error(&stderr), message);
    assert!(stderr.contains("plans/a.yaml:6:5"), "{stderr}");
}

#[test]
fn a_unit_given_another_version_changes_the_hash_and_a_small_set_is_listed() {
    let project = Project::with_fixture(CONFIG);
    let selection = "units:\n  kt:\n    where: { address_prefix: ICX-CONST/KT-, lifecycle: draft }\n";
    project.write("plans/a.yaml", &plan(&format!("{selection}    expect: {{ hash: '00000000' }}\n")));
    let (_, before) = project.exits(&["plan"], 3);
    let found = |text: &str| text.split("expected, ").nth(1).map(|rest| rest[..64].to_owned()).unwrap();
    assert!(before.contains("chosen: \"ICX-CONST/KT-A\", \"ICX-CONST/KT-B\", \"ICX-CONST/KT-C\""), "{before}");
    project.write("plans/a.yaml", &plan(&format!("{selection}    expect: {{ count: 3, hash: {} }}\n", found(&before))));
    project.ok(&["plan"]);
    project.sql("SELECT fn_iu_amend('ICX-CONST/KT-A', 'KT-A', 'another body', 'somebody')");
    let (_, after) = project.exits(&["plan"], 3);
    assert_ne!(found(&before), found(&after));
}

#[test]
fn units_added_and_missing_since_the_recorded_promotion_are_named() {
    let project = Project::with_fixture(CONFIG);
    project.write("plans/a.yaml", &expecting("{ count: 23 }"));
    project.ok(&["apply", "--auto-approve"]);
    // The promotion keeps its recorded set, so the plan is still the same one.
    project.ok(&["plan"]);
    project.sql(
        "SELECT fn_iu_retire('D38-DIEU32-S2', 'somebody', (SELECT review_decision_id FROM cutter_governance.review_decision)); \
         SELECT fn_iu_create('D38-DIEU32-S99', 'new', 'new', 'somebody', 'law_unit', 'article')",
    );
    let named = "units:\n  dieu32:\n    where: { address_prefix: D38-DIEU32, lifecycle: [draft, enacted] }\n    expect: { count: 20 }\n";
    project.write("plans/a.yaml", &plan(named));
    let (_, stderr) = project.exits(&["plan"], 3);
    assert!(
        first_error(&stderr).ends_with(
            "added since promotion \"dieu32\": \"D38-DIEU32-S99\"; missing since promotion \"dieu32\": \"D38-DIEU32-S2\""
        ),
        "{stderr}"
    );
    assert!(first_error(&stderr).contains("20 units expected, 23 found"), "{stderr}");
}
