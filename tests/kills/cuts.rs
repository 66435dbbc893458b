//! What a network does between Enact and a store: refused, delayed, cut in the middle of a request or a reply, half closed,
//! silent. Once the network is well again and `resume` has run once, both stores are exactly before or exactly after.

use std::collections::BTreeMap;
use std::time::Duration;

use super::process::LIMIT;
use super::proxy::{Blow, Fault, Place, Proxy, Seen, Upstream};
use super::random::Random;
use super::rounds::{documented, rounds_asked};
use super::scene::{Rollout, Scene, World};
use super::stores::DEADLINE;

/// How long a silent PostgreSQL is borne before the network is well again.
const PATIENCE: Duration = Duration::from_secs(3);

/// The side on which the network is ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Postgres,
    Qdrant,
}

const SIDES: [Side; 2] = [Side::Postgres, Side::Qdrant];
const BLOWS: [Blow; 3] = [Blow::Close, Blow::HalfClose, Blow::Silence];

/// In each commit of the client, and in nothing else.
const COMMIT: &str = "SELECT 1; COMMIT";
/// In each upsert of points, and in no other request.
pub const UPSERT: &str = "_enact";

/// A scene whose project goes through the proxies.
pub struct Network {
    /// The scene.
    pub scene: Scene,
    /// Before PostgreSQL.
    pub postgres: Proxy,
    /// Before Qdrant.
    pub qdrant: Proxy,
}

impl Network {
    /// Makes one whose plans go these ways.
    pub fn new(rollouts: &[Rollout]) -> Network {
        let scene = Scene::new(rollouts);
        let socket = scene.stores.socket();
        let postgres = Proxy::start(&scene.stores.runtime, Upstream::Unix(socket));
        let qdrant = Proxy::start(&scene.stores.runtime, Upstream::Tcp(scene.stores.vectors.address()));
        let network = Network { scene, postgres, qdrant };
        network.configure(DEADLINE);
        network
    }

    /// Points the project at the proxies; the deadline is that of a request, in seconds.
    pub fn configure(&self, deadline: u64) {
        let port = self.postgres.address().port();
        let conninfo = format!("host=127.0.0.1 port={port} user=enact_admin dbname=kb sslmode=disable");
        self.scene.stores.configure(&conninfo, &format!("http://{}", self.qdrant.address()), deadline);
    }

    fn proxy(&self, side: Side) -> &Proxy {
        match side {
            Side::Postgres => &self.postgres,
            Side::Qdrant => &self.qdrant,
        }
    }

    /// How many bytes an undisturbed run moves.
    fn measure(&mut self, rollout: Rollout) -> BTreeMap<Side, Seen> {
        self.scene.stores.restore();
        SIDES.iter().for_each(|side| self.proxy(*side).set(Fault::None));
        let file = self.scene.paths[&rollout].file.clone();
        self.scene.stores.exits(&["apply", &file, "--auto-approve"], 0);
        SIDES.iter().map(|side| (*side, self.proxy(*side).heal())).collect()
    }

    /// One apply through an ill network, then one `resume` through a well one.
    fn round(&mut self, rollout: Rollout, side: Side, fault: Fault, told: &str) -> (World, Option<i32>, bool) {
        self.scene.stores.restore();
        let told = format!("{told}: {rollout:?}, {side:?}, {fault:?}");
        let file = self.scene.paths[&rollout].file.clone();
        self.proxy(side).set(fault);
        let mut enact = self.scene.stores.start_enact(&["apply", &file, "--auto-approve"]);
        enact.until(PATIENCE);
        let patient = matches!(fault, Fault::Strike { blow: Blow::Silence, .. });
        let early = if patient { None } else { Some(enact.wait_up_to(LIMIT)) };
        let struck = self.proxy(side).heal().struck;
        let ended = early.unwrap_or_else(|| enact.wait());
        documented(&ended, &told);
        self.scene.stores.wait_for_no_backend();
        let told = format!("{told}, struck: {struck}\napply: {}", ended.told());
        (self.scene.converges(rollout, &told), ended.code, struck)
    }
}

for_each_rollout! {
    a_lost_commit_or_a_lost_write_is_looked_for_and_never_guessed,
    an_ill_network_leaves_before_or_after_once_it_is_well,
}

fn a_lost_commit_or_a_lost_write_is_looked_for_and_never_guessed(rollout: Rollout) {
    let mut network = Network::new(&[rollout]);
    let mut told = Vec::new();
    // Points that stay are written into a new collection as well.
    let upserts = if rollout == Rollout::BlueGreen { 2 } else { 1 };
    for (side, text, most) in [(Side::Postgres, COMMIT, 3), (Side::Qdrant, UPSERT, upserts)] {
        for nth in 1..=most {
            for (place, then_refuse) in [
                (Place::Request(text, nth), false),
                (Place::ReplyTo(text, nth), false),
                (Place::ReplyTo(text, nth), true),
            ] {
                let fault = Fault::Strike { place, blow: Blow::Close, then_refuse };
                let (world, code, struck) = network.round(rollout, side, fault, "a lost answer");
                assert!(struck, "{rollout:?} {side:?} {fault:?} never struck");
                told.push(format!("{rollout:?} {place:?}, then refused: {then_refuse}: exit {code:?}, {world:?}"));
            }
        }
    }
    println!("{}", told.join("\n"));
}

fn an_ill_network_leaves_before_or_after_once_it_is_well(rollout: Rollout) {
    let (seed, random) = Random::seeded();
    let mut network = Network::new(&[rollout]);
    println!("ENACT_KILL_SEED={seed}");
    let mut seen: BTreeMap<(Side, String, World), u32> = BTreeMap::new();
    // Every kind of fault on both sides, and as many times over as there is time for.
    let times = rounds_asked().map_or(1, |asked| asked / 20 + 1);
    let sizes = network.measure(rollout);
    for round in 0..times {
        for side in SIDES {
            let mut random = random.round(round);
            for fault in faults(&mut random, sizes[&side]) {
                let told = format!("round {round} of seed {seed}");
                let (world, _, _) = network.round(rollout, side, fault, &told);
                *seen.entry((side, name(fault), world)).or_default() += 1;
            }
        }
    }
    println!("{seen:?}");
}

/// One fault of each kind, at places that the seed says.
fn faults(random: &mut Random, size: Seen) -> Vec<Fault> {
    let mut out = vec![Fault::Refuse, Fault::Delay(Duration::from_micros(200 + random.below(2_000)))];
    for blow in BLOWS {
        let place = Place::ReplyBytes(random.below(size.reply_bytes));
        out.push(Fault::Strike { place, blow, then_refuse: random.below(2) == 0 });
    }
    for blow in [Blow::Close, Blow::Silence] {
        let place = Place::RequestBytes(random.below(size.request_bytes));
        out.push(Fault::Strike { place, blow, then_refuse: random.below(2) == 0 });
    }
    out
}

fn name(fault: Fault) -> String {
    match fault {
        Fault::None => "none".to_owned(),
        Fault::Refuse => "refuse".to_owned(),
        Fault::Delay(_) => "delay".to_owned(),
        Fault::Strike { place, blow, .. } => {
            let side = if matches!(place, Place::ReplyBytes(_) | Place::ReplyTo(..)) { "reply" } else { "request" };
            format!("{blow:?} in a {side}")
        }
    }
}
