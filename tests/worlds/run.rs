//! Many worlds; what fails is made smaller and shown.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::acts::{Act, Kind, declared, document, files};
use super::known::{Known, reproduction};
use super::play::{Play, Problem};
use super::stage::Servers;
use super::world::{Declared, LiveSet, Project, Recipe, Rollout, Row, Selection, Set, SetName, Status, Table, World};

/// Worlds of the short form.
const SHORT: u64 = 12;
/// The worlds of the short form.
const SHORT_SEED: u64 = 1_796_083_200;
/// Worlds that are played at once.
const AT_ONCE: usize = 2;
/// For how long a failing world is made smaller.
const SHRINKING: Duration = Duration::from_secs(40);
/// How many kinds of problem are made smaller and shown.
const SHOWN: usize = 8;

/// Kinds of acts, as often as they come.
const KINDS: [(u8, Kind); 35] = [
    (5, Kind::Declare),
    (2, Kind::Undeclare),
    (1, Kind::DeclareAbsent),
    (2, Kind::SetMode),
    (1, Kind::ToggleTable),
    (3, Kind::ToggleSet),
    (3, Kind::Select),
    (3, Kind::ChangeRecipe),
    (1, Kind::ChangeRollout),
    (1, Kind::ToggleIndex),
    (4, Kind::Promote),
    (1, Kind::DropPromotion),
    (1, Kind::ToggleProtect),
    (4, Kind::WriteRow),
    (2, Kind::DeleteRow),
    (3, Kind::WriteBody),
    (2, Kind::WriteTitle),
    (2, Kind::Rename),
    (2, Kind::AddDoc),
    (2, Kind::DeleteDoc),
    (3, Kind::MoveDoc),
    (1, Kind::WriteFrozen),
    (2, Kind::LosePoint),
    (1, Kind::AddPoint),
    (1, Kind::CopyPoint),
    (2, Kind::ForgePoint),
    (2, Kind::ExchangePoints),
    (1, Kind::OverwritePoint),
    (1, Kind::StripPoint),
    (1, Kind::LoseIndex),
    (1, Kind::LoseAlias),
    (1, Kind::LoseCollection),
    (8, Kind::Apply),
    (3, Kind::Revert),
    (11, Kind::Late),
];

/// A start and what happens.
#[derive(Debug, Clone)]
struct Case {
    start: Vec<u8>,
    acts: Vec<Act>,
}

fn strategy() -> impl Strategy<Value = Case> {
    let kinds: Vec<Kind> = KINDS.iter().flat_map(|(times, kind)| vec![*kind; usize::from(*times)]).collect();
    let act = (proptest::sample::select(kinds), any::<[u8; 3]>()).prop_map(|(kind, [a, b, c])| Act { kind, a, b, c });
    (proptest::collection::vec(any::<u8>(), 48), proptest::collection::vec(act, 6..=14))
        .prop_map(|(start, acts)| Case { start, acts })
}

/// The case of a number.
fn case(seed: u64, number: u64) -> Case {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy().new_tree(&mut runner).expect("a world").current()
}

/// A set that is made of two numbers.
fn set(a: u8, b: u8) -> Set {
    let recipe = Recipe {
        wide: a.is_multiple_of(2),
        titled: (a / 2).is_multiple_of(2),
        empty_title: (a / 4).is_multiple_of(2),
        payload_title: (a / 8).is_multiple_of(2),
        payload_status: (a / 16).is_multiple_of(4),
    };
    let even = [None, None, Some(true), Some(false)][usize::from(b % 4)];
    let selection = Selection { even, status: (!(b / 4).is_multiple_of(4)).then_some(Status::Published) };
    let rollout = [Rollout::Auto, Rollout::InPlace, Rollout::BlueGreen][usize::from(b / 16 % 3)];
    Set { selection, recipe, rollout, keyed: (a / 64).is_multiple_of(2), index: (b / 64).is_multiple_of(2) }
}

fn world(start: &[u8]) -> World {
    let mut world = World { grace: start[0].is_multiple_of(2), ..World::default() };
    let seed: [u8; 12] = std::array::from_fn(|place| start[place + 1]);
    for project in Project::ALL {
        world.files.insert(project, files(project, &seed, set));
        world.recorded.insert(project, super::world::Recorded::default());
    }
    for id in 0..3 + start[13] % 4 {
        let at = 14 + usize::from(id) * 3;
        world.live.docs.insert(id, document(id, start[at], start[at + 1], start[at + 2]));
    }
    for place in 0..usize::from(start[40] % 4) {
        let (key, seed) = (start[41 + place] % 6, start[44 + place]);
        let Declared::Present { value, note } = declared(seed) else { continue };
        let table = Table::ALL[usize::from(seed / 64 % 2)];
        world.live.tables.insert((table, key), Row { value, note: note.flatten() });
    }
    world.live.frozen.insert(0, 1);
    let sets = [SetName::Texts, SetName::More, SetName::Wiki];
    world.live.sets.extend(sets.map(|name| (name, LiveSet::default())));
    world
}

