//! Many cases, one after the other; what fails is counted by kind, and the first of each kind is made small and shown.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::Runtime;

use super::super::base::{Server, Version};
use super::super::{Grammar, grammar};
use super::judged::{self, Outcome, Played, Problem};
use super::plans::plan;
use super::schema::Case;
use super::smaller::smaller;
use super::stage::Stage;
use super::tables::tables;
use super::values::PREPARATION;

/// Cases of the short form.
const SHORT: u64 = 40;
/// The cases of the short form.
const SHORT_SEED: u64 = 1_796_032_306;

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
    let grammar = grammar();
    plan(tables(&schemas, grammar == Grammar::Whole), &rows, wild > 170, grammar)
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
    /// What PostgreSQL says of them.
    verdicts: BTreeMap<&'static str, u64>,
    problems: BTreeMap<&'static str, Vec<(u64, Problem)>>,
}

impl Counts {
    fn add(&mut self, number: u64, played: Played) {
        *self.verdicts.entry(played.verdict).or_default() += 1;
        match played.done {
            Ok(Outcome::Applied) => self.applied += 1,
            Ok(Outcome::Nothing) => self.nothing += 1,
            Ok(Outcome::Refused) => self.refused += 1,
            Ok(Outcome::NotTried) => self.not_tried += 1,
            Ok(Outcome::WentBack) => self.went_back += 1,
            Err(problem) => self.problems.entry(problem.kind).or_default().push((number, problem)),
        }
    }

    fn line(&self) -> String {
        let Counts { applied, nothing, refused, not_tried, went_back, verdicts, problems } = self;
        let verdicts = verdicts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ");
        let wrong: usize = problems.values().map(Vec::len).sum();
        format!(
            "{applied} applied and reverted, {nothing} without a change, {refused} refused, {not_tried} not tried, \
             {went_back} went back, {wrong} wrong (for PostgreSQL {verdicts})"
        )
    }

    fn story(&self) -> String {
        let mut out = String::new();
        for (kind, found) in &self.problems {
            out.push_str(&format!("  {} × {kind}\n", found.len()));
            for (number, problem) in found.iter().take(6) {
                let what: String = problem.what.replace('\n', "\n        ").chars().take(700).collect();
                out.push_str(&format!("    case {number}: {what}\n"));
            }
        }
        out
    }
}

/// Checks many cases on a version.
pub fn check(runtime: &Runtime, name: &str, version: Version) {
    let cases = number("ENACT_ROWS_CASES").unwrap_or(SHORT);
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
    // The short form is the same each time; the long one looks for what is new.
    let seed = number("ENACT_ROWS_SEED").unwrap_or_else(|| if cases == SHORT { SHORT_SEED } else { clock() });
    let server = runtime.block_on(Server::start(version));
    let mut player = Player { runtime, server, stage: None };
    if let Some(only) = number("ENACT_ROWS_CASE") {
        let case = case(seed, only);
        let Played { verdict, done } = player.play(&case);
        eprintln!("{}\nfor PostgreSQL such {verdict}; {done:?}", shown(&case));
        assert!(done.is_ok(), "case {only} of ENACT_ROWS_SEED={seed}");
        return;
    }
    let (began, mut counts) = (Instant::now(), Counts::default());
    for number in 0..cases {
        counts.add(number, player.play(&case(seed, number)));
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
            let (number, problem) = &found[0];
            let (small, what) = player.shrink(problem, case(seed, *number));
            story.push_str(&format!("\n=== {kind}, the smallest of case {number}: {what}\n{}", shown(&small)));
        }
        panic!("{story}");
    }
    // A test that takes everything for right, or for wrong, would not get here.
    assert!(counts.applied * 100 >= cases * 50, "too few are applied: {line}");
    assert!(counts.refused * 100 >= cases * 5, "too few are refused: {line}");
}

/// Plays cases on one server.
struct Player<'a> {
    runtime: &'a Runtime,
    server: Server,
    stage: Option<Stage>,
}

impl Player<'_> {
    fn play(&mut self, case: &Case) -> Played {
        let stage = self.stage.take().unwrap_or_else(|| self.runtime.block_on(Stage::open(&mut self.server)));
        let done = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(judged::check(&stage, case))));
        match done {
            Ok(done) => {
                self.stage = Some(stage);
                done
            }
            // The stage is as it was left: another one.
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                let problem = Problem { kind: "panicked", what: text.unwrap_or_default() };
                Played { verdict: "panic", done: Err(problem) }
            }
        }
    }

    /// Takes away what is not needed for the same kind of problem.
    fn shrink(&mut self, problem: &Problem, mut case: Case) -> (Case, String) {
        let began = Instant::now();
        let mut what = problem.what.clone();
        'again: loop {
            for candidate in smaller(&case) {
                if began.elapsed() > SHRINKING {
                    return (case, what);
                }
                if let Err(found) = self.play(&candidate).done
                    && found.is_like(problem)
                {
                    (case, what) = (candidate, found.what);
                    continue 'again;
                }
            }
            return (case, what);
        }
    }
}

/// Everything to do it again by hand.
fn shown(case: &Case) -> String {
    let files = case.files().into_iter().map(|(name, text)| format!("--- {name}\n{text}"));
    format!("{PREPARATION}{}{}", case.ddl(), files.collect::<String>())
}
