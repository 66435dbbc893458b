//! Many cases, one after the other; what fails is counted by kind, and the first of each kind is made small and shown.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::Runtime;

use super::super::base::{Server, Version};
use super::judged::{self, NO_CASE, Outcome, Problem};
use super::plans::plan;
use super::schema::{Case, Grammar};
use super::smaller::smaller;
use super::tables::tables;

/// What plans are written in: as much as the engine knows.
const GRAMMAR: Grammar = Grammar::Lists;

/// Cases of the short form.
const SHORT: u64 = 40;

/// For how long a failing case is made smaller.
const SHRINKING: Duration = Duration::from_secs(40);

/// How many kinds of problem are shown with a whole case.
const SHOWN: usize = 3;

/// Choices: how wild it is, and of each table what it is and what is declared of it.
type Choices = (u8, Vec<(Vec<u8>, Vec<u8>)>);

fn choices() -> impl Strategy<Value = Choices> {
    let bytes = |count| proptest::collection::vec(any::<u8>(), count);
    (any::<u8>(), proptest::collection::vec((bytes(90), bytes(120)), 1..=5))
}

/// The case of a number.
fn case(seed: u64, number: u64) -> Case {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (wild, of_tables) = choices().new_tree(&mut runner).expect("choices").current();
    let (schemas, rows): (Vec<_>, Vec<_>) = of_tables.into_iter().unzip();
    plan(tables(&schemas, GRAMMAR == Grammar::Whole), &rows, wild > 170, GRAMMAR)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// How many cases came to which end.
#[derive(Debug, Default)]
struct Counts {
    applied: u64,
    nothing: u64,
    refused: u64,
    not_tried: u64,
    went_back: u64,
    problems: BTreeMap<&'static str, Vec<(u64, String)>>,
}

impl Counts {
    fn add(&mut self, number: u64, done: Result<Outcome, Problem>) {
        match done {
            Ok(Outcome::Applied) => self.applied += 1,
            Ok(Outcome::Nothing) => self.nothing += 1,
            Ok(Outcome::Refused) => self.refused += 1,
            Ok(Outcome::NotTried) => self.not_tried += 1,
            Ok(Outcome::WentBack) => self.went_back += 1,
            Err(Problem { kind, what }) => self.problems.entry(kind).or_default().push((number, what)),
        }
    }

    fn line(&self) -> String {
        let Counts { applied, nothing, refused, not_tried, went_back, problems } = self;
        let wrong: usize = problems.values().map(Vec::len).sum();
        format!(
            "{applied} applied and reverted, {nothing} without a change, {refused} refused, {not_tried} not tried, \
             {went_back} went back, {wrong} wrong"
        )
    }

    fn story(&self) -> String {
        let mut out = String::new();
        for (kind, found) in &self.problems {
            out.push_str(&format!("  {} × {kind}\n", found.len()));
            for (number, what) in found.iter().take(6) {
                let what: String = what.replace('\n', "\n        ").chars().take(700).collect();
                out.push_str(&format!("    case {number}: {what}\n"));
            }
        }
        out
    }
}

/// Checks many cases on a version.
pub fn check(runtime: &Runtime, name: &str, version: Version) {
    let seed = number("ENACT_ROWS_SEED").unwrap_or_else(|| {
        let clock = std::time::SystemTime::UNIX_EPOCH.elapsed();
        clock.map_or(1, |since| since.as_secs())
    });
    let Some(mut server) = runtime.block_on(Server::start(version)) else { return };
    if let Some(only) = number("ENACT_ROWS_CASE") {
        let case = case(seed, only);
        let done = one(runtime, &mut server, &case);
        eprintln!("{}\n{done:?}", shown(&case));
        assert!(done.is_ok(), "case {only} of ENACT_ROWS_SEED={seed}");
        return;
    }
    let cases = number("ENACT_ROWS_CASES").unwrap_or(SHORT);
    let (began, mut counts) = (Instant::now(), Counts::default());
    for number in 0..cases {
        counts.add(number, one(runtime, &mut server, &case(seed, number)));
    }
    let took = began.elapsed();
    let each = took.as_millis() / u128::from(cases.max(1));
    let line = format!(
        "{name}: {cases} cases in {} s, {each} ms each: {}; ENACT_ROWS_SEED={seed}",
        took.as_secs(),
        counts.line()
    );
    eprintln!("{line}");
    if !counts.problems.is_empty() {
        let mut story = format!("{line}\n{}", counts.story());
        for (kind, found) in counts.problems.iter().take(SHOWN) {
            let (small, what) = shrink(runtime, &mut server, kind, case(seed, found[0].0));
            story.push_str(&format!("\n=== {kind}, the smallest of case {}: {what}\n{}", found[0].0, shown(&small)));
        }
        panic!("{story}");
    }
    // A test that takes everything for right, or for wrong, would not get here.
    assert!(counts.applied * 100 >= cases * 60, "too few are applied: {line}");
    assert!(counts.refused * 100 >= cases * 5, "too few are refused: {line}");
}

fn one(runtime: &Runtime, server: &mut Server, case: &Case) -> Result<Outcome, Problem> {
    let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(judged::check(server, case))));
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Problem { kind: "panicked", what: text.unwrap_or_default() })
    })
}

/// Takes away what is not needed for the same kind of problem.
fn shrink(runtime: &Runtime, server: &mut Server, kind: &str, mut case: Case) -> (Case, String) {
    let began = Instant::now();
    let mut what = String::new();
    'again: loop {
        for candidate in smaller(&case) {
            if began.elapsed() > SHRINKING {
                return (case, what);
            }
            if let Err(problem) = one(runtime, server, &candidate)
                && problem.kind == kind
                && problem.kind != NO_CASE
            {
                (case, what) = (candidate, problem.what);
                continue 'again;
            }
        }
        return (case, what);
    }
}

/// Everything to do it again by hand.
fn shown(case: &Case) -> String {
    let files = case.files().into_iter().map(|(name, text)| format!("--- {name}\n{text}"));
    format!("{}{}", case.ddl(), files.collect::<String>())
}
