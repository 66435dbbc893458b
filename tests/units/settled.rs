//! Units that are as they were applied are not read, and every way to be otherwise is found.

use super::{CONFIG, PROMOTION, TABLE, TWO, applied, plan, project, row, set};
use crate::support::project::Project;

/// What somebody does, how that is taken back, and what a plan says of it.
const CHANGES: [(&str, &str, &str); 8] = [
    (
        "UPDATE public.documents SET body = 'other' WHERE slug = 'forests'",
        "UPDATE public.documents SET body = 'text about forests' WHERE slug = 'forests'",
        "1 to embed",
    ),
    (
        "UPDATE public.documents SET title = 'Woods' WHERE slug = 'forests'",
        "UPDATE public.documents SET title = 'Forests' WHERE slug = 'forests'",
        "1 to embed",
    ),
    (
        "UPDATE public.documents SET slug = 'woods' WHERE slug = 'forests'",
        "UPDATE public.documents SET slug = 'forests' WHERE slug = 'woods'",
        "woods",
    ),
    (
        "UPDATE public.documents SET status = 'archived' WHERE slug = 'forests'",
        "UPDATE public.documents SET status = 'published' WHERE slug = 'forests'",
        "leaves the selection",
    ),
    (
        "UPDATE public.documents SET status = 'draft' WHERE slug = 'rivers'",
        "UPDATE public.documents SET status = 'published' WHERE slug = 'rivers'",
        "rivers",
    ),
    (
        "INSERT INTO public.documents (slug, title, status) VALUES ('lakes', 'Lakes', 'published')",
        "DELETE FROM public.documents WHERE slug = 'lakes'",
        "lakes",
    ),
    (
        "CREATE TABLE public.gone AS SELECT * FROM public.documents WHERE slug = 'forests'; DELETE FROM public.documents WHERE slug = 'forests'",
        "INSERT INTO public.documents SELECT * FROM public.gone; DROP TABLE public.gone",
        "forests",
    ),
    // As many units as before, and another one.
    (
        "UPDATE public.documents SET id = '00000000-0000-4000-8000-000000000009' WHERE slug = 'forests'",
        "UPDATE public.documents SET id = '00000000-0000-4000-8000-000000000002' WHERE slug = 'forests'",
        "forests",
    ),
];

fn planned(project: &Project) -> String {
    let output = project.enact(&["plan", "--detailed-exitcode", "--verbose"]);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_way_to_be_otherwise_than_applied_is_found() {
    let draft = "UPDATE public.documents SET status = 'draft' WHERE slug = 'rivers';";
    let project = project(CONFIG, &format!("{TABLE}{TWO}{draft}"));
    plan(&project, &[PROMOTION, &set("", false)]);
    applied(&project);
    for (change, back, said) in CHANGES {
        project.sql(change);
        let told = planned(&project);
        assert!(told.contains(said), "{change}\n{told}");
        project.sql(back);
        let told = planned(&project);
        assert!(told.starts_with("No changes"), "{back}\n{told}");
    }
}

#[test]
fn a_unit_that_comes_twice_for_one_that_is_gone_is_refused() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    plan(&project, &[&set("", false)]);
    applied(&project);
    // The table becomes a view that gives one row twice and the other not at all.
    project.sql(
        "ALTER TABLE public.documents RENAME TO kept; CREATE VIEW public.documents AS SELECT k.* FROM public.kept k, \
                 pg_catalog.generate_series(1, 2) WHERE k.slug = 'rivers'",
    );
    let told = planned(&project);
    assert!(told.contains("is read more than once"), "{told}");
}

#[test]
fn what_a_part_leaves_out_is_found_by_the_next_plan() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    let hills = |body: &str| row(&format!("values: {{ slug: hills, title: Hills, body: {body}, status: published }}"));
    plan(&project, &[&hills("old"), &set("", false)]);
    applied(&project);
    plan(&project, &[&hills("new"), &set("", false)]);
    project.ok(&["apply", "--exclude", "vector_set.texts", "--auto-approve"]);
    let told = planned(&project);
    assert!(told.contains("1 to embed"), "{told}");
    applied(&project);
}

#[test]
fn a_second_set_over_the_same_units_leaves_the_first_alone() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    plan(&project, &[&set("", false)]);
    applied(&project);
    let first = set("", false);
    let (_, second) = first.split_once("vector_sets:\n").expect("the set");
    plan(&project, &[&first, &second.replace("  texts:\n", "  more:\n")]);
    let planned = planned(&project);
    assert!(planned.contains("vector_set.more") && !planned.contains("vector_set.texts"), "{planned}");
}

/// What each command holds at its most, in kilobytes, over this many units of which one is edited.
#[cfg(target_os = "linux")]
fn held(units: u32) -> Vec<(&'static str, u64)> {
    let documents = format!(
        "INSERT INTO public.documents (slug, title, body, status) SELECT 'd' || n, 'Text ' || n, 'about ' || n, 'published' \
         FROM pg_catalog.generate_series(1, {units}) n;"
    );
    let project = project(CONFIG, &format!("{TABLE}{documents}"));
    plan(&project, &[&set("", false)]);
    applied(&project);
    let held = |what: &'static str, arguments: &[&str]| {
        let (ended, most) = project.held(arguments);
        assert!(ended.success(), "{what} of {units} units: {ended}");
        (what, most)
    };
    let mut out = vec![
        held("a plan that finds nothing", &["plan", "--quiet"]),
        held("verify", &["verify", "--quiet"]),
        held("drift", &["drift", "--quiet"]),
    ];
    project.sql("UPDATE public.documents SET body = 'other' WHERE slug = 'd7'");
    out.push(held("the plan of an edit", &["plan", "--quiet", "--out", "edit.plan"]));
    out.push(held("show", &["show", "edit.plan"]));
    out.push(held("its apply", &["apply", "edit.plan", "--auto-approve", "--quiet"]));
    out
}

/// Kilobytes that an allocator keeps or not. 4,500 units that are held take three times that.
#[cfg(target_os = "linux")]
const ALLOCATOR: u64 = 8_192;

#[cfg(target_os = "linux")]
#[test(alone)]
fn what_is_held_grows_with_the_change_and_not_with_the_units() {
    for ((what, few), (_, many)) in held(1_500).into_iter().zip(held(6_000)) {
        assert!(
            few > 0 && many * 10 <= few * 12 + ALLOCATOR * 10,
            "{what}: {few} kB for 1,500 units, {many} kB for 6,000"
        );
    }
}
