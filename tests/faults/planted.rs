//! Planted bugs: runners that break the protocol, each in one way, and the check of this suite that has to report it.
//!
//! A bug stands in a test's wrapper around the stores (`bugs`), never in the product. Each is tried without a fault, then with
//! the faults named beside it, until a schedule is reported; the same schedules without the bug report nothing. A fault
//! whose call is never reached shows nothing: its round is void and counted.

use std::collections::BTreeSet;
use std::time::Instant;

use super::bugs::Bug;
use super::cases::{Case, GOVERNED, PLAIN};
use super::checks::Check;
use super::explore::single;
use super::schedule::{Call, Kind, Schedule};
use super::world::{Ended, Meddling, Vectors, World};
use super::{keep, runtime};

/// A bug, where it shows, and what reports it.
struct Planted {
    bug: Bug,
    /// What the runner does wrong, as `docs/atomicity.md` has it.
    says: &'static str,
    under: Under,
    reported_by: Check,
}

/// What has to happen for a bug to show.
struct Under {
    /// In words, as `docs/atomicity.md` has it.
    says: &'static str,
    /// What somebody else does meanwhile.
    meddling: Option<Meddling>,
    /// Faults at calls that begin so.
    faults: &'static [(&'static str, Kind)],
}

const fn plant(bug: Bug, says: &'static str, under: Under, reported_by: Check) -> Planted {
    Planted { bug, says, under, reported_by }
}

