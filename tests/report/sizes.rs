//! Plans of ten thousand changes.

use enact::diff::{Reason, RowChange};
use enact::plan::SavedPlan;
use enact::report::{COMMENT_CHARS, TextOptions, plan_markdown, plan_text};

use crate::report::builder::{PlanBuilder, create, delete, update};

fn plan_of(count: usize, change: impl Fn(&str) -> RowChange) -> SavedPlan {
    let mut builder = PlanBuilder::new();
    for n in 0..count {
        let key = format!("k{n}");
        builder = builder.row("public.entry", &key, Reason::ValuesDiffer, change(&key));
    }
    builder.done()
}

/// How many lines begin with a mark, and how many changes the end says are left out.
fn shown_and_left_out(markdown: &str, mark: &str) -> (usize, usize) {
    let shown = markdown.lines().filter(|line| line.starts_with(mark)).count();
    let left_out = markdown.lines().find_map(|line| line.strip_prefix("**Left out to fit a comment:** "));
    let count = left_out.and_then(|rest| rest.split(' ').next()).map_or(0, |n| n.replace(',', "").parse().unwrap());
    (shown, count)
}

#[test]
fn ten_thousand_updates_fit_a_comment_and_are_all_counted() {
    let plan = plan_of(10_000, |key| update(&[("status", key, "closed")]));
    let markdown = plan_markdown(&plan);
    assert!((50_000..=COMMENT_CHARS).contains(&markdown.chars().count()));
    let (shown, left_out) = shown_and_left_out(&markdown, "~   update");
    assert_eq!(shown + left_out, 10_000);
    assert!(shown > 300 && markdown.ends_with("`\n"));
}

#[test]
fn deletions_come_first_and_whole() {
    let mut plan = plan_of(10_000, |key| update(&[("status", key, "closed")]));
    plan.changes.extend(plan_of(40, |key| delete(&[("status", key)])).changes);
    let markdown = plan_markdown(&plan);
    assert_eq!(shown_and_left_out(&markdown, "-   delete").0, 40);
    assert!(markdown.find("-   delete") < markdown.find("~   update"));
}

#[test]
fn ten_thousand_deletions_fit_too() {
    let markdown = plan_markdown(&plan_of(10_000, |key| delete(&[("body", key)])));
    assert!(markdown.chars().count() <= COMMENT_CHARS);
    let (shown, left_out) = shown_and_left_out(&markdown, "-   delete");
    assert_eq!(shown + left_out, 10_000);
}

#[test]
fn fifty_thousand_changes_are_folded_on_a_terminal_and_fit_a_comment() {
    let body = "A long paragraph of the handbook, of which one word is another. ".repeat(40);
    let mut plan = plan_of(50_000, |key| update(&[("body", &body, &format!("{body}{key}")), ("status", key, "shut")]));
    plan.changes.extend(plan_of(50_000, |key| delete(&[("status", key)])).changes);
    let text = plan_text(&plan, &TextOptions { color: false, width: 100, verbose: false });
    assert!(text.contains("  ~ update 49,950 more rows\n"), "{}", &text[..2_000]);
    assert!(text.contains("  - delete 49,980 more rows\n"));
    assert!(text.contains("body: other in 49,950 rows\n"));
    assert!(text.lines().count() < 800, "{}", text.lines().count());
    let markdown = plan_markdown(&plan);
    assert!((55_000..COMMENT_CHARS - 500).contains(&markdown.chars().count()));
    for mark in ["~   update", "-   delete"] {
        assert!(shown_and_left_out(&markdown, mark).0 > 20, "{mark}");
    }
}

#[test]
fn one_large_deletion_does_not_hide_the_small_ones() {
    let large: Vec<(String, String)> = (0..100).map(|n| (format!("c{n}"), "y".repeat(900))).collect();
    let large: Vec<(&str, &str)> = large.iter().map(|(column, value)| (column.as_str(), value.as_str())).collect();
    let mut plan = plan_of(1, |_| delete(&large));
    plan.changes.extend(plan_of(30, |key| delete(&[("status", key)])).changes);
    assert_eq!(shown_and_left_out(&plan_markdown(&plan), "-   delete"), (30, 1));
}

#[test]
fn every_table_of_many_is_counted() {
    let mut builder = PlanBuilder::new();
    for n in 0..200 {
        let table = format!("public.t{n}");
        builder = builder.row(&table, "k", Reason::NotThere, create(&[("body", &"漢字 ".repeat(400))]));
    }
    let markdown = plan_markdown(&builder.done());
    assert!(markdown.chars().count() <= COMMENT_CHARS);
    let (shown, left_out) = shown_and_left_out(&markdown, "+   create");
    assert_eq!(shown + left_out, 200);
    assert!(shown > 20, "{shown}");
}

#[test]
fn one_value_of_a_million_characters_fits() {
    let long = "漢字 và `".repeat(200_000);
    let plan = plan_of(3, |key| create(&[("body", &format!("{key}{long}")), ("title", &long)]));
    assert!(plan_markdown(&plan).chars().count() <= COMMENT_CHARS);
    let text = plan_text(&plan, &TextOptions { color: false, width: 80, verbose: false });
    assert!(text.contains("characters)") && text.len() < 20_000);
}
