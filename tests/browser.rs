//! The HTML page in a real browser: it opens, filters, searches, obeys the keys, and scrolls ten thousand changes.
//!
//! The page tries itself when its address ends in `#selftest` and writes what it saw into the document, which headless
//! Chromium prints. What can be checked of the pages without a browser is checked without one.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use enact::diff::{ChunkSource, CollectionChange, Reason};
use enact::model::Address;
use enact::plan::{Link, Phase, SavedPlan};
use enact::report::plan_html;
use serde_json::Value;

use crate::report::builder::{PlanBuilder, create, delete, points, set, some_work, unit, update};
use crate::support::browser;

const LIMIT: Duration = Duration::from_secs(120);
/// A tenth of a second is felt as at once; the rest is for machines that do other work beside.
const DRAW_LIMIT_MS: u64 = 400;

/// Opens a page and gives the document as it stands after the script.
fn opened(chromium: &Path, page: &Path, fragment: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--window-size=1280,900", "--dump-dom"]);
    command.arg(format!("file://{}{fragment}", page.display()));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("Chromium did not answer in {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    reader.join().unwrap().unwrap()
}

/// Writes a page where it can be looked at afterwards.
fn written(name: &str, plan: &SavedPlan) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let page = plan_html(plan);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    std::fs::write(&path, page).unwrap();
    path
}

/// What the page saw of itself.
fn selftest(chromium: &Path, page: &Path) -> Value {
    let document = opened(chromium, page, "#selftest");
    let (_, rest) = document.split_once("data-selftest=\"").expect("the page tried itself");
    let (json, _) = rest.split_once('"').unwrap();
    let seen: Value = serde_json::from_str(&json.replace("&quot;", "\"").replace("&amp;", "&")).unwrap();
    println!("{}: {seen}", page.display());
    seen
}

fn holds(seen: &Value) {
    for what in [
        "filteredOnly",
        "searchFocused",
        "foundByName",
        "listFocused",
        "atEnd",
        "details",
        "modeSwitched",
        "help",
        "themes",
        "tabs",
        "graphLeads",
    ] {
        assert_eq!(seen[what], true, "{what}: {seen}");
    }
    assert_eq!((&seen["moved"], &seen["toggled"]), (&Value::from(1), &Value::from(1)), "{seen}");
    assert_eq!((&seen["unfiltered"], &seen["afterReset"]), (&seen["changes"], &seen["changes"]), "{seen}");
    assert_eq!(seen["holes"], 0, "a place without a line while scrolling: {seen}");
    assert_eq!(seen["wide"], 0, "the page is wider than its window: {seen}");
    assert_eq!((&seen["scripts"], &seen["foreign"]), (&Value::from(2), &Value::from(0)), "{seen}");
    assert!(seen["printed"].as_u64().unwrap() > 0, "{seen}");
}

fn small(value: &str) -> SavedPlan {
    let by = || Reason::Promotion(value.to_owned());
    let embed = ChunkSource::Embed { tokens: 120 };
    let long = |word: &str| {
        format!("The owner {word} {value} within days of the request, and nobody signs for another.\nEnd.")
    };
    let fields = [("body", &*long("may"), &*long("shall")), ("status", "open", value), (value, "1", "2")];
    let collection = CollectionChange::InPlace { live: value.to_owned(), why: value.to_owned() };
    let units = vec![
        points("DIEU-1", value, Reason::ContentChanged, &[ChunkSource::Kept, embed], 1),
        points(value, "Leaves", Reason::UnitLeaves, &[], 2),
    ];
    let mut builder = PlanBuilder::new()
        .row("public.entry", value, Reason::ValuesDiffer, update(&fields))
        .at(value)
        .row("public.entry", "77aa", Reason::DeclaredAbsent, delete(&[("title", value)]))
        .row("public.other", "b1", by(), create(&[("n", "1"), ("title", value)]))
        .promotion("articles", 1)
        .promote(unit("DIEU-1", value), "enacted", "articles")
        .refresh("three_axis", 2)
        .vectors(Reason::LifecycleChanges, set("charter", collection, units))
        .step(Phase::Transaction, value, Some(value), some_work())
        .finding("W103", Some(Address::refresh("three_axis")), value);
    let (from, to) = (Address::vector_set("charter"), Address::lifecycle("DIEU-1"));
    builder.plan.links = vec![Link { from, to, why: value.to_owned(), soft: false, count: 1 }];
    builder.done()
}

const HOSTILE: &str = "</script><script>document.documentElement.dataset.broken=1</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J\"'`";

fn ten_thousand() -> SavedPlan {
    let body = |n: usize, word: &str| format!("Article {n}. The {word} shall sign within five days. ").repeat(6);
    let mut builder = PlanBuilder::new();
    for n in 0..10_000 {
        let fields = [("body", &*body(n, "owner"), &*body(n, "steward")), ("status", "draft", "enacted")];
        builder = builder.row(&format!("public.t{}", n % 20), &format!("k{n}"), Reason::ValuesDiffer, update(&fields));
    }
    builder.done()
}

fn chromium() -> PathBuf {
    browser::find().expect("a Chromium in PATH")
}

#[test]
fn every_page_is_whole() {
    for (name, plan) in [("small", small("Điều 28")), ("hostile", small(HOSTILE)), ("large", ten_thousand())] {
        written(&format!("{name}-whole.html"), &plan);
    }
}

#[test(browser)]
fn a_small_page_does_what_it_says() {
    let page = written("small.html", &small("Điều 28"));
    holds(&selftest(&chromium(), &page));
}

#[test(browser)]
fn hostile_values_stay_text() {
    let page = written("hostile.html", &small(HOSTILE));
    holds(&selftest(&chromium(), &page));
    let document = opened(&chromium(), &page, "");
    assert!(!document.contains("<img") && !document.contains("data-broken"));
    assert!(document.contains("\\u{202e}\\u{1b}[2J"), "the value is shown with what it hides");
}

#[test(browser, alone)]
fn ten_thousand_changes_open_and_scroll() {
    let page = written("large.html", &ten_thousand());
    let from = Instant::now();
    let seen = selftest(&chromium(), &page);
    println!("opened and tried in {:.1} s", from.elapsed().as_secs_f64());
    holds(&seen);
    assert_eq!(seen["changes"], 10_000);
    assert!(seen["most"].as_u64().unwrap() < 150, "lines in the document at once: {seen}");
    assert!(seen["slowest"].as_u64().unwrap() < DRAW_LIMIT_MS, "milliseconds to draw after a jump: {seen}");
}