const fn under(says: &'static str, faults: &'static [(&'static str, Kind)]) -> Under {
    Under { says, meddling: None, faults }
}

const NO_FAULT: Under = under("no fault", &[]);
const COMMIT_UNANSWERED: Under = under("a lost reply of `COMMIT`", &[("commit", Kind::LostReply)]);
const COMMIT_THEN_DEATH: Under = under("a death after `COMMIT`", &[("commit", Kind::DeathAfter)]);
const DECISION_REFUSED: Under = under("a refusal of `decided`", &[("journal: \"decided\"", Kind::Refuse)]);
const DECISION_DEATH: Under = under("a death before `decided`", &[("journal: \"decided\"", Kind::DeathBefore)]);
const WRITE_LATE: Under = under("a late in-place write", &[("ensure_points texts", Kind::Late)]);
const WRITE_QUEUED: Under = under("an in-place write in the server's queue", &[("ensure_points texts", Kind::Queued)]);
const STAGING_DEATH: Under = under("a death while staging", &[("journal: {\"staged\"", Kind::DeathBefore)]);
const EARLY_DEATH: Under = under("a death before staging", &[("journal: {\"staging\"", Kind::DeathBefore)]);
const UNIT_CHANGED: Under = Under {
    says: "a unit that somebody changed",
    meddling: Some(Meddling::Rows("UPDATE documents SET body = 'somebody wrote this' WHERE slug = 'b'")),
    faults: &[],
};
const REFUSED_AT_THE_END: Under = Under {
    says: "a deferred trigger that refuses",
    meddling: Some(Meddling::Rows("INSERT INTO veto VALUES ('not now')")),
    faults: &[],
};
const POINTS_CHANGED: Under = Under {
    says: "a death before in-place writes, and points that somebody changed",
    meddling: Some(Meddling::Points),
    faults: &[("journal: \"transacting\"", Kind::DeathAfter)],
};

const IN_PLACE: [Planted; 20] = [
    plant(Bug::LeaseNotTaken, "the lease is not taken", NO_FAULT, Check::Lease),
    plant(Bug::LeaseNotTakenAgain, "the lease is not taken again on a new connection", COMMIT_UNANSWERED, Check::Lease),
    plant(Bug::IntentNotKept, "the journal entry before in-place writes is not durable", DECISION_DEATH, Check::Stores),
    plant(Bug::ImagesNotKept, "before-images are not kept", DECISION_REFUSED, Check::Stores),
    plant(Bug::ImagesWithoutVectors, "before-images are kept without vectors", DECISION_REFUSED, Check::Stores),
    plant(Bug::StagedPointsKept, "staged points stay when the run is closed", NO_FAULT, Check::Leftovers),
    plant(Bug::BaseNotCompared, "what the plan read is not compared again", UNIT_CHANGED, Check::Others),
    plant(Bug::ConstraintsNotSettled, "deferred constraints are left to the commit", REFUSED_AT_THE_END, Check::Order),
    plant(
        Bug::RecordAfterTheDecision,
        "the record is written in another transaction",
        COMMIT_THEN_DEATH,
        Check::Stores,
    ),
    plant(Bug::DecisionAfterTheCommit, "`decided` is written in another transaction", COMMIT_THEN_DEATH, Check::Stores),
    plant(Bug::CommitBeforeTheDecision, "rows are committed before `decided`", DECISION_DEATH, Check::Stores),
    plant(Bug::DecisionNotLookedUp, "`decided` is not looked for", COMMIT_UNANSWERED, Check::Stores),
    plant(Bug::PointLeftOut, "a point is not written, and is not read back", NO_FAULT, Check::Stores),
    plant(Bug::VectorsLeftOut, "points are written without their vectors", NO_FAULT, Check::Stores),
    plant(Bug::DeletionOfOneMore, "one point too many is deleted", NO_FAULT, Check::Stores),
    plant(Bug::DeadlineNotWaitedFor, "the request deadline is not waited out", WRITE_LATE, Check::Stores),
    plant(Bug::TakenWritesNotWaitedFor, "what the server has taken is not waited for", WRITE_QUEUED, Check::Stores),
    plant(Bug::PutBackUnseen, "points are put back without looking", POINTS_CHANGED, Check::Others),
    plant(Bug::NewPointsNotTakenAway, "going back leaves new points", DECISION_REFUSED, Check::Stores),
    plant(Bug::OldPointsNotBrought, "going back brings no old points", DECISION_REFUSED, Check::Resume),
];

const SWITCHED: [Planted; 6] = [
    plant(Bug::GateNotShut, "the gate of a window stays open", NO_FAULT, Check::Stores),
    plant(Bug::AliasNotSwitched, "an alias is not switched, and is not read back", NO_FAULT, Check::Stores),
    plant(Bug::ServingCollectionSwept, "the collection that serves is swept", NO_FAULT, Check::Stores),
    plant(Bug::StagedCollectionKept, "a run that goes back leaves its collection", DECISION_REFUSED, Check::Stores),
    plant(Bug::EmbeddedAgain, "a resume does not look at what is staged already", STAGING_DEATH, Check::Embedding),
    plant(Bug::UnfinishedRunNotSeen, "a resume does not see the unfinished run", EARLY_DEATH, Check::Books),
];

/// What the schedules of one bug showed.
#[derive(Default)]
struct Shown {
    rounds: usize,
    void: usize,
    reported: Option<Ended>,
}

impl Planted {
    /// Runs its schedules up to the first that is reported.
    async fn run(&self, world: &mut World) -> Shown {
        let Under { meddling, faults, .. } = self.under;
        world.meddling = meddling;
        let mut shown = Shown::default();
        let base = world.run(&Schedule::default()).await;
        let of_process = |call: &&Call| call.process == 1;
        let calls = base.trace.iter().filter(of_process).flat_map(|call| {
            let faults = faults.iter().filter(|(label, _)| call.label.starts_with(label));
            faults.map(move |(_, kind)| (call, *kind))
        });
        let calls: Vec<(Call, Kind)> = calls.map(|(call, kind)| (call.clone(), kind)).collect();
        // What somebody else does to points, they do to a run that is unfinished.
        let is_plain = !matches!(meddling, Some(Meddling::Points));
        shown.rounds += usize::from(is_plain);
        if is_plain && !base.problems.is_empty() {
            shown.reported = Some(base);
            return shown;
        }
        for (call, kind) in calls {
            let ended = single(world, &base, &call, kind).await;
            if !ended.landed {
                shown.void += 1;
                continue;
            }
            shown.rounds += 1;
            if !ended.problems.is_empty() {
                shown.reported = Some(ended);
                return shown;
            }
        }
        shown
    }
}

/// Plants each bug of a table; fails with what the suite did not report, or reports without a bug.
async fn report(name: &str, case: &Case, table: &[Planted]) {
    let began = Instant::now();
    let mut world = World::make(case, Vectors::Memory).await;
    world.learn_after().await;
    let mut wrong = String::new();
    let (mut rounds, mut void) = (0, 0);
    for planted in table {
        let Planted { bug, says, under, reported_by } = planted;
        world.injector.planted.plant(Some(*bug));
        let shown = planted.run(&mut world).await;
        world.injector.planted.plant(None);
        let sound = planted.run(&mut world).await;
        (rounds, void) = (rounds + shown.rounds + sound.rounds, void + shown.void + sound.void);
        match &shown.reported {
            None => wrong += &format!("{says}: not reported in {} rounds\n", shown.rounds),
            Some(ended) => {
                let checks: BTreeSet<Check> = ended.problems.iter().map(|problem| problem.check).collect();
                let names: Vec<String> = checks.iter().map(Check::to_string).collect();
                eprintln!("planted: {says}, under {}: {}", under.says, names.join(", "));
                if !checks.contains(reported_by) {
                    wrong += &format!("{says}: not reported by {reported_by}\n{}", ended.story());
                }
            }
        }
        if let Some(ended) = sound.reported {
            wrong += &format!("without \"{says}\":\n{}", ended.story());
        }
    }
    let bugs = table.len();
    let took = began.elapsed().as_secs_f64();
    keep(name, &format!("{name}: {bugs} planted bugs, {rounds} rounds, {void} void; {took:.1} s"));
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(void, 0, "a fault did not happen");
}

#[test(postgres)]
fn planted_bugs_are_reported_where_points_are_written_in_place() {
    runtime().block_on(report("planted-in-place", &PLAIN, &IN_PLACE));
}

#[test(postgres)]
fn planted_bugs_are_reported_where_an_alias_is_switched() {
    runtime().block_on(report("planted-switched", &GOVERNED, &SWITCHED));
}

#[test]
fn the_table_of_planted_bugs_is_published() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/atomicity.md")).expect("the page");
    let (_, table) = page.split_once("| planted bug | shows under | reported by |\n| --- | --- | --- |\n").expect("it");
    let published: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let row =
        |Planted { says, under, reported_by, .. }: &Planted| format!("| {says} | {} | {reported_by} |", under.says);
    let planted: Vec<String> = IN_PLACE.iter().chain(&SWITCHED).map(row).collect();
    assert_eq!(published, planted, "{}", planted.join("\n"));
}
