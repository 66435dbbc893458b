//! A request that reaches the store after its sender died. Nobody can call it back, so whoever recovers waits out the deadline
//! that the journal names before it puts anything back.

use std::time::Duration;

use super::cuts::{Network, UPSERT};
use super::process::poll;
use super::proxy::{Blow, Fault, Place};
use super::scene::{Rollout, World, plan_file};
use super::stores::SOON;

/// The deadline of these runs, in seconds.
const DEADLINE: u64 = 5;
/// When the request arrives at the latest, which is before that.
const LATE: Duration = Duration::from_secs(3);

/// Only in requests that make a collection.
const CREATE: &str = "enact_set";

/// One test for each kind of request: they wait for the deadline most of the time.
mod a_request_that_arrives_after_its_sender_died_changes_nothing {
    use super::{CREATE, Rollout, UPSERT, arrives_late};

    #[test(postgres)]
    fn that_makes_a_collection() {
        arrives_late(Rollout::BlueGreen, CREATE);
    }

    #[test(postgres)]
    fn that_fills_a_new_collection() {
        arrives_late(Rollout::BlueGreen, UPSERT);
    }

    #[test(postgres)]
    fn that_writes_into_the_live_collection() {
        arrives_late(Rollout::InPlace, UPSERT);
    }
}

fn arrives_late(rollout: Rollout, text: &'static str) {
    let mut network = Network::new(&[rollout]);
    network.configure(DEADLINE);
    let path = network.scene.path(&plan_file(&["DIEU32"], rollout), "late");
    network.scene.paths.insert(rollout, path);
    for refuse in [false, true] {
        let told = format!("{rollout:?}, a late request with {text:?}, refused later: {refuse}");
        let world = network.late_request(rollout, text, refuse, &told);
        assert_eq!(world, if refuse { World::Before } else { World::After }, "{told}");
    }
}

impl Network {
    /// Holds a request back, kills its sender, and lets it go when `resume` has ended, or while it waits.
    fn late_request(&mut self, rollout: Rollout, text: &'static str, refuse: bool, told: &str) -> World {
        self.scene.stores.restore();
        let place = Place::Request(text, 1);
        self.qdrant.set(Fault::Strike { place, blow: Blow::Hold, then_refuse: false });
        let file = self.scene.paths[&rollout].file.clone();
        let mut enact = self.scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
        let held = poll(SOON, || self.qdrant.seen().struck.then_some(()));
        assert!(held.is_some(), "{told}: no request was held");
        enact.kill();
        self.scene.stores.sql(&format!("UPDATE gate.switch SET refuse = {refuse}"));
        self.scene.stores.wait_for_no_backend();
        let mut resume = self.scene.stores.start_enact(&["resume", "--lock-timeout", "30"]);
        resume.until(LATE);
        let waited = resume.runs();
        self.qdrant.release();
        let arrived = poll(SOON, || self.qdrant.seen().answered.then_some(()));
        assert!(arrived.is_some(), "{told}: the request never arrived");
        let resumed = resume.wait();
        let world = self.scene.settled(rollout, &resumed, &format!("{told}, arrived before the end: {waited}"));
        self.qdrant.heal();
        world
    }
}
