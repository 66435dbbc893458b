//! Goes through schedules: one fault at every call, then two.
//!
//! A second fault is put at every call after the first, in the same process or in those that resume. Two schedules whose
//! rest is the same are one: the same durable state in both stores, the same connection, and the same calls from there
//! to the end. Each is tried once.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::faults::checks::{Check, Problem};
use crate::faults::schedule::{Call, Kind, Op, Schedule};
use crate::faults::world::{End, Ended, Verdict, World};

/// How many schedules with two faults.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    All,
    /// This many, chosen by this seed.
    Some(usize, u64),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Counts {
    pub calls: usize,
    pub single: usize,
    pub double: usize,
    pub pairs: Pairs,
    pub before: usize,
    pub after: usize,
    pub stories: Vec<String>,
    pub broken: usize,
    /// Schedules that ended before their last fault: they show nothing, and count nowhere else.
    pub void: usize,
    pub took: Duration,
}

impl Counts {
    /// Adds what another world found over the same calls.
    pub fn add_all(&mut self, other: Counts) {
        let Counts { calls, single, double, pairs: _, before, after, stories, broken, void, took } = other;
        assert!(self.calls == calls || calls == 0 || self.calls == 0, "every world makes the same calls");
        self.calls = self.calls.max(calls);
        self.single += single;
        self.double += double;
        self.before += before;
        self.after += after;
        self.stories.extend(stories);
        self.broken += broken;
        self.void += void;
        self.took = self.took.max(took);
    }

    pub fn add(&mut self, ended: &Ended) {
        match (ended.landed, ended.schedule.0.len()) {
            (false, _) => self.void += 1,
            (true, 2) => self.double += 1,
            (true, _) => self.single += 1,
        }
        match ended.verdict {
            Verdict::Before if ended.landed => self.before += 1,
            Verdict::After if ended.landed => self.after += 1,
            Verdict::Before | Verdict::After | Verdict::Mixture => {}
        }
        if !ended.problems.is_empty() {
            self.broken += 1;
            self.stories.push(ended.story());
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { calls, single, double, pairs, before, after, .. } = self;
        let Pairs { merged, all } = pairs;
        write!(
            f,
            "{calls} calls; {single} schedules with one fault; {double} of {merged} with two ({all} before equal \
             ones are merged); {before} ended before, {after} after, {} broken, {} void; {:.1} s",
            self.broken,
            self.void,
            self.took.as_secs_f64()
        )
    }
}

/// Runs every schedule with one fault; gives what each did.
pub async fn singles(world: &mut World, kinds: impl Fn(&Call) -> Vec<Kind>, counts: &mut Counts) -> Vec<Ended> {
    let base = world.learn_after().await;
    let again = world.run(&Schedule::default()).await;
    assert!(again.problems.is_empty(), "{}", again.story());
    let calls: Vec<&Call> = base.trace.iter().filter(|call| call.process == 1).collect();
    counts.calls = calls.len();
    let mut out = Vec::new();
    for call in calls {
        for kind in kinds(call) {
            let ended = single(world, &base, call, kind).await;
            counts.add(&ended);
            out.push(ended);
        }
    }
    out
}

/// Runs the schedule with this fault alone.
pub async fn single(world: &mut World, base: &Ended, call: &Call, kind: Kind) -> Ended {
    let mut ended = world.run(&Schedule::default().and(call.number, kind)).await;
    let behind_embedding = call.number > 1 && base.trace[call.number - 2].op == Op::Embed;
    if ended.embedded > base.embedded && !behind_embedding && !may_embed_again(call, kind) {
        let what = format!("{} texts were embedded, {} at most", ended.embedded, base.embedded);
        ended.problems.push(Problem::new(Check::Embedding, what));
    }
    ended
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
            let ended = world.run(&Schedule::default().and(call.number, kind)).await;
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
            counts.add(&ended);
        }
    }
    counts.calls = base.trace.iter().filter(|call| call.process == 1).count();
}

/// How many schedules with two faults there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pairs {
    pub merged: usize,
    pub all: usize,
}

/// The schedules with two faults that follow from what those with one did.
pub fn pairs(firsts: &[Ended], kinds: impl Fn(&Call) -> Vec<Kind>, reach: Reach) -> (Pairs, Vec<Schedule>) {
    let mut seen = BTreeSet::new();
    let (mut all, mut schedules) = (0, Vec::new());
    for first in firsts {
        let rests = rests(&first.trace);
        for (call, rest) in first.trace.iter().zip(rests).filter(|(call, _)| call.number > first.schedule.last()) {
            for kind in kinds(call) {
                all += 1;
                if seen.insert((rest, kind)) {
                    schedules.push(first.schedule.and(call.number, kind));
                }
            }
        }
    }
    let merged = schedules.len();
    if let Reach::Some(wanted, seed) = reach {
        shuffle(&mut schedules, seed);
        schedules.truncate(wanted);
    }
    (Pairs { merged, all }, schedules)
}

/// For each call, a digest of everything that decides how calls go on from it.
fn rests(calls: &[Call]) -> Vec<u64> {
    let mut out = vec![0; calls.len()];
    let (mut rest, mut next) = (0_u64, None);
    for (place, call) in calls.iter().enumerate().rev() {
        let Call { number: _, process, op, label, state, is_cut } = call;
        let mut hasher = DefaultHasher::new();
        // Later states follow from the first and from the calls; they cost nothing to compare all the same.
        (next.map(|next: usize| next - process), op, label, state, is_cut, rest).hash(&mut hasher);
        (rest, next) = (hasher.finish(), Some(*process));
        out[place] = rest;
    }
    out
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
