//! A request that reaches the store after its sender died. Nobody can call it back, so whoever recovers waits out the deadline
//! that the journal names before it puts anything back.

use std::time::Duration;

use super::cuts::{Network, UPSERT};
use super::process::poll;
use super::proxy::{Blow, Fault, Place};
use super::scene::{Rollout, World};
use super::stores::SOON;

/// When the request arrives: after a recovery that does not wait would have ended, and before the deadline of one second.
const LATE: Duration = Duration::from_millis(700);

/// Only in requests that make a collection.
const CREATE: &str = "enact_set";

#[test]
fn a_request_that_arrives_after_its_sender_died_changes_nothing() {
    let mut network = Network::new();
    for (rollout, text) in [(Rollout::BlueGreen, CREATE), (Rollout::BlueGreen, UPSERT), (Rollout::InPlace, UPSERT)] {
        for refuse in [false, true] {
            let told = format!("{rollout:?}, a late request with {text:?}, refused later: {refuse}");
            let world = network.late_request(rollout, text, refuse, &told);
            assert_eq!(world, if refuse { World::Before } else { World::After }, "{told}");
        }
    }
}

impl Network {
    /// Holds a request back, kills its sender, and lets it go while or after `resume` works.
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
        let _not_yet = poll(LATE, || None::<()>);
        self.qdrant.release();
        let resumed = resume.wait();
        // The store may still be at work on what it was given.
        let world = self.scene.settled(rollout, &resumed, told);
        self.qdrant.heal();
        world
    }
}
