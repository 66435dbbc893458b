//! Variables: the process environment first, then the env file.
//!
//! ```text
//! # comment
//! NAME=value            export NAME=value            NAME="va lue"            NAME='va lue'
//! ```
//!
//! A value is never shown, not even by `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::codes;
use crate::model::{Diagnostic, Diagnostics, Place};

/// What `${VAR}` can stand for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    path: Option<String>,
    values: BTreeMap<String, String>,
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvFile").field("path", &self.path).field("names", &self.values.keys()).finish_non_exhaustive()
    }
}

impl EnvFile {
    /// Reads a file's text.
    pub fn parse(path: &str, text: &str, out: &mut Diagnostics) -> EnvFile {
        let file: Arc<str> = path.into();
        let mut values = BTreeMap::new();
        let (mut line, mut start) = (0, 0);
        for written in text.split_inclusive('\n') {
            line += 1;
            let place =
                Place { file: file.clone(), line, column: 1, start, end: start + to_u32(written.trim_end().len()) };
            start += to_u32(written.len());
            let content = written.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            match assignment(content) {
                Some((name, value)) => drop(values.insert(name.to_owned(), value)),
                None => {
                    let detail = format!("line {line} of \"{path}\" is not NAME=value");
                    out.push(Diagnostic::error(codes::ENV_FILE, detail).hint(format!("see {place}")));
                }
            }
        }
        EnvFile { path: Some(path.to_owned()), values }
    }

    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.values.get(name).cloned())
    }

    /// Where a variable can be set, for a hint.
    pub fn where_to_set(&self, name: &str) -> String {
        match &self.path {
            Some(path) => format!("export {name}=… or add it to \"{path}\""),
            None => format!("export {name}=… or name an env_file in enact.yaml"),
        }
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn assignment(content: &str) -> Option<(&str, String)> {
    let content = content.strip_prefix("export ").unwrap_or(content);
    let (name, value) = content.split_once('=')?;
    let name = name.trim();
    if !is_variable_name(name) {
        return None;
    }
    let value = value.trim();
    let inner = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = match (value.chars().next(), inner('"'), inner('\'')) {
        (_, Some(text), _) | (_, _, Some(text)) => text,
        (Some('"' | '\''), None, None) => return None,
        (_, None, None) => value.split(" #").next().unwrap_or(value).trim_end(),
    };
    Some((name, value.to_owned()))
}

/// Whether a text can be the name of a variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_export_are_understood_and_values_are_never_shown() {
        let text = "# c\nexport ENACT_T_A=1 # one\nENACT_T_B=\"x # y\"\nENACT_T_C='z'\n\nENACT_T_D=\n";
        let mut out = Diagnostics::default();
        let env = EnvFile::parse(".env", text, &mut out);
        assert!(out.0.is_empty());
        let values: Vec<_> = ["A", "B", "C", "D", "E"].iter().map(|n| env.value(&format!("ENACT_T_{n}"))).collect();
        assert_eq!(values, [Some("1".into()), Some("x # y".into()), Some("z".into()), Some(String::new()), None]);
        assert!(!format!("{env:?}").contains("x # y"));
    }

    #[test]
    fn a_line_that_is_no_assignment_is_an_error_that_does_not_show_it() {
        let mut out = Diagnostics::default();
        EnvFile::parse(".env", "A=1\nhunter2\nB=\"open\n", &mut out);
        assert_eq!(out.0.len(), 2);
        assert!(!format!("{out:?}").contains("hunter2"));
    }
}
