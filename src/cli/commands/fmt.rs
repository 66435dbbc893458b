//! `enact fmt`: lays plan files out, or says which are not.

use std::io::Read;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::cli::args::{FmtArgs, GlobalArgs};
use crate::cli::{Outcome, Output, file};
use crate::model::Diagnostics;
use crate::spec::{Sources, format_plan, read_plan_texts};

/// Formats the plan files that are named, or those of the project.
pub fn run(global: &GlobalArgs, args: &FmtArgs, output: &Output) -> Outcome {
    if args.paths.as_slice() == [Path::new("-")] {
        return standard_input(args, output);
    }
    let paths = if args.paths.is_empty() { global.plan_paths() } else { args.paths.clone() };
    files(&paths, args, output)
}

fn files(paths: &[PathBuf], args: &FmtArgs, output: &Output) -> Outcome {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let mut changed = 0;
    for (name, text) in read_plan_texts(paths, &mut sources, &mut found) {
        match format_plan(&name, &text) {
            Ok(done) if done == text => {}
            Ok(done) => {
                changed += 1;
                output.result(&format!("{name}\n"));
                show(&name, &text, &done, args, output);
                if !args.check
                    && let Err(error) = file::rewrite(Path::new(&name), &done)
                {
                    output.error(&format!("\"{name}\" cannot be written: {error}"), None);
                    return Outcome::Error;
                }
            }
            Err(mistakes) => found.extend(mistakes),
        }
    }
    output.diagnostics(&found, &sources);
    match (found.has_errors(), args.check && changed > 0) {
        (true, _) => Outcome::InvalidInput,
        (false, true) => {
            output.error(&format!("{} not laid out as enact fmt does", words(changed)), Some("enact fmt"));
            Outcome::Error
        }
        (false, false) => Outcome::Success,
    }
}

fn words(files: usize) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}

fn standard_input(args: &FmtArgs, output: &Output) -> Outcome {
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        output.error(&format!("standard input cannot be read: {error}"), None);
        return Outcome::InvalidInput;
    }
    match format_plan("<stdin>", &text) {
        Ok(done) => {
            show("<stdin>", &text, &done, args, output);
            if !(args.check || args.diff) {
                output.result(&done);
            }
            if args.check && done != text { Outcome::Error } else { Outcome::Success }
        }
        Err(found) => {
            let mut sources = Sources::default();
            sources.insert("<stdin>", text);
            output.diagnostics(&found, &sources);
            Outcome::InvalidInput
        }
    }
}

fn show(name: &str, before: &str, after: &str, args: &FmtArgs, output: &Output) {
    if args.diff && before != after {
        let diff = TextDiff::from_lines(before, after);
        output.result(&diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string());
    }
}
