//! The examples of `docs/rows.md`.
//!
//! | in the page | is |
//! | --- | --- |
//! | `<!-- example -->`, `<!-- example as ROLE -->` | the beginning of an example, until the next one or the next heading |
//! | a block `sql` | statements, run as the owner of the database |
//! | a block `text` | what the last of these answered |
//! | a block `yaml` | `plans/rows.yaml`; the lines `enact: v1` and `plan: rows` are put at its end |
//! | a block `csv FILE`, `json FILE` | a data file |
//! | a block `console` | commands and what they answer |
//!
//! Blocks outside of an example are refused, so that there is none that is not played.

use crate::rows_reference::servers::Servers;
use crate::rows_reference::stage::Stage;

/// What stands at the end of each plan file, so that the places in answers are those of the page.
const PLAN_KEYS: &str = "enact: v1\nplan: rows\n";

/// Prose, or an example with the prose that is in it.
pub struct Part<'p> {
    lines: Vec<&'p str>,
    kind: Kind<'p>,
}

enum Kind<'p> {
    Prose,
    Example { role: Option<&'p str> },
}

/// Cuts the page into its parts.
pub fn parts(page: &str) -> Vec<Part<'_>> {
    let mut parts = vec![Part { lines: Vec::new(), kind: Kind::Prose }];
    let mut in_block = false;
    for line in page.lines() {
        let marker = line.strip_prefix("<!-- example").and_then(|rest| rest.strip_suffix(" -->"));
        match marker {
            Some(rest) => {
                let kind = Kind::Example { role: rest.strip_prefix(" as ") };
                parts.push(Part { lines: Vec::new(), kind });
            }
            None if line.starts_with('#') && !in_block => parts.push(Part { lines: Vec::new(), kind: Kind::Prose }),
            None => {}
        }
        in_block ^= line.starts_with("```");
        parts.last_mut().unwrap().lines.push(line);
    }
    parts
}

/// Plays a part, and gives it with the answers as they came.
pub fn play(servers: &Servers, number: usize, part: &Part<'_>) -> String {
    match part.kind {
        Kind::Prose => {
            let block = part.lines.iter().find(|line| line.starts_with("```"));
            assert!(block.is_none(), "a block outside of an example, after {:?}", part.lines.first());
            part.lines.iter().map(|line| format!("{line}\n")).collect()
        }
        Kind::Example { role } => example(Stage::new(servers, &format!("example_{number}")), role, &part.lines),
    }
}

fn example(mut stage: Stage<'_>, role: Option<&str>, lines: &[&str]) -> String {
    let (mut out, mut answer, mut role) = (String::new(), String::new(), role);
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        out.push_str(&format!("{line}\n"));
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().copied().take_while(|line| *line != "```").collect();
        let text: String = block.iter().map(|line| format!("{line}\n")).collect();
        let shown = match info.split_once(' ').unwrap_or((info, "")) {
            ("sql", _) => {
                answer = stage.sql(&text);
                text
            }
            ("text", _) => answer.clone(),
            ("yaml", _) => {
                stage.write("plans/rows.yaml", &format!("{text}{PLAN_KEYS}"));
                text
            }
            ("csv" | "json", file) if !file.is_empty() => {
                stage.write(file, &text);
                text
            }
            ("console", _) => {
                if let Some(role) = role.take() {
                    stage.connect_as(role);
                }
                transcript(&mut stage, &block)
            }
            (other, _) => panic!("a block of {other:?}"),
        };
        out.push_str(&format!("{shown}```\n"));
    }
    out
}

/// Runs the commands of a transcript, and gives it with the answers as they came.
pub fn transcript(stage: &mut Stage<'_>, lines: &[&str]) -> String {
    let commands = lines.iter().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|command| format!("$ {command}\n{}", stage.command(command))).collect()
}
