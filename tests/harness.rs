//! Runs the integration tests: one executable, and a process of its own for each test.
//!
//! ```text
//! cargo test ─▶ suite ─┬▶ suite --run kills::late::a_request_that_arrives_after_its_sender_died_changes_nothing
//!                      ├▶ suite --run …        as many at once as `at_once` says
//!                      └▶ not run: 61 tests that need a PostgreSQL server (apt-get install postgresql)
//! ```
//!
//! - Tests wait more than they compute, so more of them run at once than there are cores; the long ones begin first.
//! - What a test writes is kept, and shown where it fails. Its environment, working directory and memory are its own.
//! - Its temporary files are in memory where there is room (`scratch`): half the time of a test with a database was the disk's.
//! - A test that needs what is missing here counts as ignored, also to `cargo nextest`, and the last line says what to install.
//!   `ENACT_REQUIRE_POSTGRES=1` and `ENACT_REQUIRE_BROWSER=1` let it fail instead.
//! - `ENACT_SLOWEST=10` prints the ten slowest.
//!
//! Not here: which function is a test (`attribute/lib.rs`).

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

use crate::support::{browser, postgres};

/// A test.
pub struct Case {
    /// The crate, the modules and the function.
    pub path: &'static str,
    pub marks: &'static [Mark],
    pub run: fn(),
}

inventory::collect!(Case);

/// What stands in the parentheses of `#[test(…)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Needs the programs of a PostgreSQL server.
    Postgres,
    /// Needs those of each major version that Enact is shown to work on.
    Releases,
    /// Needs Chromium.
    Browser,
    /// Measures time or memory: nothing else runs meanwhile.
    Alone,
}

/// Something that a machine may not have.
struct Need {
    mark: Mark,
    what: &'static str,
    /// The command that installs it.
    install: &'static str,
    /// The variable that makes its absence an error.
    required: &'static str,
    is_there: fn() -> bool,
}

const NEEDS: [Need; 3] = [
    Need {
        mark: Mark::Postgres,
        what: "a PostgreSQL server",
        install: "apt-get install postgresql",
        required: "ENACT_REQUIRE_POSTGRES",
        is_there: postgres::is_installed,
    },
    Need {
        mark: Mark::Releases,
        what: "PostgreSQL 13 to 18",
        install: ".ci/postgres-versions",
        required: "ENACT_REQUIRE_POSTGRES",
        is_there: postgres::are_installed,
    },
    Need {
        mark: Mark::Browser,
        what: "a browser",
        install: "apt-get install chromium",
        required: "ENACT_REQUIRE_BROWSER",
        is_there: || browser::find().is_some(),
    },
];

/// Modules whose tests take minutes: were they begun last, everything would wait for them.
const LONG: [&str; 4] = ["kills::", "faults::", "field_plans::", "worlds::"];

/// Tests at once for each core.
const PER_CORE: usize = 4;

/// Files here are in memory on Linux.
const MEMORY: &str = "/dev/shm";

/// Ten times what all tests at once were seen to hold.
const ROOM_BYTES: u64 = 4 << 30;

/// Says to this executable which test to run, and no other.
pub const RUN: &str = "--run";

/// The test that this process is for.
static CASE: OnceLock<&'static Case> = OnceLock::new();

impl Case {
    /// The modules and the function.
    fn name(&self) -> &'static str {
        self.path.split_once("::").map_or(self.path, |(_, name)| name)
    }

    /// Whether its module is one of the long ones, as the first key of the order.
    fn begins_first(&self) -> bool {
        LONG.iter().any(|module| self.name().starts_with(module))
    }
}

/// The main function of the suite.
pub fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(RUN) {
        let name = words.next().unwrap_or_default();
        let case = inventory::iter::<Case>().find(|case| case.name() == name);
        let case = CASE.get_or_init(|| case.unwrap_or_else(|| panic!("there is no test \"{name}\"")));
        (case.run)();
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or_else(at_once);
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !is_set(need.required) && !(need.is_there)()).collect();
    let mut cases: Vec<&Case> = inventory::iter::<Case>().collect();
    cases.sort_by_key(|case| (case.marks.contains(&Mark::Alone), !case.begins_first(), case.name()));
    let clock = Clock::default();
    let scratch = Arc::new(scratch());
    let shown = arguments.nocapture;
    let trial = |case: &&'static Case| {
        let (case, clock, scratch) = (*case, clock.clone(), Arc::clone(&scratch));
        let lacks = missing.iter().any(|need| case.marks.contains(&need.mark));
        let run = move || clock.time(case, || run(case, scratch.as_ref().as_ref(), shown));
        Trial::test(case.name(), run).with_ignored_flag(lacks)
    };
    let trials: Vec<Trial> = cases.iter().map(trial).collect();
    let left_out = |trial: &Trial| !arguments.is_filtered_out(trial) && arguments.is_ignored(trial);
    let left_out = trials.iter().zip(&cases).filter(|(trial, _)| left_out(trial)).map(|(_, case)| *case);
    let not_run = not_run(&missing, &left_out.collect::<Vec<_>>());
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print!("{}{not_run}", clock.slowest());
    }
    conclusion.exit_code()
}

