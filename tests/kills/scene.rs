//! What the kills happen to: a knowledge base with a live collection, and plans that change a part of it.
//!
//! *Before* is the reference schema with its fixture, one document enacted and indexed, and two of its units amended since. A
//! plan enacts a second document: 23 transitions with their governance rows, ledger rows with the gate opened and shut around
//! them, 20 points that stay, 25 that are embedded and 2 that go. Every kind of phase has work to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use enact::local::schema;

use super::gate;
use super::process::Ended;
use super::state::State;
use super::stores::Stores;

/// How new points come into the live collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rollout {
    /// A new collection behind the same alias.
    BlueGreen,
    /// Written and deleted in the collection that is live.
    InPlace,
}

impl Rollout {
    /// All of them.
    pub const ALL: [Rollout; 2] = [Rollout::BlueGreen, Rollout::InPlace];

    /// As a plan file names it.
    pub fn word(self) -> &'static str {
        match self {
            Rollout::BlueGreen => "blue_green",
            Rollout::InPlace => "in_place",
        }
    }
}

/// What one saved plan makes of the stores.
#[derive(Debug)]
pub struct Path {
    /// The saved plan's file.
    pub file: String,
    /// Its digest.
    pub digest: String,
    /// Both stores after it.
    pub after: State,
    /// The entries of a run that nothing disturbs.
    pub entries: Vec<String>,
    /// The entries of a run that a refused row sends back.
    pub entries_refused: Vec<String>,
    /// How long a run takes.
    pub takes: Duration,
}

/// Both stores as they were saved, and where plans lead.
pub struct Scene {
    /// The stores.
    pub stores: Stores,
    /// Both stores before.
    pub before: State,
    /// Where each rollout leads.
    pub paths: BTreeMap<Rollout, Path>,
}

/// The text of a plan file that enacts these documents.
pub fn plan_file(documents: &[&str], rollout: Rollout) -> String {
    let mut text = String::from("enact: v1\nplan: kills\npromotions:\n");
    for document in documents {
        text.push_str(&format!(
            "  {document}:\n    units: {{ address_prefix: D38-{document}- }}\n    to: enacted\n    \
             review: {{ decision: approve, reviewer: council, rationale: \"read twice\", at: \"2026-05-24T00:00:00Z\" }}\n"
        ));
    }
    text.push_str(
        "chunk_policies:\n  short: { splitter: text, max_chars: 1800, text: \"{title}\\n\\n{chunk}\", empty_body: skip }\n\
         vector_sets:\n  iu_core_iu_chunks:\n    units: { lifecycle: enacted }\n    chunk_policy: short\n    vectors:\n      \
         dense: { embedder: default, distance: cosine }\n      text: { sparse: bm25, language: none }\n    \
         payload: [unit_id, canonical_address, title, chunk_index]\n    payload_indexes: { unit_id: uuid }\n",
    );
    text.push_str(&format!("    rollout: {}\n", rollout.word()));
    text
}

/// What happens to the units after they were indexed.
const AMENDED: &str =
    "SELECT public.fn_iu_amend('D38-DIEU28-S' || n, 'S' || n, 'amended ' || n, 'editor') FROM generate_series(2, 3) n";

impl Scene {
    /// Makes the stores, and goes every path once without a disturbance.
    pub fn new(rollouts: &[Rollout]) -> Scene {
        let mut stores = Stores::start();
        let began = Instant::now();
        for (_, sql) in schema::iu_core_sql() {
            stores.sql(sql);
        }
        stores.sql(schema::fixture_sql().1);
        stores.sql("SELECT fn_iu_three_axis_envelope_refresh('fixture')");
        stores.exits(&["init"], 0);
        stores.sql(gate::SQL);
        stores.write("plans/kills.yaml", &plan_file(&["DIEU28"], Rollout::BlueGreen));
        stores.exits(&["apply", "--auto-approve"], 0);
        stores.sql(AMENDED);
        stores.save();
        let before = stores.state();
        let mut scene = Scene { stores, before, paths: BTreeMap::new() };
        for rollout in rollouts {
            let path = scene.path(&plan_file(&["DIEU32"], *rollout), rollout.word());
            scene.paths.insert(*rollout, path);
        }
        println!("scene ready after {:?}, {} rows and points", began.elapsed(), scene.before.size());
        scene
    }

    /// Makes a saved plan from a plan file, and goes its way once; both stores are as before afterwards.
    pub fn path(&mut self, text: &str, name: &str) -> Path {
        let file = format!("{name}.json");
        self.stores.write("plans/kills.yaml", text);
        self.stores.exits(&["plan", "--out", &file], 0);
        let plan = std::fs::read_to_string(self.stores.project().join(&file)).expect("the saved plan");
        let end: serde_json::Value =
            plan.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("a last line");
        let digest = end["end"]["digest"].as_str().expect("a digest").to_owned();
        self.stores.sql("UPDATE gate.switch SET refuse = true");
        self.stores.exits(&["apply", &file, "--auto-approve"], 5);
        let entries_refused = self.entries();
        self.stores.sql("UPDATE gate.switch SET refuse = false");
        same(&self.stores.state(), &self.before, "a refused run");
        self.stores.restore();
        let began = Instant::now();
        self.stores.exits(&["apply", &file, "--auto-approve"], 0);
        let takes = began.elapsed();
        let path = Path { file, digest, after: self.stores.state(), entries: self.entries(), entries_refused, takes };
        self.stores.restore();
        println!("{name} takes {takes:?}: {} | refused: {}", path.entries.join(" "), path.entries_refused.join(" "));
        path
    }

    /// The kinds of the newest run's entries, in order.
    pub fn entries(&self) -> Vec<String> {
        self.stores.values(
            "SELECT CASE jsonb_typeof(entry) WHEN 'string' THEN entry #>> '{}' ELSE (SELECT min(k) FROM jsonb_object_keys(entry) k) END \
             FROM enact.journal WHERE run_id = (SELECT run_id FROM enact.run ORDER BY opened_at DESC, run_id DESC LIMIT 1) ORDER BY seq",
        )
    }

    /// Runs `resume` once and requires that both stores are exactly before or exactly after, and that no run is open.
    pub fn converges(&mut self, rollout: Rollout, told: &str) -> World {
        let resumed = self.stores.enact(&["resume", "--lock-timeout", "30"]);
        self.settled(rollout, &resumed, told)
    }

    /// The same after a `resume` that ran already.
    pub fn settled(&mut self, rollout: Rollout, resumed: &Ended, told: &str) -> World {
        let tell = || format!("{told}\nresume: {}\nentries {:?}", resumed.told(), self.entries());
        assert!(matches!(resumed.code, Some(0 | 5)), "{}", tell());
        let open = self.stores.value("SELECT count(*)::text FROM enact.run WHERE closed_at IS NULL");
        assert_eq!(open, "0", "a run is open\n{}", tell());
        let state = self.stores.state();
        let from_before = state.differences(&self.before);
        if from_before.is_empty() {
            return World::Before;
        }
        let from_after = state.differences(&self.paths[&rollout].after);
        let (before, after) = (from_before.join("\n"), from_after.join("\n"));
        assert!(from_after.is_empty(), "a mixture\n{}\nfrom before:\n{before}\nfrom after:\n{after}", tell());
        World::After
    }
}

/// Which world both stores are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// Nothing of the plan is true.
    Before,
    /// All of it is.
    After,
}

/// Requires that two states are the same.
pub fn same(found: &State, wanted: &State, told: &str) {
    let differences = found.differences(wanted);
    assert!(differences.is_empty(), "{told}:\n{}", differences.join("\n"));
}
