//! Plays a transcript: a Markdown page whose blocks are files, SQL and commands with what they answer.
//!
//! ````text
//! ```yaml plans/a.yaml      writes a file of the project
//! ```sql                    runs statements on the embedded PostgreSQL
//! ```console                runs commands, and holds their answers
//! $ enact plan > x.txt      stdout may go to a file, stdin come from one; `$RUN` is the last run that was named
//! ? 3                       the exit code, where it is not 0
//! ```
//! ````
//!
//! An answer is stdout, then stderr. What differs from run to run is masked. `ENACT_BLESS=1` writes the answers anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::project::Project;
use crate::transcripts::mask::{is_uuid, masked};

/// Plays `tests/cases/cli/<case>.md` in a folder, with or without stores.
pub fn play(case: &str, folder: &Path, project: Option<&Project>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/cli/{case}.md"));
    let page = std::fs::read_to_string(&path).unwrap();
    let mut stage = Stage { folder, project, run: String::new(), seen: BTreeMap::new() };
    let found = stage.page(&page);
    if std::env::var_os("ENACT_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
        return;
    }
    assert!(found == page, "{case} is not as it was. It is now:\n{found}");
}

struct Stage<'a> {
    folder: &'a Path,
    project: Option<&'a Project>,
    run: String,
    /// Runs in the order in which they were named, so that two are told apart.
    seen: BTreeMap<String, usize>,
}

impl Stage<'_> {
    fn page(&mut self, page: &str) -> String {
        let (mut out, mut lines) = (String::new(), page.lines());
        while let Some(line) = lines.next() {
            out.push_str(&format!("{line}\n"));
            let language = line.trim_start_matches('`');
            // A fence is longer than those that a command writes.
            let fence = &line[..line.len() - language.len()];
            if fence.len() < 3 {
                continue;
            }
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != fence).collect();
            match language.split_once(' ') {
                None if language == "console" => {
                    let commands = block.iter().filter_map(|line| line.strip_prefix("$ "));
                    let commands: Vec<String> = commands.map(str::to_owned).collect();
                    commands.iter().for_each(|command| out.push_str(&self.command(command)));
                }
                None if language == "sql" => {
                    self.project.expect("stores").sql(&block.join("\n"));
                    out.push_str(&(block.join("\n") + "\n"));
                }
                Some((_, file)) => {
                    let text = block.join("\n") + "\n";
                    let path = self.folder.join(file);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, &text).unwrap();
                    out.push_str(&text);
                }
                None => panic!("a block of {language:?}"),
            }
            out.push_str(&format!("{fence}\n"));
        }
        out
    }

    /// Runs a command and gives its lines of the transcript.
    fn command(&mut self, line: &str) -> String {
        let (mut words, mut stdin, mut stdout_to) = (Vec::new(), None, None);
        let mut all = split(&line.replace("$RUN", &self.run)).into_iter();
        while let Some(word) = all.next() {
            match word.as_str() {
                "<" => stdin = all.next(),
                ">" => stdout_to = all.next(),
                _ => words.push(word),
            }
        }
        let program = match words.first().map(String::as_str) {
            Some("enact") => env!("CARGO_BIN_EXE_enact"),
            Some("cat") => "cat",
            other => panic!("{other:?} is no command of a transcript"),
        };
        let mut command = Command::new(program);
        let stdin =
            stdin.map_or_else(Stdio::null, |file| Stdio::from(std::fs::File::open(self.folder.join(file)).unwrap()));
        command.args(&words[1..]).current_dir(self.folder).stdin(stdin);
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "ENACT_ENV"] {
            command.env_remove(variable);
        }
        let output = command.env("COLUMNS", "100").env("USER", "operator").output().unwrap();
        let (mut stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if let Some(file) = stdout_to {
            std::fs::write(self.folder.join(file), &stdout).unwrap();
            stdout.clear();
        }
        let answer = self.masked(&format!("{}{stderr}", closed(&stdout)));
        let code = match output.status.code() {
            Some(0) => String::new(),
            code => format!("? {}\n", code.unwrap_or(-1)),
        };
        format!("$ {line}\n{code}{}", closed(&answer))
    }

    fn masked(&mut self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("  still: ")).collect();
        let text = lines.join("\n").replace(&self.folder.display().to_string(), "[DIR]");
        if let Some(run) = text.split("Run ").skip(1).filter_map(|rest| rest.get(..36)).filter(|id| is_uuid(id)).last()
        {
            run.clone_into(&mut self.run);
        }
        masked(&text, &mut self.seen)
    }
}

/// A text that ends its last line.
fn closed(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Words as a shell splits them, without its expansions.
fn split(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') if !word.is_empty() => out.push(std::mem::take(&mut word)),
            (None, ' ') => {}
            (None, c) => word.push(c),
        }
    }
    out
}
