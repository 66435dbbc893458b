//! A run that died, and another plan: nothing goes on with it unasked.

use super::gate::Gate;
use super::scene::{Path, Rollout, Scene, plan_file, same};
use super::stores::SOON;

for_each_rollout! {
    an_apply_of_another_plan_leaves_an_unfinished_run_alone,
    a_run_that_decided_is_not_taken_back,
}

/// Kills an apply of the scene's plan as it writes the entry with this number.
fn die_at(scene: &mut Scene, rollout: Rollout, entry: usize) -> String {
    scene.stores.restore();
    let file = scene.paths[&rollout].file.clone();
    let gate = Gate::close(&scene.stores, entry);
    let mut enact = scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
    assert!(gate.reached(SOON, || enact.runs()).is_some(), "the run never came to entry {entry}");
    let ended = enact.kill();
    gate.open();
    scene.stores.wait_for_no_backend();
    let run = ended.text.lines().find_map(|line| line.strip_prefix("Run ")).expect("the run is named");
    run.to_owned()
}

/// The number of an entry, counted from 1.
fn number_of(path: &Path, kind: &str) -> usize {
    1 + path.entries.iter().position(|entry| entry == kind).unwrap_or_else(|| panic!("no entry {kind:?}"))
}

fn an_apply_of_another_plan_leaves_an_unfinished_run_alone(rollout: Rollout) {
    let mut scene = Scene::new(&[rollout]);
    let other = scene.path(&plan_file(&["DIEU35"], rollout), "other");
    let transacting = number_of(&scene.paths[&rollout], "transacting");
    let run = die_at(&mut scene, rollout, transacting);
    let held = scene.stores.state();
    let planned = scene.stores.exits(&["plan"], 0);
    assert!(planned.contains(&run) && planned.contains("unfinished"), "{planned}");
    for command in [&["apply", &other.file, "--auto-approve"][..], &["apply", &other.file], &["rehearse", &other.file]]
    {
        let refused = scene.stores.exits(command, 7);
        assert!(refused.contains(&run) && refused.contains("resume --abort"), "{command:?}\n{refused}");
        same(&scene.stores.state(), &held, &format!("{command:?}"));
    }
    let taken_back = scene.stores.exits(&["resume", "--abort"], 0);
    assert!(taken_back.contains(&format!("Run {run} was taken back")), "{taken_back}");
    same(&scene.stores.state(), &scene.before, "resume --abort");
    assert!(scene.stores.exits(&["resume", "--abort"], 0).contains("No run is unfinished"));
    scene.stores.exits(&["apply", &other.file, "--auto-approve"], 0);
    same(&scene.stores.state(), &other.after, "the other plan");
    // The very same plan goes on with its own run.
    let run = die_at(&mut scene, rollout, transacting);
    let file = scene.paths[&rollout].file.clone();
    let went_on = scene.stores.exits(&["apply", &file, "--auto-approve"], 0);
    assert!(went_on.contains(&format!("Going on with the unfinished run {run}")), "{went_on}");
    same(&scene.stores.state(), &scene.paths[&rollout].after, "the very same plan");
}

fn a_run_that_decided_is_not_taken_back(rollout: Rollout) {
    let mut scene = Scene::new(&[rollout]);
    let settling = number_of(&scene.paths[&rollout], "settling");
    let run = die_at(&mut scene, rollout, settling);
    let told = scene.stores.exits(&["resume", "--abort"], 6);
    assert!(told.contains(&run) && told.contains("only forward is possible"), "{told}");
    scene.stores.exits(&["resume"], 0);
    same(&scene.stores.state(), &scene.paths[&rollout].after, "resume");
}
