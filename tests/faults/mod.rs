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
//! | `ENACT_FAULTS=all` | every schedule with two faults, not a sample (minutes) |
//! | `ENACT_FAULTS=17:lost-reply,40:death-after` | this schedule alone, with its calls |
//! | `ENACT_FAULTS_SECONDS=600` | a longer sample of schedules with two faults |
//! | `ENACT_FAULTS_SEED=…` | the sample of an earlier run |
//!
//! `cargo test --release --test suite faults:: -- --nocapture` prints the numbers of schedules; they are also left in `target/tmp/faults/`.

mod cases;
mod conformance;
mod explore;
mod injector;
mod memory;
mod photo;
mod planner;
mod properties;
mod relational;
mod schedule;
mod vectors;
mod world;

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cases::{Case, GOVERNED, PLAIN};
use explore::{Counts, Reach, cuts, doubles, rehearsals, singles};
use schedule::{Call, Kind, Op};
use world::{Vectors, Verdict, World};

/// Seconds for two faults in each world where nothing else is asked for.
const SAMPLE: u64 = 4;

/// Worlds at once for one case.
const WORLDS: usize = 3;

/// The most stories of broken schedules that are printed.
const STORIES: usize = 5;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn kinds(call: &Call) -> Vec<Kind> {
    call.kinds().to_vec()
}

fn number(variable: &str) -> Option<u64> {
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

/// Breaks a case with the kinds of fault that each call may have, and with two of them if wanted. Several worlds share the
/// calls, because a schedule waits for PostgreSQL half of its time.
async fn break_it(name: &str, case: &'static Case, vectors: Vectors, kinds: Kinds, two: Option<Reach>) {
    let began = Instant::now();
    let asked = std::env::var("ENACT_FAULTS").unwrap_or_default();
    if !asked.is_empty() && asked != "all" {
        let mut world = World::make(case, vectors).await;
        let schedule = asked.parse().unwrap_or_else(|error| panic!("ENACT_FAULTS: {error}"));
        world.learn_after().await;
        let ended = world.run(&schedule).await;
        eprintln!("{name}: {}", ended.story());
        assert!(ended.problems.is_empty());
        return;
    }
    let worlds = match (&vectors, two) {
        (Vectors::Memory, Some(Reach::For(..))) => WORLDS,
        // All schedules with two faults are merged in one world; a server has one directory.
        (Vectors::Memory, None | Some(Reach::All)) | (Vectors::Server(_), _) => 1,
    };
    let others = (1..worlds).map(|part| {
        let share = Share { part, worlds, kinds, two };
        std::thread::spawn(move || runtime().block_on(share.break_it(case, Vectors::Memory)))
    });
    let others: Vec<_> = others.collect();
    let mut counts = Share { part: 0, worlds, kinds, two }.break_it(case, vectors).await;
    for other in others {
        counts.add_all(other.join().expect("the other worlds end"));
    }
    counts.took = began.elapsed();
    show(name, &counts, &format!("; ENACT_FAULTS_SEED={}", seed()));
}

/// The kinds of fault of a call.
type Kinds = fn(&Call) -> Vec<Kind>;

/// One world's part of the calls.
#[derive(Clone, Copy)]
struct Share {
    part: usize,
    worlds: usize,
    kinds: Kinds,
    two: Option<Reach>,
}

impl Share {
    async fn break_it(self, case: &Case, vectors: Vectors) -> Counts {
        let mut world = World::make(case, vectors).await;
        let mut counts = Counts::default();
        let own = |call: &Call| if call.number % self.worlds == self.part { (self.kinds)(call) } else { Vec::new() };
        let firsts = singles(&mut world, own, &mut counts).await;
        if let Some(reach) = self.two {
            doubles(&mut world, &firsts, self.kinds, reach, &mut counts).await;
        }
        counts
    }
}

/// How far schedules with two faults go.
fn reach() -> Reach {
    let sample = Duration::from_secs(number("ENACT_FAULTS_SECONDS").unwrap_or(SAMPLE));
    let is_all = std::env::var("ENACT_FAULTS").is_ok_and(|asked| asked == "all");
    if is_all { Reach::All } else { Reach::For(sample, seed()) }
}

/// Prints and keeps the counts; fails with stories.
fn show(name: &str, counts: &Counts, more: &str) {
    let line = format!("{name}: {counts}{more}");
    eprintln!("{line}");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    std::fs::create_dir_all(&folder).expect("a folder for the counts");
    std::fs::write(folder.join(format!("{name}.txt")), format!("{line}\n")).expect("the counts are written");
    let stories = counts.stories.iter().take(STORIES).cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(counts.broken, 0, "{line}\n{stories}");
    assert_eq!(counts.before + counts.after, counts.single + counts.double);
}

#[test(postgres)]
fn faults_in_a_governed_apply_leave_before_or_after() {
    runtime().block_on(break_it("governed", &GOVERNED, Vectors::Memory, kinds, Some(reach())));
}

#[test(postgres)]
fn faults_in_a_plain_apply_leave_before_or_after() {
    runtime().block_on(break_it("plain", &PLAIN, Vectors::Memory, kinds, Some(reach())));
}

#[test(postgres)]
fn faults_on_the_real_vector_server_leave_before_or_after() {
    let directory = tempfile::tempdir().expect("a folder");
    runtime().block_on(break_it("server", &GOVERNED, Vectors::Server(directory), own_kinds, None));
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
