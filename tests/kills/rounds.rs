//! Kills at every boundary of the journal, and at random times.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::gate::Gate;
use super::process::{Ended, signal};
use super::random::Random;
use super::scene::{Rollout, Scene, World, same};
use super::stores::SOON;

/// What dies at a boundary, and so what becomes of the entry that is being written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Boundary {
    /// Enact; the server finishes the statement, and nobody reads its answer.
    Written,
    /// Enact and its session: the entry was never written.
    Unwritten,
    /// The session alone: Enact lives and does not know.
    Session,
}

const BOUNDARIES: [Boundary; 3] = [Boundary::Written, Boundary::Unwritten, Boundary::Session];

/// What dies at a random time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    /// Enact.
    Enact,
    /// Enact, and then the first `resume` as well.
    EnactTwice,
    /// Its session, in order.
    Session,
    /// Its session's process, whereupon the postmaster ends all others.
    Backend,
    /// The postmaster.
    Postmaster,
    /// The vector server.
    Vectors,
}

const VICTIMS: [Victim; 6] =
    [Victim::Enact, Victim::EnactTwice, Victim::Session, Victim::Backend, Victim::Postmaster, Victim::Vectors];

/// How many rounds; `None` where as many as fit are enough.
pub fn rounds_asked() -> Option<u64> {
    std::env::var("ENACT_KILL_ROUNDS").ok().map(|text| text.parse().expect("ENACT_KILL_ROUNDS is a number"))
}

/// How long the short form goes on, for each rollout.
const SHORT: Duration = Duration::from_secs(10);
/// Rounds of each kind that the short form does at least.
const LEAST: u64 = 2;

for_each_rollout! {
    a_kill_at_every_boundary_of_the_journal_converges_with_one_resume,
    kills_at_random_times_converge_with_one_resume,
}

fn a_kill_at_every_boundary_of_the_journal_converges_with_one_resume(rollout: Rollout) {
    let (seed, random) = Random::seeded();
    let mut random = random.round(0);
    let mut scene = Scene::new(&[rollout]);
    println!("ENACT_KILL_SEED={seed}");
    let mut worlds: BTreeMap<(Boundary, World), u32> = BTreeMap::new();
    for refuse in [false, true] {
        let path = &scene.paths[&rollout];
        let entries = if refuse { path.entries_refused.clone() } else { path.entries.clone() };
        for (at, kind) in entries.iter().enumerate() {
            // The long form does all three at each boundary, the short one takes one by the seed.
            let chosen = if rounds_asked().is_some() { BOUNDARIES.to_vec() } else { vec![random.pick(&BOUNDARIES)] };
            for boundary in chosen {
                let told = format!("{rollout:?}, refused: {refuse}, entry {} ({kind}), {boundary:?}", at + 1);
                let world = kill_at(&mut scene, rollout, refuse, at + 1, boundary, &told);
                *worlds.entry((boundary, world)).or_default() += 1;
                assert!(!(refuse && world == World::After), "{told}: a refused plan came true");
            }
        }
    }
    println!("boundaries: {worlds:?}");
}

fn kill_at(scene: &mut Scene, rollout: Rollout, refuse: bool, entry: usize, boundary: Boundary, told: &str) -> World {
    scene.stores.restore();
    scene.stores.sql(&format!("UPDATE gate.switch SET refuse = {refuse}"));
    let file = scene.paths[&rollout].file.clone();
    let stores = &scene.stores;
    let gate = Gate::close(stores, entry);
    let mut enact = stores.start_enact(&["apply", &file, "--auto-approve"]);
    let Some(session) = gate.reached(SOON, || enact.runs()) else {
        panic!("{told}: the run never came there\n{}", enact.wait().text);
    };
    let terminate = format!("SELECT pg_terminate_backend({session}, 20000)");
    let ended = match boundary {
        Boundary::Written => {
            let ended = enact.kill();
            gate.open();
            ended
        }
        Boundary::Unwritten => {
            let ended = enact.kill();
            stores.sql(&terminate);
            gate.open();
            ended
        }
        Boundary::Session => {
            stores.sql(&terminate);
            gate.open();
            let ended = enact.wait();
            documented(&ended, told);
            ended
        }
    };
    scene.stores.wait_for_no_backend();
    let world = scene.converges(rollout, &format!("{told}\napply: {}", ended.told()));
    told_at_the_end(boundary == Boundary::Session, &ended, told);
    world
}

