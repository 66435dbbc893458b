//! Every fault at every call of an apply, then two: exactly before or exactly after, in both stores.
//!
//! ```text
//! enact::apply::Runner ─▶ FaultyRelational ─▶ PostgreSQL, a private cluster
//!                      ├▶ FaultyVectors    ─▶ a vector store in memory, or the local Qdrant server
//!                      └▶ FaultyEmbedder   ─▶ the shipped model
//! ```
//!
//! A world is made once; each schedule of faults (`schedule`) starts from it, runs the apply, then `resume` in new
//! processes until one comes through, and compares both stores whole with before and after. What the processes said and
//! what the books say has to agree, nothing may be left behind, and no effect may be tried without the lease. After the
//! last fault one `resume` has to be enough.
//!
//! | variable | |
//! | --- | --- |
//! | `ENACT_FAULTS=all` | every schedule with two faults, not a sample (an hour or more) |
//! | `ENACT_FAULTS=17:lost-reply,40:death-after` | this schedule alone, with its calls |
//! | `ENACT_FAULTS_PAIRS=20000` | so many schedules with two faults of each case |
//! | `ENACT_FAULTS_SEED=…` | the sample of an earlier run |
//!
//! `cargo test --release --test suite faults:: -- --nocapture` prints the numbers of schedules; they are also left in `target/tmp/faults/`.

mod bugs;
mod cases;
mod checks;
mod conformance;
mod explore;
mod injector;
mod memory;
mod photo;
mod planner;
mod planted;
mod properties;
mod relational;
mod schedule;
mod vectors;
mod world;

use std::fmt::Display;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cases::{Case, GOVERNED, PLAIN};
use explore::{Counts, Reach, cuts, pairs, rehearsals, singles};
use schedule::{Call, Kind, Op, Schedule};
use world::{Ended, Vectors, Verdict, World};

/// Schedules with two faults where nothing else is asked for.
const GOVERNED_PAIRS: usize = 2_000;
const PLAIN_PAIRS: usize = 1_000;

/// Worlds at once for one case.
const WORLDS: usize = 3;

/// The most stories of broken schedules that are printed.
const STORIES: usize = 5;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn kinds(call: &Call) -> Vec<Kind> {
    call.kinds()
}

fn number<N: FromStr<Err: Display>>(variable: &str) -> Option<N> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// The seed of this process.
fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos().into());
        number("ENACT_FAULTS_SEED").unwrap_or_else(now)
    });
    *SEED
}

/// The kinds of fault of a call.
type Kinds = fn(&Call) -> Vec<Kind>;

/// A world with the thread's runtime that it belongs to, and what was found in it.
struct Explorer {
    runtime: tokio::runtime::Runtime,
    world: World,
    counts: Counts,
}

impl Explorer {
    fn make(case: &Case, vectors: Vectors) -> Explorer {
        let runtime = runtime();
        let world = runtime.block_on(World::make(case, vectors));
        Explorer { runtime, world, counts: Counts::default() }
    }

    /// Runs schedules as long as there are any.
    fn explore(&mut self, schedules: &Mutex<std::vec::IntoIter<Schedule>>) {
        let next = || schedules.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
        while let Some(schedule) = next() {
            let ended = self.runtime.block_on(self.world.run(&schedule));
            self.counts.add(&ended);
        }
    }
}

/// Breaks a case with the kinds of fault that each call may have, and with two of them if wanted. Several worlds share the
/// schedules, because each waits for PostgreSQL half of its time.
fn break_it(name: &str, case: &'static Case, vectors: Vectors, kinds: Kinds, two: Option<Reach>) {
    let began = Instant::now();
    let asked = std::env::var("ENACT_FAULTS").unwrap_or_default();
    if !asked.is_empty() && asked != "all" {
        return break_once(name, Explorer::make(case, vectors), &asked);
    }
    // A server has one directory.
    let worlds = if matches!(vectors, Vectors::Memory) { WORLDS } else { 1 };
    let places = std::iter::once(vectors).chain(std::iter::repeat_with(|| Vectors::Memory)).take(worlds);
    let (mut explorers, firsts) = explore_singles(case, places.collect(), kinds);
    let mut counts = Counts::default();
    if let Some(reach) = two {
        let (pairs, schedules) = pairs(&firsts, kinds, reach);
        drop(firsts);
        counts.pairs = pairs;
        let schedules = Mutex::new(schedules.into_iter());
        std::thread::scope(|scope| {
            for explorer in &mut explorers {
                scope.spawn(|| explorer.explore(&schedules));
            }
        });
    }
    for explorer in explorers {
        counts.add_all(explorer.counts);
    }
    counts.took = began.elapsed();
    show(name, &counts, &format!("; ENACT_FAULTS_SEED={}", seed()));
}

/// Runs every schedule with one fault, each world those of its own calls.
fn explore_singles(case: &'static Case, places: Vec<Vectors>, kinds: Kinds) -> (Vec<Explorer>, Vec<Ended>) {
    let worlds = places.len();
    let explore = |part: usize, vectors: Vectors| {
        let mut explorer = Explorer::make(case, vectors);
        let own = |call: &Call| if call.number % worlds == part { kinds(call) } else { Vec::new() };
        let Explorer { runtime, world, counts } = &mut explorer;
        let firsts = runtime.block_on(singles(world, own, counts));
        (explorer, firsts)
    };
    let explore = &explore;
    std::thread::scope(|scope| {
        let places = places.into_iter().enumerate();
        let threads: Vec<_> = places.map(|(part, vectors)| scope.spawn(move || explore(part, vectors))).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("a world ends"));
        let (explorers, firsts): (Vec<_>, Vec<_>) = done.unzip();
        (explorers, firsts.into_iter().flatten().collect())
    })
}

