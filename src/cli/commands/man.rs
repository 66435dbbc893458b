//! `enact man`: man pages from the definition that the help texts come from.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::args::{Args, ManArgs};
use crate::cli::{Outcome, Output};

/// Writes one page to stdout, or all of them into a folder.
pub fn run(args: &ManArgs, output: &Output) -> Outcome {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(error) => {
            output.error(&format!("the pages cannot be made: {error}"), None);
            return Outcome::Error;
        }
    };
    let Some(folder) = &args.out else {
        let (_, first) = &pages[0];
        output.result(&String::from_utf8_lossy(first));
        return Outcome::Success;
    };
    match write(folder, &pages) {
        Ok(()) => {
            output.result(&format!("The man pages are in {}.\n", folder.display()));
            Outcome::Success
        }
        Err(error) => {
            output.error(&format!("\"{}\" cannot be written: {error}", folder.display()), None);
            Outcome::Error
        }
    }
}

fn write(folder: &Path, pages: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    pages.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

/// The page of Enact, then one for each command and its commands, by file name.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = Args::command().disable_help_subcommand(true);
    root.build();
    let mut out = Vec::new();
    page(&root, &mut out)?;
    Ok(out)
}

fn page(command: &clap::Command, out: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.extend_from_slice(as_written(&examples).as_bytes());
    if command.get_version().is_some() {
        man.render_version_section(&mut text)?;
    }
    out.push((man.get_filename(), text));
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).try_for_each(|sub| page(sub, out))
}

/// What follows the options in a help text, line by line: a heading begins a section. The renderer would fill the lines.
fn as_written(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let escaped = line.trim_start().replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => out.push_str(&format!(".SH {}\n.nf\n", heading.to_uppercase())),
            None => out.push_str(&format!("\\&{escaped}\n")),
        }
    }
    if !out.is_empty() {
        out.push_str(".fi\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_examples_line_by_line() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.starts_with(&["enact.1"]) && names.contains(&"enact-plan.1"), "{names:?}");
        for (name, text) in &pages {
            let text = String::from_utf8_lossy(text);
            assert!(text.contains(".SH NAME") && text.contains(".SH EXAMPLE"), "{name}\n{text}");
        }
    }

    #[test]
    fn lines_of_examples_are_not_filled_and_mean_nothing_to_roff() {
        assert_eq!(
            as_written("Example:\n  enact a --b \\\n  .c\n"),
            ".SH EXAMPLE\n.nf\n\\&enact a \\-\\-b \\e\n\\&.c\n.fi\n"
        );
    }
}
