//! Goes through schedules: one fault at every call, then two.
//!
//! A second fault is put at every call after the first, in the same process or in those that resume. Two schedules whose
//! rest is the same are one: the same durable state in both stores, the same connection, and the same calls from there
//! to the end. Each is tried once.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::faults::schedule::{Call, Kind, Op, Schedule};
use crate::faults::world::{End, Ended, Verdict, World};

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// Everything.
    All,
    /// Two faults only for this long, in an order that this seed makes.
    For(Duration, u64),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Counts {
    pub calls: usize,
    pub single: usize,
    pub double: usize,
    pub doubles_there_are: usize,
    pub doubles_before_merging: usize,
    pub before: usize,
    pub after: usize,
    pub stories: Vec<String>,
    pub broken: usize,
    pub took: Duration,
}

impl Counts {
    /// Adds what another world found over the same calls.
    pub fn add_all(&mut self, other: Counts) {
        let Counts {
            calls,
            single,
            double,
            doubles_there_are,
            doubles_before_merging,
            before,
            after,
            stories,
            broken,
            took,
        } = other;
        assert_eq!(self.calls, calls, "every world makes the same calls");
        self.single += single;
        self.double += double;
        self.doubles_there_are += doubles_there_are;
        self.doubles_before_merging += doubles_before_merging;
        self.before += before;
        self.after += after;
        self.stories.extend(stories);
        self.broken += broken;
        self.took = self.took.max(took);
    }

    fn add(&mut self, ended: &Ended) {
        match ended.verdict {
            Verdict::Before => self.before += 1,
            Verdict::After => self.after += 1,
            Verdict::Mixture => {}
        }
        if !ended.problems.is_empty() {
            self.broken += 1;
            self.stories.push(ended.story());
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { calls, single, double, doubles_there_are, doubles_before_merging, before, after, .. } = self;
        write!(
            f,
            "{calls} calls; {single} schedules with one fault; {double} of {doubles_there_are} with two \
             ({doubles_before_merging} before equal ones are merged); {before} ended before, {after} after, {} broken; {:.1} s",
            self.broken,
            self.took.as_secs_f64()
        )
    }
}

/// Runs every schedule with one fault; gives what each did.
pub async fn singles(world: &mut World, kinds: impl Fn(&Call) -> Vec<Kind>, counts: &mut Counts) -> Vec<Ended> {
    let base = world.learn_after().await;
    let again = world.run(&Schedule::default()).await;
    assert!(again.problems.is_empty() && again.verdict == Verdict::After, "{}", again.story());
    let calls: Vec<&Call> = base.trace.iter().filter(|call| call.process == 1).collect();
    counts.calls = calls.len();
    let mut out = Vec::new();
    let mut before: Option<&Call> = None;
    for call in calls {
        let behind_embedding = before.replace(call).is_some_and(|before| before.op == Op::Embed);
        for kind in kinds(call) {
            let mut ended = world.run(&Schedule::default().and(call.number, kind)).await;
            if ended.embedded > base.embedded && !behind_embedding && !may_embed_again(call, kind) {
                ended.problems.push(format!("{} texts were embedded, {} at most", ended.embedded, base.embedded));
            }
            counts.single += 1;
            counts.add(&ended);
            out.push(ended);
        }
    }
    out
}

/// A text is embedded a second time only where its vector was lost before it was written: in the embedder's own call, in the
/// look at the lease behind it, or in the write.
fn may_embed_again(call: &Call, kind: Kind) -> bool {
    let is_lost = !matches!(kind, Kind::LostReply | Kind::Repeat | Kind::DeathAfter);
    call.op == Op::Embed
        || (is_lost
            && ["ensure_points ", "INSERT INTO enact.staged_point "].iter().any(|at| call.label.starts_with(at)))
}

/// Runs every schedule with one fault in a rehearsal, which leaves nothing whatever happens.
pub async fn rehearsals(world: &mut World, counts: &mut Counts) {
    world.learn_after().await;
    world.rehearses = true;
    let base = world.run(&Schedule::default()).await;
    assert!(matches!(base.ends[0], End::Rehearsed(Ok(_))) && base.problems.is_empty(), "{}", base.story());
    for call in base.trace.iter().filter(|call| call.process == 1) {
        counts.calls += 1;
        for kind in call.kinds() {
            let ended = world.run(&Schedule::default().and(call.number, *kind)).await;
            counts.single += 1;
            counts.add(&ended);
        }
    }
}

/// Cuts the journal of an apply that died, in every state that it can die in, by every number of entries that may be lost.
pub async fn cuts(world: &mut World, counts: &mut Counts) {
    let base = world.learn_after().await;
    let mut states = BTreeSet::new();
    for call in base.trace.iter().filter(|call| call.process == 1) {
        if !states.insert(call.state) {
            continue;
        }
        let schedule = Schedule::default().and(call.number, Kind::DeathBefore);
        for entries in 1.. {
            let Some(ended) = world.run_and_cut(&schedule, entries).await else { break };
            counts.single += 1;
            counts.add(&ended);
        }
    }
    counts.calls = base.trace.iter().filter(|call| call.process == 1).count();
}

/// Runs schedules with two faults, after what single ones did.
pub async fn doubles(
    world: &mut World,
    firsts: &[Ended],
    kinds: impl Fn(&Call) -> Vec<Kind>,
    reach: Reach,
    counts: &mut Counts,
) {
    let mut seen = BTreeSet::new();
    let mut schedules = Vec::new();
    for first in firsts {
        for (index, call) in first.trace.iter().enumerate().filter(|(_, call)| call.number > first.schedule.last()) {
            for kind in kinds(call) {
                counts.doubles_before_merging += 1;
                if seen.insert((rest(&first.trace[index..]), kind)) {
                    schedules.push(first.schedule.and(call.number, kind));
                }
            }
        }
    }
    counts.doubles_there_are = schedules.len();
    let began = Instant::now();
    if let Reach::For(_, seed) = reach {
        shuffle(&mut schedules, seed);
    }
    for schedule in schedules {
        if let Reach::For(limit, _) = reach
            && began.elapsed() > limit
        {
            break;
        }
        let ended = world.run(&schedule).await;
        counts.double += 1;
        counts.add(&ended);
    }
}

/// Digest of everything that decides how calls go on.
fn rest(calls: &[Call]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let first = calls.first().map_or(0, |call| call.process);
    for Call { number: _, process, op, label, state, is_cut } in calls {
        // Later states follow from the first and from the calls; they cost nothing to compare all the same.
        (process - first, op, label, state, is_cut).hash(&mut hasher);
    }
    hasher.finish()
}

/// Fisher-Yates with splitmix64.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for index in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let other = usize::try_from((z ^ (z >> 31)) % (index as u64 + 1)).unwrap_or(0);
        items.swap(index, other);
    }
}
