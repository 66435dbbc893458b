//! `docs/rows.md` and the cases of rows, played on a real PostgreSQL.
//!
//! ```text
//! docs/rows.md        ─▶ page  ─┐                       ┌▶ the binary, in a folder with plan files
//! tests/cases/rows/*  ─▶ cases ─┴▶ stage (one database) ┤
//!                                                       └▶ SQL, as the database's owner
//! ```
//!
//! One PostgreSQL and one vector server for each test; each example and each case has a database of its own, so several are
//! played at a time. What is printed is compared whole (`view` says what is not shown). `ENACT_BLESS=1` writes it anew.

mod cases;
mod page;
mod servers;
mod stage;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use self::servers::Servers;

/// How many examples or cases are played at a time: most of their time is waiting for servers.
const AT_A_TIME: usize = 4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is played, and the file that says how it should come out.
struct Script {
    name: String,
    file: PathBuf,
    expected: String,
}

/// Plays all of them, each by itself, and gives what came of each in their order.
fn play_all<T: Sync>(items: &[T], play: impl Fn(&Servers, usize, &T) -> String + Sync) -> Vec<String> {
    let servers = Servers::start();
    let (next, played) = (Mutex::new(0), Mutex::new(vec![String::new(); items.len()]));
    let take = || {
        let mut next = next.lock().unwrap();
        *next += 1;
        *next - 1
    };
    let work = || {
        loop {
            let number = take();
            let Some(item) = items.get(number) else { return };
            let found = play(&servers, number, item);
            played.lock().unwrap()[number] = found;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    played.into_inner().unwrap()
}

/// Holds what came of the scripts against their files, or writes it there.
#[track_caller]
fn hold(scripts: &[Script], found: &[String]) {
    let mut broken = Vec::new();
    for (script, found) in scripts.iter().zip(found) {
        if std::env::var_os("ENACT_BLESS").is_some() {
            std::fs::write(&script.file, found).unwrap();
        } else if *found != script.expected {
            broken.push(format!("{} is not as it was. It is now:\n{found}", script.name));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test(postgres)]
fn every_example_of_the_reference_of_rows_is_true() {
    let file = root().join("docs/rows.md");
    let expected = std::fs::read_to_string(&file).unwrap();
    let parts = page::parts(&expected);
    let found = play_all(&parts, page::play).concat();
    hold(&[Script { name: "docs/rows.md".to_owned(), file, expected }], &[found]);
}

#[test(postgres)]
fn every_case_of_rows_comes_out_as_it_says() {
    let cases = cases::all(&root().join("tests/cases/rows"));
    assert!(cases.len() > 20, "only {} cases were found", cases.len());
    let found = play_all(&cases, cases::play);
    let scripts: Vec<Script> = cases.into_iter().map(cases::Case::into_script).collect();
    hold(&scripts, &found);
}

#[test(postgres)]
fn twenty_thousand_rows_of_a_tree_come_in_any_order() {
    cases::twenty_thousand(&Servers::start());
}

#[test(postgres)]
fn a_check_that_answers_at_random_is_an_error_or_a_plan() {
    cases::a_check_at_random(&Servers::start());
}
