//! Many applies at once: exactly one runs, and the others say who does.

use std::collections::BTreeMap;

use super::gate::Gate;
use super::process::Enact;
use super::scene::{Path, Rollout, Scene, plan_file, same};
use super::stores::SOON;

/// Numbers of applies at once.
const CROWDS: [usize; 2] = [2, 8];

/// A scene, and another plan over the same collection.
fn scene() -> (Scene, Path) {
    let mut scene = Scene::new(&[Rollout::BlueGreen]);
    let other = scene.path(&plan_file(&["DIEU35"], Rollout::BlueGreen), "other");
    (scene, other)
}

fn apply(file: &str) -> [&str; 3] {
    ["apply", file, "--auto-approve"]
}

#[test(postgres)]
fn while_one_runs_all_others_do_nothing_and_name_it() {
    let (mut scene, other) = scene();
    for crowd in CROWDS {
        for mixed in [false, true] {
            let told = format!("{crowd} applies, of two plans: {mixed}");
            let (file, digest) = {
                let path = &scene.paths[&Rollout::BlueGreen];
                (path.file.clone(), path.digest.clone())
            };
            scene.stores.restore();
            let stores = &scene.stores;
            let gate = Gate::close(stores, 2);
            let mut first = stores.start_enact(&apply(&file));
            let session = gate.reached(SOON, || first.runs()).expect("the first run stages");
            let held = stores.state();
            let others = (1..crowd).map(|n| if mixed && n % 2 == 1 { &other.file } else { &file });
            let mut others: Vec<Enact> = others.map(|file| stores.start_enact(&apply(file))).collect();
            let since = format!("SELECT backend_start::text FROM pg_stat_activity WHERE pid = {session}");
            let since = stores.value(&format!("SET TimeZone = 'UTC'; {since}"));
            for one in &mut others {
                let ended = one.wait();
                assert_eq!(ended.code, Some(7), "{told}\n{}", ended.text);
                let (pid, session) = (format!("pid {}", first.pid()), session.to_string());
                let named = ["tester@", &pid, "plan ", &digest[..12], &session, "enact_admin", "local socket", &since];
                let silent: Vec<&&str> = named.iter().filter(|word| !ended.text.contains(**word)).collect();
                assert!(silent.is_empty(), "{told}: {silent:?} is not named\n{}", ended.text);
                assert!(!ended.text.contains("Run "), "{told}: it ran\n{}", ended.text);
            }
            same(&stores.state(), &held, &told);
            gate.open();
            let ended = first.wait();
            assert_eq!(ended.code, Some(0), "{told}\n{}", ended.text);
            same(&scene.stores.state(), &scene.paths[&Rollout::BlueGreen].after, &told);
        }
    }
}

#[test(postgres)]
fn of_many_applies_at_the_same_moment_exactly_one_runs() {
    let (mut scene, other) = scene();
    let mut codes: BTreeMap<(usize, bool, i32), u32> = BTreeMap::new();
    for crowd in CROWDS {
        for mixed in [false, true] {
            let told = format!("{crowd} applies, of two plans: {mixed}");
            let file = scene.paths[&Rollout::BlueGreen].file.clone();
            scene.stores.restore();
            let stores = &scene.stores;
            let is_other = |n: usize| mixed && n % 2 == 1;
            let mut all: Vec<Enact> =
                (0..crowd).map(|n| stores.start_enact(&apply(if is_other(n) { &other.file } else { &file }))).collect();
            let ended: Vec<_> = all.iter_mut().map(Enact::wait).collect();
            for one in &ended {
                let code = one.code.expect("an exit code");
                assert!(matches!(code, 0 | 4 | 7), "{told}: exit {code}\n{}", one.text);
                *codes.entry((crowd, mixed, code)).or_default() += 1;
            }
            let won: Vec<usize> = (0..crowd).filter(|n| ended[*n].code == Some(0)).collect();
            assert_eq!(won.len(), 1, "{told}: {:?}", ended.iter().map(|one| one.code).collect::<Vec<_>>());
            let after = if is_other(won[0]) { &other.after } else { &scene.paths[&Rollout::BlueGreen].after };
            same(&scene.stores.state(), after, &told);
            let runs = scene.stores.values(
                "SELECT coalesce(outcome, 'open') FROM enact.run WHERE opened_at > (SELECT max(at) FROM gate.saved)",
            );
            let applied = runs.iter().filter(|outcome| *outcome == "applied").count();
            assert!(applied == 1 && !runs.iter().any(|outcome| outcome == "open"), "{told}: {runs:?}");
        }
    }
    println!("(applies, of two plans, exit code) and how often: {codes:?}");
}
