//! A process that is stopped, loses its session, and wakes up when another has finished or undone its run.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::gate::Gate;
use super::process::{Enact, signal};
use super::random::Random;
use super::rounds::{documented, rounds_asked};
use super::scene::{Rollout, Scene, World, same};
use super::stores::SOON;

for_each_rollout! {
    a_process_that_slept_at_any_boundary_does_no_harm_when_it_wakes,
    a_process_that_slept_at_any_time_does_no_harm_when_it_wakes,
}

fn a_process_that_slept_at_any_boundary_does_no_harm_when_it_wakes(rollout: Rollout) {
    let mut scene = Scene::new(&[rollout]);
    let mut seen: BTreeMap<(String, World, Option<i32>), u32> = BTreeMap::new();
    for refuse in [false, true] {
        let path = &scene.paths[&rollout];
        let entries = if refuse { path.entries_refused.clone() } else { path.entries.clone() };
        for (at, kind) in entries.iter().enumerate() {
            let told = format!("{rollout:?}, refused: {refuse}, asleep at entry {} ({kind})", at + 1);
            scene.stores.restore();
            scene.stores.sql(&format!("UPDATE gate.switch SET refuse = {refuse}"));
            let file = scene.paths[&rollout].file.clone();
            let gate = Gate::close(&scene.stores, at + 1);
            let mut enact = scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
            assert!(gate.reached(SOON, || enact.runs()).is_some(), "{told}: the run never came there");
            signal(enact.pid(), Signal::STOP);
            gate.open();
            let (world, code) = sleep_and_wake(&mut scene, rollout, enact, &told);
            *seen.entry((kind.clone(), world, code)).or_default() += 1;
        }
    }
    println!("(asleep at, world, exit when it woke): {seen:?}");
}

fn a_process_that_slept_at_any_time_does_no_harm_when_it_wakes(rollout: Rollout) {
    let (seed, random) = Random::seeded();
    let mut scene = Scene::new(&[rollout]);
    println!("ENACT_KILL_SEED={seed}");
    let mut seen: BTreeMap<(World, Option<i32>), u32> = BTreeMap::new();
    for round in 0..rounds_asked().map_or(4, |asked| asked / 4) {
        let mut random = random.round(round);
        scene.stores.restore();
        let path = &scene.paths[&rollout];
        let (file, within) = (path.file.clone(), u64::try_from(path.takes.as_micros()).expect("a short time"));
        let after = Duration::from_micros(random.below(within));
        let told = format!("round {round} of seed {seed}: {rollout:?}, asleep after {after:?}");
        let mut enact = scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
        enact.until(after);
        signal(enact.pid(), Signal::STOP);
        let seen_here = sleep_and_wake(&mut scene, rollout, enact, &told);
        *seen.entry(seen_here).or_default() += 1;
    }
    println!("(world, exit when it woke): {seen:?}");
}

/// The process sleeps. While its session lives, nobody else may work; then the session is ended, `resume` does what is to be
/// done, the process wakes up, and nothing changes any more.
fn sleep_and_wake(scene: &mut Scene, rollout: Rollout, mut enact: Enact, told: &str) -> (World, Option<i32>) {
    let holds = "SELECT count(*)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                 WHERE locktype = 'advisory' AND granted AND application_name = 'enact'";
    if scene.stores.value(holds) != "0" {
        let asleep = scene.stores.state();
        let locked = scene.stores.enact(&["resume"]);
        assert_eq!(locked.code, Some(7), "{told}: resume beside a sleeper\n{}", locked.told());
        same(&scene.stores.state(), &asleep, &format!("{told}: resume beside a sleeper"));
    }
    for pid in scene.stores.backends() {
        scene.stores.sql(&format!("SELECT pg_terminate_backend({pid}, 20000)"));
    }
    scene.stores.wait_for_no_backend();
    let world = scene.converges(rollout, told);
    let settled = scene.stores.state();
    signal(enact.pid(), Signal::CONT);
    let woke = enact.wait();
    documented(&woke, told);
    scene.stores.wait_for_no_backend();
    // A process that had not opened its run before it slept may begin it now: that is a run like any other.
    let began = !woke.text.contains("\nRun ") || world == World::Before;
    if !(began && woke.code == Some(0)) {
        let told = format!("{told}: what the sleeper did\n{}", woke.told());
        same(&scene.stores.state(), &settled, &told);
        let open = scene.stores.value("SELECT count(*)::text FROM enact.run WHERE closed_at IS NULL");
        assert_eq!(open, "0", "{told}: a run is open");
    }
    (world, woke.code)
}