/// Runs one schedule, and tells it call by call.
fn break_once(name: &str, explorer: Explorer, schedule: &str) {
    let schedule = schedule.parse().unwrap_or_else(|error| panic!("ENACT_FAULTS: {error}"));
    let Explorer { runtime, mut world, counts: _ } = explorer;
    runtime.block_on(world.learn_after());
    let ended = runtime.block_on(world.run(&schedule));
    eprintln!("{name}: {}", ended.story());
    assert!(ended.problems.is_empty());
}

/// How many schedules with two faults are run.
fn reach(pairs: usize) -> Reach {
    let is_all = std::env::var("ENACT_FAULTS").is_ok_and(|asked| asked == "all");
    if is_all { Reach::All } else { Reach::Some(number("ENACT_FAULTS_PAIRS").unwrap_or(pairs), seed()) }
}

/// Prints and keeps a line of counts.
fn keep(name: &str, line: &str) {
    eprintln!("{line}");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    std::fs::create_dir_all(&folder).expect("a folder for the counts");
    std::fs::write(folder.join(format!("{name}.txt")), format!("{line}\n")).expect("the counts are written");
}

/// Prints and keeps the counts; fails with stories.
fn show(name: &str, counts: &Counts, more: &str) {
    let line = format!("{name}: {counts}{more}");
    keep(name, &line);
    let stories = counts.stories.iter().take(STORIES).cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(counts.broken, 0, "{line}\n{stories}");
    assert_eq!(counts.before + counts.after, counts.single + counts.double);
    // A fault that comes second may find that a request arrived at another moment than in the run before.
    assert!(counts.void * 100 <= counts.double, "{line}");
}

#[test(postgres)]
fn faults_in_a_governed_apply_leave_before_or_after() {
    break_it("governed", &GOVERNED, Vectors::Memory, kinds, Some(reach(GOVERNED_PAIRS)));
}

#[test(postgres)]
fn faults_in_a_plain_apply_leave_before_or_after() {
    break_it("plain", &PLAIN, Vectors::Memory, kinds, Some(reach(PLAIN_PAIRS)));
}

#[test(postgres)]
fn faults_on_the_real_vector_server_leave_before_or_after() {
    let directory = tempfile::tempdir().expect("a folder");
    break_it("server", &GOVERNED, Vectors::Server(directory), own_kinds, None);
}

/// The real server is slow: only what it does itself, unless everything is asked for.
fn own_kinds(call: &Call) -> Vec<Kind> {
    let everything = std::env::var("ENACT_FAULTS").is_ok();
    let does = |kind: &Kind| matches!(kind, Kind::Half | Kind::Repeat | Kind::DeathHalf | Kind::DeathAfter);
    let is_wanted = |kind: &Kind| everything || (matches!(call.op, Op::Write { .. }) && does(kind));
    kinds(call).into_iter().filter(is_wanted).collect()
}

#[test(postgres)]
fn a_journal_cut_anywhere_resumes_to_before_or_after() {
    runtime().block_on(async {
        let began = Instant::now();
        let mut world = World::make(&GOVERNED, Vectors::Memory).await;
        let mut counts = Counts::default();
        cuts(&mut world, &mut counts).await;
        counts.took = began.elapsed();
        show("cut", &counts, "");
        assert!(counts.single > 50);
    });
}

#[test(postgres)]
fn faults_in_a_rehearsal_leave_before() {
    runtime().block_on(async {
        let began = Instant::now();
        let mut world = World::make(&PLAIN, Vectors::Memory).await;
        let mut counts = Counts::default();
        rehearsals(&mut world, &mut counts).await;
        counts.took = began.elapsed();
        show("rehearsal", &counts, "");
        assert_eq!(counts.after, 0);
    });
}

#[test(postgres)]
fn a_mixture_is_seen() {
    runtime().block_on(async {
        let mut world = World::make(&PLAIN, Vectors::Memory).await;
        world.learn_after().await;
        let half_done = "UPDATE documents SET status = 'draft' WHERE slug = 'b'";
        assert_eq!(world.run_and_tamper(half_done).await.verdict, Verdict::Mixture);
        let left_behind =
            "INSERT INTO enact.managed SELECT address || 'x', digest, attributes, run_id FROM enact.managed LIMIT 1";
        assert_eq!(world.run_and_tamper(left_behind).await.verdict, Verdict::Mixture);
        assert_eq!(world.run_and_tamper("SELECT 1").await.verdict, Verdict::After);
    });
}

#[test]
fn the_vector_store_in_memory_answers_as_the_server_does() {
    let directory = tempfile::tempdir().expect("a folder");
    runtime().block_on(conformance::compare(directory.path()));
}

#[test(postgres)]
fn what_is_applied_is_planned_as_nothing_whatever_the_input() {
    properties::check(&runtime());
}