/// An exit of `apply` that did not end by a signal has a code that the help text names; one that said that it has decided
/// ends as done or as not yet settled.
pub fn documented(ended: &Ended, told: &str) {
    let decided = ended.text.contains("Decided: PostgreSQL has committed");
    let codes: &[i32] = if decided { &[0, 6] } else { &[0, 1, 4, 5, 6, 7] };
    assert!(ended.code.is_some_and(|code| codes.contains(&code)), "{told}: apply: {}", ended.told());
}

fn told_at_the_end(lived: bool, ended: &Ended, told: &str) {
    let silent = ended.text.lines().last().is_none_or(str::is_empty);
    assert!(!(lived && silent), "{told}: it ended without a word");
}

#[test(postgres)]
fn the_comparison_sees_one_row_and_one_point() {
    let mut scene = Scene::new(&[]);
    scene.stores.sql("UPDATE public.dot_config SET updated_at = now() WHERE key = 'iu_core.vector_sync_enabled'");
    let touched = scene.stores.state().differences(&scene.before);
    assert!(touched.len() == 2 && touched.iter().all(|text| text.starts_with("public.dot_config: ")), "{touched:?}");
    scene.stores.restore();
    same(&scene.stores.state(), &scene.before, "after a restore");
    let removed = scene.stores.remove_a_point("iu_core_iu_chunks");
    let missing = scene.stores.state().differences(&scene.before);
    assert!(missing.iter().any(|text| text.contains(&removed)), "{missing:?}");
}

fn kills_at_random_times_converge_with_one_resume(rollout: Rollout) {
    let (seed, random) = Random::seeded();
    let mut scene = Scene::new(&[rollout]);
    println!("ENACT_KILL_SEED={seed}");
    let least = LEAST * VICTIMS.len() as u64;
    let began = Instant::now();
    let mut seen: BTreeMap<(Victim, World), u32> = BTreeMap::new();
    let mut round = 0;
    let more = |round: u64| match rounds_asked() {
        Some(asked) => round < asked.div_ceil(Rollout::ALL.len() as u64),
        None => round < least || began.elapsed() < SHORT,
    };
    while more(round) {
        let victim = VICTIMS[usize::try_from(round).expect("a number of rounds") % VICTIMS.len()];
        let world =
            random_kill(&mut scene, rollout, victim, random.round(round), &format!("round {round} of seed {seed}"));
        *seen.entry((victim, world)).or_default() += 1;
        round += 1;
    }
    println!("{round} rounds in {:?}: {seen:?}", began.elapsed());
}

fn random_kill(scene: &mut Scene, rollout: Rollout, victim: Victim, mut random: Random, told: &str) -> World {
    scene.stores.restore();
    let (file, takes) = (scene.paths[&rollout].file.clone(), scene.paths[&rollout].takes);
    let within = u64::try_from(takes.as_micros()).expect("a short time");
    let after = Duration::from_micros(random.below(within));
    let at_once = random.below(2) == 0;
    let told = format!("{told}: {rollout:?}, {victim:?} after {after:?}, restarted at once: {at_once}");
    let mut enact = scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
    enact.until(after);
    let ended = match victim {
        Victim::Enact => enact.kill(),
        Victim::EnactTwice => {
            let first = enact.kill();
            let mut resume = scene.stores.start_enact(&["resume", "--lock-timeout", "30"]);
            resume.until(Duration::from_micros(random.below(within)));
            let second = resume.kill();
            Ended { text: format!("{}\nfirst resume:\n{}", first.text, second.text), ..first }
        }
        Victim::Session => {
            for pid in scene.stores.backends() {
                scene.stores.sql(&format!("SELECT pg_terminate_backend({pid})"));
            }
            enact.wait()
        }
        Victim::Backend => {
            for pid in scene.stores.backends() {
                signal(pid, Signal::KILL);
            }
            enact.wait()
        }
        Victim::Postmaster => {
            scene.stores.cluster.kill();
            if !at_once {
                enact.wait();
            }
            scene.stores.cluster.restart().expect("PostgreSQL comes up again");
            enact.wait()
        }
        Victim::Vectors => {
            scene.stores.vectors.kill();
            if !at_once {
                enact.wait();
            }
            scene.stores.vectors.restart();
            enact.wait()
        }
    };
    if !matches!(victim, Victim::Enact | Victim::EnactTwice) {
        documented(&ended, &told);
    }
    scene.stores.revive();
    scene.stores.wait_for_no_backend();
    scene.converges(rollout, &format!("{told}\napply: {}", ended.told()))
}