/// How a case ended.
struct Ended {
    problem: Option<Problem>,
    story: Vec<String>,
    applies: u32,
    stale: u32,
}

static MADE: AtomicU64 = AtomicU64::new(0);

fn play(servers: &Servers, case: &Case) -> Ended {
    play_world(servers, world(&case.start), &case.acts)
}

fn play_world(servers: &Servers, world: World, acts: &[Act]) -> Ended {
    let name = format!("w{}", MADE.fetch_add(1, Ordering::Relaxed));
    let stage = servers.stage(name, world.grace);
    let mut play = Play::start(&stage, world);
    let done = catch_unwind(AssertUnwindSafe(|| play.all(acts)));
    let problem = done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Problem { kind: "panicked".to_owned(), what: text.unwrap_or_default(), known: None })
    });
    let Play { story, applies, stale, .. } = play;
    Ended { problem: problem.err(), story, applies, stale }
}

/// Plays the world of each known deviation.
pub fn check_known() {
    let servers = Servers::start();
    for known in Known::ALL {
        let (world, acts) = reproduction(known);
        let Ended { problem, story, .. } = play_world(&servers, world, &acts);
        let met = problem.as_ref().and_then(|problem| problem.known);
        let how = "is it mended? Then it leaves tests/worlds/known.rs";
        assert_eq!(met, Some(known), "{known:?}: {how}\n{}\n{problem:#?}", story.join("\n"));
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// Plays many worlds.
pub fn check() {
    let cases = number("ENACT_WORLDS_CASES").unwrap_or(SHORT);
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs());
    // The short form is the same each time; the long one looks for what is new.
    let seed = number("ENACT_WORLDS_SEED").unwrap_or_else(|| if cases == SHORT { SHORT_SEED } else { clock() });
    let servers = Servers::start();
    if let Some(only) = number("ENACT_WORLDS_CASE") {
        let ended = play(&servers, &case(seed, only));
        eprintln!("{}", ended.story.join("\n"));
        if let Some(Problem { kind, what, known }) = ended.problem {
            panic!("world {only} of ENACT_WORLDS_SEED={seed}: {kind} ({known:?})\n{what}");
        }
        return;
    }
    let began = Instant::now();
    let (next, found) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cases {
                        break;
                    }
                    let ended = play(&servers, &case(seed, number));
                    found.lock().expect("the list").push((number, ended));
                }
            });
        }
    });
    let ended = found.into_inner().expect("the list");
    judge(&servers, seed, &ended, began.elapsed());
}

fn judge(servers: &Servers, seed: u64, ended: &[(u64, Ended)], took: Duration) {
    let mut problems: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (number, ended) in ended {
        if let Some(problem) = ended.problem.as_ref().filter(|problem| problem.known.is_none()) {
            problems.entry(&problem.kind).or_default().push(*number);
        }
    }
    let sum = |of: fn(&Ended) -> u32| ended.iter().map(|(_, ended)| of(ended)).sum::<u32>();
    let mut met: BTreeMap<Known, usize> = BTreeMap::new();
    for known in ended.iter().filter_map(|(_, ended)| ended.problem.as_ref()?.known) {
        *met.entry(known).or_default() += 1;
    }
    let (applies, stale) = (sum(|ended| ended.applies), sum(|ended| ended.stale));
    let line = format!(
        "{} worlds in {} s: {applies} applies, {stale} plans stale, {} with a problem; ended as known: {met:?}; ENACT_WORLDS_SEED={seed}",
        ended.len(),
        took.as_secs(),
        problems.values().map(Vec::len).sum::<usize>()
    );
    eprintln!("{line}");
    if !problems.is_empty() {
        let mut story = format!("{line}\n");
        for (kind, numbers) in &problems {
            let mut numbers = numbers.clone();
            numbers.sort_unstable();
            story.push_str(&format!("  {} × {kind}: worlds {numbers:?}\n", numbers.len()));
        }
        eprintln!("{story}");
        for (kind, numbers) in problems.iter().take(SHOWN) {
            let small = shrink(servers, kind, case(seed, numbers[0]));
            let what = small.problem.map_or(String::new(), |problem| problem.what);
            story.push_str(&format!(
                "\n=== {kind}, the smallest of world {}\n{}\n{what}\n",
                numbers[0],
                small.story.join("\n")
            ));
        }
        panic!("{story}");
    }
    let worlds = u32::try_from(ended.len()).expect("a number");
    assert!(applies >= worlds * 2, "too little is applied: {line}");
    assert!(stale * 10 >= worlds, "too few plans are stale: {line}");
}

/// Leaves out acts that are not needed for the same kind of problem.
fn shrink(servers: &Servers, kind: &str, mut case: Case) -> Ended {
    let began = Instant::now();
    let mut best = play(servers, &case);
    let mut place = case.acts.len();
    while place > 0 && began.elapsed() < SHRINKING {
        place -= 1;
        let mut candidate = case.clone();
        candidate.acts.remove(place);
        let ended = play(servers, &candidate);
        if ended.problem.as_ref().is_some_and(|problem| problem.kind == kind) {
            (case, best) = (candidate, ended);
        }
    }
    best
}