/// Whether the test of this process says that it needs this; true in a process that is for no test.
pub fn declares(mark: Mark) -> bool {
    CASE.get().is_none_or(|case| case.marks.contains(&mark))
}

/// Runs an asynchronous test to its end.
pub fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test);
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// How many tests run at once where no argument says it.
fn at_once() -> Option<usize> {
    std::thread::available_parallelism().ok().map(|cores| cores.get() * PER_CORE)
}

/// A directory in memory for the temporary files of all tests, unless `TMPDIR` names one or there is no room. Others than its
/// owner may pass through it, because a PostgreSQL server may be another user.
fn scratch() -> Option<TempDir> {
    let room = rustix::fs::statvfs(MEMORY).ok()?;
    if std::env::var_os("TMPDIR").is_some() || room.f_bavail.saturating_mul(room.f_frsize) < ROOM_BYTES {
        return None;
    }
    tempfile::Builder::new().prefix("enact-").permissions(Permissions::from_mode(0o711)).tempdir_in(MEMORY).ok()
}

/// Runs a test in a process of its own.
fn run(case: &Case, scratch: Option<&TempDir>, shown: bool) -> Result<(), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([RUN, case.name()]).stdin(Stdio::null());
    if let Some(scratch) = scratch {
        command.env("TMPDIR", scratch.path()).env(postgres::SHARED, scratch.path());
    }
    if shown {
        let status = command.status()?;
        return if status.success() { Ok(()) } else { Err(status.to_string().into()) };
    }
    // A file and no pipe: a server that a test leaves behind would keep a pipe open.
    let mut output = tempfile::tempfile()?;
    let status = command.stdout(output.try_clone()?).stderr(output.try_clone()?).status()?;
    if status.success() {
        return Ok(());
    }
    let mut text = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut text)?;
    Err(format!("{status}\n{}", String::from_utf8_lossy(&text)).into())
}

/// How long tests took, and that some run alone.
#[derive(Clone, Default)]
struct Clock {
    times: Arc<Mutex<Vec<(Duration, &'static str)>>>,
    company: Arc<RwLock<()>>,
}

impl Clock {
    fn time<T>(&self, case: &'static Case, run: impl FnOnce() -> T) -> T {
        let alone = case.marks.contains(&Mark::Alone);
        let _without_others = alone.then(|| self.company.write().unwrap_or_else(PoisonError::into_inner));
        let _beside_others = (!alone).then(|| self.company.read().unwrap_or_else(PoisonError::into_inner));
        let began = Instant::now();
        let ended = run();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((began.elapsed(), case.name()));
        ended
    }

    /// The slowest tests, as many as `ENACT_SLOWEST` says.
    fn slowest(&self) -> String {
        let asked = std::env::var("ENACT_SLOWEST").ok().and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_unstable_by(|one, other| other.cmp(one));
        let mut out = String::new();
        for (place, (took, name)) in times.iter().take(asked).enumerate() {
            let title = if place == 0 { "the slowest:\n" } else { "" };
            let _in_memory = writeln!(out, "{title}{:>8.1} s  {name}", took.as_secs_f64());
        }
        out
    }
}

/// One line that counts what was not run, and says what to install; nothing where everything ran.
fn not_run(missing: &[&Need], cases: &[&Case]) -> String {
    let parts: Vec<String> = missing
        .iter()
        .map(|need| (need, cases.iter().filter(|case| case.marks.contains(&need.mark)).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(need, count)| {
            let (tests, verb) = if count == 1 { ("test", "needs") } else { ("tests", "need") };
            format!("{count} {tests} that {verb} {} ({})", need.what, need.install)
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!("not run: {}\n", parts.join(", ")) }
}
