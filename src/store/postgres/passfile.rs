//! The password file: `host:port:database:user:password`, `*` for any, a backslash before `:` and `\`.
//!
//! As in libpq, a file that others may read is left alone; unlike libpq, the user learns of it where it matters, in the
//! hint of the authentication error that follows.

use std::path::Path;

use secrecy::SecretString;

/// What a password is wanted for.
pub(super) struct Wanted<'a> {
    /// The host as configured; `localhost` for a Unix socket.
    pub(super) host: &'a str,
    /// The port.
    pub(super) port: u16,
    /// The database.
    pub(super) database: &'a str,
    /// The user.
    pub(super) user: &'a str,
}

/// What a password file gave.
pub(super) enum Found {
    /// A password.
    Password(SecretString),
    /// Nothing that matches, or no file.
    Nothing,
    /// A file that was not read because others may read it.
    TooOpen,
}

/// Looks a password up.
pub(super) fn look_up(path: &Path, wanted: &Wanted<'_>) -> Found {
    match std::fs::metadata(path) {
        Err(_) => return Found::Nothing,
        Ok(metadata) if !metadata.is_file() => return Found::Nothing,
        Ok(metadata) if is_open(&metadata) => return Found::TooOpen,
        Ok(_) => {}
    }
    let Ok(text) = std::fs::read_to_string(path) else {
        return Found::Nothing;
    };
    match text.lines().find_map(|line| matching(line, wanted)) {
        Some(password) => Found::Password(SecretString::from(password)),
        None => Found::Nothing,
    }
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_metadata: &std::fs::Metadata) -> bool {
    false
}

fn matching(line: &str, wanted: &Wanted<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let port = wanted.port.to_string();
    let mut rest = line;
    for expected in [wanted.host, &port, wanted.database, wanted.user] {
        let (field, after) = field(rest)?;
        if field != Field::Any && field != Field::Text(expected.to_owned()) {
            return None;
        }
        rest = after;
    }
    let mut password = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => password.extend(chars.next()),
            ':' => break,
            c => password.push(c),
        }
    }
    Some(password)
}

#[derive(PartialEq, Eq)]
enum Field {
    Any,
    Text(String),
}

fn field(text: &str) -> Option<(Field, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            ':' if &text[..at] == "*" => return Some((Field::Any, &text[at + 1..])),
            ':' => return Some((Field::Text(value), &text[at + 1..])),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const FILE: &str = "# comment\nother:*:*:*:no\ndb\\:x:5432:*:ann:p\\:w\\\\d\n*:*:*:*:last\n";

    fn write(mode: u32) -> tempfile::NamedTempFile {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), FILE).expect("written");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("mode");
        file
    }

    fn ask(file: &tempfile::NamedTempFile, host: &str) -> Option<String> {
        let wanted = Wanted { host, port: 5432, database: "kb", user: "ann" };
        match look_up(file.path(), &wanted) {
            Found::Password(password) => Some(password.expose_secret().to_owned()),
            Found::Nothing => None,
            Found::TooOpen => Some("too open".to_owned()),
        }
    }

    #[test]
    fn the_first_matching_line_wins_and_escapes_are_undone() {
        let file = write(0o600);
        assert_eq!(ask(&file, "db:x").as_deref(), Some("p:w\\d"));
        assert_eq!(ask(&file, "elsewhere").as_deref(), Some("last"));
    }

    #[test]
    fn a_file_that_others_may_read_is_left_alone() {
        assert_eq!(ask(&write(0o644), "db:x").as_deref(), Some("too open"));
    }
}
