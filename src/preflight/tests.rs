//! What is judged, without a server.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{SessionFacts, TableGrants};
use super::found::{Found, Verdict};
use super::needs::{Columns, Needs, TableNeed};
use super::{Preflight, judge};
use crate::model::TableName;

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn judged(need: TableNeed, grants: TableGrants) -> Found {
    let table = TableName::new("kb", "page");
    let key = (Some("writer".to_owned()), table);
    let needs = Needs { tables: BTreeMap::from([(key.clone(), need)]), ..Needs::default() };
    judge::tables(&needs, &SessionFacts::default(), &BTreeMap::from([(key, grants)])).remove(0)
}

fn grants(select: &[&str], insert: &[&str]) -> TableGrants {
    TableGrants {
        exists: true,
        schema_usage: true,
        columns: names(&["id", "title"]),
        select: names(select),
        insert: names(insert),
        ..TableGrants::default()
    }
}

#[test]
fn an_insert_needs_its_columns_and_no_select() {
    let need = TableNeed { insert: Columns::Some(names(&["id", "title"])), ..TableNeed::default() };
    assert_eq!(judged(need.clone(), grants(&[], &["id", "title"])).probe.verdict, Verdict::Ok);
    let partly = judged(need.clone(), grants(&[], &["id"])).probe;
    assert_eq!(partly.change.as_deref(), Some("GRANT INSERT (title) ON kb.page TO writer;"));
    let none = judged(need, grants(&["id"], &[])).probe;
    assert_eq!(
        (none.found.as_str(), none.change.as_deref()),
        ("no INSERT", Some("GRANT INSERT ON kb.page TO writer;"))
    );
}

#[test]
fn expressions_over_columns_that_are_granted_one_by_one_are_doubtful_not_wrong() {
    let need = TableNeed { select: Columns::Expressions, ..TableNeed::default() };
    assert_eq!(judged(need.clone(), grants(&["id"], &[])).probe.verdict, Verdict::Warning);
    assert_eq!(judged(need, grants(&[], &[])).probe.verdict, Verdict::Failed);
}

#[test]
fn columns_add_up_to_the_widest() {
    let mut columns = Columns::None;
    columns.add(Columns::Some(names(&["a"])));
    columns.add(Columns::Some(names(&["b"])));
    assert_eq!(columns, Columns::Some(names(&["a", "b"])));
    columns.add(Columns::Expressions);
    columns.add(Columns::Some(names(&["c"])));
    assert_eq!(columns, Columns::Expressions);
    columns.add(Columns::All);
    assert_eq!(columns, Columns::All);
}

#[test]
fn probes_stand_in_the_order_of_their_areas() {
    let found = [
        Found::ok(super::Area::Embedders, "e", "f"),
        Found::ok(super::Area::Postgres, "b", "f"),
        Found::warning(super::Area::Postgres, "a", "f"),
    ];
    let preflight = Preflight::of("local", None, &found);
    let order: Vec<&str> = preflight.probes.iter().map(|probe| probe.what.as_str()).collect();
    assert_eq!(order, ["b", "a", "e"]);
    assert!(!preflight.has_failed() && preflight.count(Verdict::Warning) == 1);
}
