//! The field guide, played: its commands run one after the other on PostgreSQL 15 and have to answer what it prints.
//!
//! ````text
//! ```console
//! $ enact verify             a command; `$RUN` is the last run that was named
//! ? 9                        its exit code, where that is not 0
//! Verified: …                its answer, stdout and then stderr
//! …                          any lines, or none
//! ```
//! ````
//!
//! What differs from run to run is masked on both sides. `UPDATE_DOCS=1` writes the whole answer where the guide's does not fit,
//! to be cut again by hand.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::field_plans::world::{Backend, World, repository, text_of};
use crate::transcripts::mask::{is_uuid, masked};

const GUIDE: &str = "docs/field-guide.md";
const ANY_LINES: &str = "…";

#[test(postgres)]
fn the_guide_prints_what_enact_answers() {
    let world = World::start(Backend::Postgres15);
    let config = text_of("examples/field/enact.yaml").replace(EMBEDDER, &world.embeddings.url);
    world.write("enact.yaml", &config);
    for plan in ["plans/8000x-promotion.yaml", "plans/9000x-onboarding.yaml"] {
        world.write(plan, &text_of(plan));
    }
    let page = text_of(GUIDE);
    let found = Stage { world: &world, run: String::new(), commands: 0 }.page(&page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(repository(GUIDE), &found).expect("the guide");
        return;
    }
    assert!(found == page, "{GUIDE} is not what Enact answers. With whole answers where it differs:\n{found}");
}

/// The embedder of the example, and where its Qdrant would be.
const EMBEDDER: &str = "http://127.0.0.1:8080/v1";
const QDRANT: &str = "http://127.0.0.1:6334";

struct Stage<'a> {
    world: &'a World,
    run: String,
    commands: usize,
}

impl Stage<'_> {
    fn page(&mut self, page: &str) -> String {
        let (mut out, mut lines) = (String::new(), page.lines());
        while let Some(line) = lines.next() {
            out.push_str(&format!("{line}\n"));
            if line != "```console" {
                continue;
            }
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            for command in block.chunk_by(|_, next| !next.starts_with("$ ")) {
                out.push_str(&self.command(command));
            }
            out.push_str("```\n");
        }
        assert!(self.commands >= 10, "only {} commands are in {GUIDE}", self.commands);
        out
    }

    /// A command with its answer as the guide prints it, or with the whole one where that does not fit.
    fn command(&mut self, lines: &[&str]) -> String {
        let (command, printed) = lines.split_first().expect("a command");
        let words = command.strip_prefix("$ enact ").unwrap_or_else(|| panic!("{command:?} is no command of Enact"));
        assert!(printed.iter().any(|line| *line != ANY_LINES), "nothing is held of {command:?}");
        self.commands += 1;
        let answer = self.answer(&words.replace("$RUN", &self.run));
        let whole: Vec<&str> = answer.lines().collect();
        let kept = if fits(printed, &whole) { printed.join("\n") } else { whole.join("\n") };
        format!("{command}\n{kept}\n")
    }

    fn answer(&mut self, words: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(words.split_whitespace()).current_dir(self.world.path()).stdin(Stdio::null());
        command.env("FIELD_POSTGRES", self.world.conninfo()).env("FIELD_QDRANT", self.world.qdrant_url());
        command.env("COLUMNS", "100").env_remove("ENACT_ENV").env_remove("CLICOLOR_FORCE");
        let output = command.output().expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let text = format!("{stdout}{stderr}").replace(&self.world.embeddings.url, EMBEDDER);
        let text = text.replace(&self.world.qdrant_url(), QDRANT);
        let text = text.replace(&self.world.value("SHOW server_version"), "15");
        let named = text.split("Run ").skip(1).filter_map(|rest| rest.get(..36)).filter(|id| is_uuid(id)).last();
        if let Some(run) = named {
            run.clone_into(&mut self.run);
        }
        let code = output.status.code().filter(|code| *code != 0).map_or(String::new(), |code| format!("? {code}\n"));
        // How long something took is told only where it took long.
        let lines = text.lines().filter(|line| !line.starts_with("  still: ")).collect::<Vec<_>>().join("\n");
        format!("{code}{lines}\n")
    }
}

/// Whether an answer is what is printed.
fn fits(printed: &[&str], answer: &[&str]) -> bool {
    match printed.split_first() {
        None => answer.is_empty(),
        Some((&ANY_LINES, rest)) => (0..=answer.len()).any(|left_out| fits(rest, &answer[left_out..])),
        Some((line, rest)) => {
            let mask = |text: &str| masked(text.trim_end(), &mut BTreeMap::new());
            answer.split_first().is_some_and(|(first, more)| mask(line) == mask(first) && fits(rest, more))
        }
    }
}

#[test]
fn an_answer_fits_where_only_what_is_left_out_or_differs_from_run_to_run_is_other() {
    let run = |id: &str| format!("Run {id}: applied.");
    let (one, other) = (run("01a21517-5012-767d-ad76-74cb06c3110a"), run("01a21516-638b-7095-9d3f-075a7caacee6"));
    assert!(fits(&[&one, ANY_LINES, "c"], &[&other, "a", "b", "c"]));
    assert!(fits(&["a", ANY_LINES], &["a"]));
    assert!(!fits(&["a", "c"], &["a", "b", "c"]));
    assert!(!fits(&["86 units"], &["85 units"]));
    assert!(!fits(&["a"], &["a", "b"]));
}

/// The table names tests, and each of them is there.
#[test]
fn the_tests_that_the_guide_names_are_there() {
    let sources: String = std::fs::read_dir(repository("tests/field_plans"))
        .expect("the tests")
        .map(|entry| std::fs::read_to_string(entry.expect("a file").path()).expect("a source"))
        .collect();
    let guide = text_of(GUIDE);
    let rows = guide.lines().filter(|line| line.starts_with("| L") || line.starts_with("| O"));
    let mut numbers = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        numbers.push(cells[1].to_owned());
        let tests: Vec<&str> = cells[4].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test in {row}");
        for test in tests {
            assert!(test.starts_with(&format!("{}_", cells[1].to_lowercase())), "{test} in {row}");
            assert!(sources.contains(&format!("fn {test}(")), "there is no test {test}");
        }
    }
    let expected: Vec<String> = (1..=7).map(|n| format!("L{n}")).chain((1..=12).map(|n| format!("O{n}"))).collect();
    assert_eq!(numbers, expected);
}
