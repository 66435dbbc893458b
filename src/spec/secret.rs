//! Where a secret comes from, and how to get it.
//!
//! ```yaml
//! password: "${PG_PASSWORD}"                      # the environment, then the env file
//! password: { file: /run/secrets/pg }             # without the final newline
//! password: { command: [pass, show, pg] }         # its output; no shell
//! ```
//!
//! `$${` stands for `${`. No message ever holds a value, an output or an error text of a command.

use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::SecretString;

use super::codes;
use super::env_file::{EnvFile, is_variable_name};
use super::tree::{Kind, Node};
use super::walk::{Fields, text, texts, wrong_type};
use crate::model::{Diagnostic, Diagnostics, Place, SecretSource};

/// Keys of a secret that is not a text.
pub(super) const SECRET_KEYS: &[&str] = &["file", "command"];

/// Whether a text written in place gives a secret away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// Always, such as a password.
    IsSecret,
    /// When it carries a password, such as a connection string.
    MayHoldPassword,
}

/// Reads a secret's source.
pub(super) fn secret_source(
    node: &Node,
    what: &str,
    literal: Literal,
    dir: &Path,
    out: &mut Diagnostics,
) -> Option<SecretSource> {
    match &node.kind {
        Kind::Plain(_) | Kind::Text(_) => {
            let written = text(node, what, out)?;
            if written.value.contains("${") {
                if let Err(diagnostic) = pieces(&written.value, &written.place) {
                    out.push(diagnostic);
                    return None;
                }
                return Some(SecretSource::Variables { template: written.value, place: written.place });
            }
            if literal == Literal::IsSecret || holds_password(&written.value) {
                let detail = format!("\"{what}\" is written in the file itself");
                let hint = "write \"${SOME_VARIABLE}\", { file: … } or { command: [ … ] } instead";
                out.push(Diagnostic::warning(codes::LITERAL_SECRET, detail).at(&node.place).hint(hint));
            }
            Some(SecretSource::Literal(written.value))
        }
        Kind::Map(_) => from_mapping(node, what, dir, out),
        Kind::Null | Kind::Json(_) | Kind::List(_) => {
            wrong_type(node, &format!("\"{what}\""), "a text, { file: … } or { command: [ … ] }", out)
        }
    }
}

fn from_mapping(node: &Node, what: &str, dir: &Path, out: &mut Diagnostics) -> Option<SecretSource> {
    let fields = Fields::open(node, &format!("\"{what}\""), &node.place, SECRET_KEYS, out)?;
    let place = node.place.clone();
    match (fields.get("file"), fields.get("command")) {
        (Some(file), None) => Some(SecretSource::File { path: dir.join(text(file, "file", out)?.value), place }),
        (None, Some(command)) => {
            let arguments: Vec<String> = texts(command, "command", out)?.into_iter().map(|spot| spot.value).collect();
            if arguments.is_empty() {
                let detail = "\"command\" names no program";
                out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&command.place).hint("name a program"));
                return None;
            }
            Some(SecretSource::Command { arguments, place })
        }
        (Some(_), Some(_)) | (None, None) => {
            let detail = format!("\"{what}\" needs either \"file\" or \"command\"");
            out.push(Diagnostic::error(codes::CONFLICT, detail).at(&place).hint("keep one of the two"));
            None
        }
    }
}

fn holds_password(text: &str) -> bool {
    let in_url = text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    in_url || text.contains("password=")
}

/// Gets a secret.
///
/// # Errors
/// When the variable, the file or the command does not give one.
pub fn resolve(source: &SecretSource, env: &EnvFile) -> Result<SecretString, Diagnostic> {
    match source {
        SecretSource::Literal(text) => Ok(SecretString::from(text.clone())),
        SecretSource::Variables { template, place } => expand(template, place, env).map(SecretString::from),
        SecretSource::File { path, place } => from_file(path, place),
        SecretSource::Command { arguments, place } => from_command(arguments, place),
    }
}

/// Replaces `${VAR}` in a text.
pub(super) fn expand(template: &str, place: &Place, env: &EnvFile) -> Result<String, Diagnostic> {
    let mut text = String::new();
    for piece in pieces(template, place)? {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Variable(name) => text.push_str(&variable(name, place, env)?),
        }
    }
    Ok(text)
}

fn variable(name: &str, place: &Place, env: &EnvFile) -> Result<String, Diagnostic> {
    let state = match env.value(name) {
        Some(value) if !value.is_empty() => return Ok(value),
        Some(_) => "empty",
        None => "not set",
    };
    let detail = format!("the variable \"{name}\" is {state}");
    Err(Diagnostic::error(codes::MISSING_VARIABLE, detail).at(place).hint(env.where_to_set(name)))
}

enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

fn pieces<'t>(template: &'t str, place: &Place) -> Result<Vec<Piece<'t>>, Diagnostic> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find("${") {
        let (before, opened) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Text("${")]);
            rest = opened.get(2..).unwrap_or_default();
            continue;
        }
        pieces.push(Piece::Text(before));
        let inner = opened.get(2..).unwrap_or_default();
        match inner.split_once('}') {
            Some((name, after)) if is_variable_name(name) => {
                pieces.push(Piece::Variable(name));
                rest = after;
            }
            _ => {
                let detail = "a ${ is not followed by a variable's name and }";
                let hint = "write ${NAME}, or $${ for the two characters themselves";
                return Err(Diagnostic::error(codes::TEMPLATE, detail).at(place).hint(hint));
            }
        }
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn from_file(path: &Path, place: &Place) -> Result<SecretString, Diagnostic> {
    let name = path.display();
    let refuse = |reason: String| {
        let diagnostic = Diagnostic::error(codes::SECRET_FILE, format!("\"{name}\" {reason}"));
        Err(diagnostic.at(place).hint("write the secret into that file, or name another one"))
    };
    match std::fs::read_to_string(path) {
        Ok(text) if trim_newline(&text).is_empty() => refuse("is empty".to_owned()),
        Ok(text) => Ok(SecretString::from(trim_newline(&text).to_owned())),
        Err(error) => refuse(format!("cannot be read: {error}")),
    }
}

fn from_command(arguments: &[String], place: &Place) -> Result<SecretString, Diagnostic> {
    let [program, rest @ ..] = arguments else {
        panic!("BUG: a secret's command has no program");
    };
    let refuse = |reason: String, hint: &str| {
        let diagnostic = Diagnostic::error(codes::SECRET_COMMAND, format!("\"{program}\" {reason}"));
        Err(diagnostic.at(place).hint(hint))
    };
    let output = Command::new(program).args(rest).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            return refuse(format!("cannot be started: {error}"), "check that it is installed and on the PATH");
        }
    };
    if !output.status.success() {
        return refuse(format!("failed: {}", output.status), "run it by hand to see why");
    }
    match String::from_utf8(output.stdout) {
        Ok(text) if !trim_newline(&text).is_empty() => Ok(SecretString::from(trim_newline(&text).to_owned())),
        Ok(_) => refuse("printed nothing".to_owned(), "run it by hand to see why"),
        Err(_) => refuse("printed something that is not UTF-8".to_owned(), "make it print the secret as text"),
    }
}

fn trim_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn place() -> Place {
        Place { file: "enact.yaml".into(), line: 1, column: 1, start: 0, end: 1 }
    }

    fn env() -> EnvFile {
        EnvFile::parse(".env", "ENACT_T_SECRET=s3\nENACT_T_EMPTY=\n", &mut Diagnostics::default())
    }

    fn variables(template: &str) -> Result<String, String> {
        let source = SecretSource::Variables { template: template.into(), place: place() };
        resolve(&source, &env()).map(|s| s.expose_secret().to_owned()).map_err(|d| d.detail)
    }

    #[test]
    fn variables_are_replaced_and_a_doubled_dollar_is_not() {
        assert_eq!(variables("a${ENACT_T_SECRET}b$${X}$"), Ok("as3b${X}$".into()));
        assert_eq!(variables("${ENACT_T_NONE}"), Err("the variable \"ENACT_T_NONE\" is not set".into()));
        assert_eq!(variables("${ENACT_T_EMPTY}"), Err("the variable \"ENACT_T_EMPTY\" is empty".into()));
        assert!(variables("${open").is_err() && variables("${}").is_err() && variables("${a b}").is_err());
    }

    #[test]
    fn files_and_commands_lose_one_newline_and_fail_without_showing_anything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "p\n\n").unwrap();
        let file = resolve(&SecretSource::File { path, place: place() }, &env()).unwrap();
        assert_eq!(file.expose_secret(), "p\n");
        let run = |words: &[&str]| {
            let arguments = words.iter().map(|w| (*w).to_owned()).collect();
            resolve(&SecretSource::Command { arguments, place: place() }, &env())
        };
        assert_eq!(run(&["printf", "x\n"]).unwrap().expose_secret(), "x");
        let failed = run(&["sh", "-c", "echo s3cret; echo s3cret >&2; exit 3"]).unwrap_err();
        assert_eq!(failed.code, codes::SECRET_COMMAND);
        assert!(!format!("{failed:?}").contains("s3cret"));
    }
}
