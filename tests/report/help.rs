//! Help texts: every command shows examples, and each of them is a command line that is understood.

use clap::{Command, CommandFactory, Parser};
use enact::cli::args::Args;

/// The commands that do something themselves, with their examples.
fn commands(command: &Command, out: &mut Vec<(String, Vec<String>)>) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = help.lines().filter_map(|line| line.strip_prefix("  enact ")).map(|line| format!("enact {line}"));
    out.push((command.get_bin_name().unwrap_or("enact").to_owned(), examples.collect()));
    command.get_subcommands().filter(|sub| sub.get_name() != "help").for_each(|sub| commands(sub, out));
}

/// The words of the first command of a line, as a shell reads them.
fn words(line: &str) -> Vec<String> {
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
    let end = out.iter().position(|word| ["|", ">", "<", "&&"].contains(&word.as_str())).unwrap_or(out.len());
    out.truncate(end);
    out
}

#[test]
fn every_command_has_an_example_and_each_example_is_understood() {
    let mut root = Args::command();
    root.build();
    let mut all = Vec::new();
    commands(&root, &mut all);
    assert!(all.len() > 15, "{all:?}");
    for (name, examples) in all {
        assert!(!examples.is_empty(), "\"{name}\" has no example");
        for example in examples {
            // The explanation of an example stands behind it, two spaces away.
            let line = example.split("  ").next().unwrap_or_default();
            let parsed = Args::try_parse_from(words(line));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            assert!(line.starts_with(&name), "\"{name}\" shows {example}");
        }
    }
}
