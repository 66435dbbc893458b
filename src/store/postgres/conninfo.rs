//! The text of a connection string: `key=value` words with libpq's quoting, or a `postgresql://` URL.
//!
//! The result is a map from libpq's own key to its text. A key that nobody knows, or that libpq knows and Enact cannot
//! honour, is an error by name: a setting that is dropped in silence is how a connection ends up without TLS.
//!
//! Not here: what the environment, a service file or a default adds (`settings`).

use std::collections::BTreeMap;

/// Settings by libpq's key.
pub(super) type Settings = BTreeMap<&'static str, String>;

/// Keys that Enact honours.
pub(super) const KEYS: &[&str] = &[
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "servicefile",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Keys that libpq honours and Enact does not.
const UNSUPPORTED: &[&str] = &[
    "gssdelegation",
    "gsslib",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "replication",
    "require_auth",
    "requirepeer",
    "scram_client_key",
    "scram_server_key",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
    "sslsni",
];

/// What mends most connection strings that a password has broken.
const ENCODE: &str = "in a key=value string a value with spaces goes in single quotes, in a URL write %2F for /, %3F for ? \
    and %40 for @ of a password";

/// What is wrong with a connection string or with what it refers to.
///
/// A password that is not quoted or not percent-encoded ends up in other keys and values: none of these is printed, but for a
/// key that is nearly a known one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConninfoError {
    /// No such key, and one that is near.
    #[error("connection string: unknown key \"{key}\"")]
    UnknownKey {
        /// As written.
        key: String,
        /// The nearest known key.
        nearest: &'static str,
    },
    /// Nothing like a key.
    #[error("connection string: there is something that is no key")]
    NoKey,
    /// libpq has the key, Enact has not.
    #[error("connection string: Enact does not support the key \"{key}\"")]
    Unsupported {
        /// As written.
        key: String,
    },
    /// A word without a value.
    #[error("connection string: \"=\" is missing after a word")]
    MissingEquals,
    /// A quote that never closes.
    #[error("connection string: the quote of \"{key}\" is not closed")]
    OpenQuote {
        /// The key whose value it is.
        key: &'static str,
    },
    /// A value that its key does not take.
    #[error("connection string: the value of \"{key}\" is none that it takes")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// A URL that is none.
    #[error("connection URL: {0}")]
    BadUrl(&'static str),
    /// Lists that do not pair up.
    #[error("connection string: {hosts} hosts and {others} values of \"{key}\" do not pair up")]
    Pairing {
        /// Number of hosts.
        hosts: usize,
        /// Number of the others.
        others: usize,
        /// The other key.
        key: &'static str,
    },
    /// A service that no file defines.
    #[error("service \"{service}\" is not defined in {}", files.join(" or "))]
    NoService {
        /// The service.
        service: String,
        /// Files that were looked at.
        files: Vec<String>,
    },
    /// A line of a service file that is no setting.
    #[error("{file}:{line}: not a setting")]
    ServiceLine {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A file that cannot be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A certificate or a key that cannot be used.
    #[error("{file}: {reason}")]
    Certificate {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// verify-ca or verify-full without authorities.
    #[error("sslmode \"{mode}\" needs root certificates, and \"{file}\" does not exist")]
    NoRoots {
        /// The mode.
        mode: &'static str,
        /// The default file.
        file: String,
    },
    /// Nobody says as whom to connect.
    #[error("no database user is named")]
    NoUser,
}

impl ConninfoError {
    /// What to type or change.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            ConninfoError::UnknownKey { nearest, .. } => Some(format!("did you mean \"{nearest}\"?")),
            ConninfoError::NoKey => Some(ENCODE.to_owned()),
            ConninfoError::Unsupported { key } => Some(format!("remove \"{key}\"")),
            ConninfoError::MissingEquals => Some(format!("write key=value; {ENCODE}")),
            ConninfoError::OpenQuote { .. } => {
                Some("inside quotes, write \\' for a quote and \\\\ for a backslash".to_owned())
            }
            ConninfoError::BadValue { expected, .. } => Some(format!("use {expected}; {ENCODE}")),
            ConninfoError::BadUrl(_) => {
                Some(format!("write postgresql://user@host:5432/database?sslmode=verify-full; {ENCODE}"))
            }
            ConninfoError::Pairing { .. } => Some("give one value for all hosts, or one for each".to_owned()),
            ConninfoError::NoService { .. } => Some("define it there, or set PGSERVICEFILE".to_owned()),
            ConninfoError::NoRoots { .. } => {
                Some("set sslrootcert to the authority's PEM file, or to \"system\"".to_owned())
            }
            ConninfoError::NoUser => Some("add user=… or set PGUSER".to_owned()),
            ConninfoError::ServiceLine { .. }
            | ConninfoError::Unreadable { .. }
            | ConninfoError::Certificate { .. } => None,
        }
    }
}

/// Parses either form.
pub(super) fn parse(text: &str) -> Result<Settings, ConninfoError> {
    let text = text.trim();
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => super::url::parse(rest),
        None => parse_words(text),
    }
}

/// The static spelling of a key.
pub(super) fn known(key: &str) -> Result<&'static str, ConninfoError> {
    if let Some(found) = KEYS.iter().find(|known| **known == key) {
        return Ok(found);
    }
    if UNSUPPORTED.contains(&key) {
        return Err(ConninfoError::Unsupported { key: key.to_owned() });
    }
    Err(match nearest(key) {
        Some(nearest) => ConninfoError::UnknownKey { key: key.to_owned(), nearest },
        None => ConninfoError::NoKey,
    })
}

fn parse_words(text: &str) -> Result<Settings, ConninfoError> {
    let mut settings = Settings::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=') else {
            return Err(ConninfoError::MissingEquals);
        };
        let name = known(key)?;
        let (value, after) = word_value(name, value.trim_start())?;
        settings.insert(name, value);
        rest = after.trim_start();
    }
    Ok(settings)
}

/// Reads one value, quoted or not; in both, a backslash takes the next character as it is.
fn word_value<'a>(key: &'static str, text: &'a str) -> Result<(String, &'a str), ConninfoError> {
    let (quoted, body) = match text.strip_prefix('\'') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &body[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(ConninfoError::OpenQuote { key });
    }
    Ok((value, ""))
}

fn nearest(key: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|known| (strsim::damerau_levenshtein(key, known), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&'static str, String)> {
        parse(text).expect("it parses").into_iter().collect()
    }

    fn owned(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
    }

    #[test]
    fn words_follow_libpq_quoting() {
        assert_eq!(
            pairs(r"host = db.example user='o\'brien \\ co' password=a\ b dbname=''"),
            owned(&[("dbname", ""), ("host", "db.example"), ("password", "a b"), ("user", r"o'brien \ co"),])
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_one() {
        let error = parse("hots=x").expect_err("unknown");
        assert_eq!(error.to_string(), "connection string: unknown key \"hots\"");
        assert_eq!(error.hint().as_deref(), Some("did you mean \"host\"?"));
        assert!(matches!(parse("requirepeer=postgres"), Err(ConninfoError::Unsupported { .. })));
    }

    #[test]
    fn broken_words_are_errors() {
        assert!(matches!(parse("host"), Err(ConninfoError::MissingEquals)));
        assert!(matches!(parse("host='x"), Err(ConninfoError::OpenQuote { .. })));
        let error = parse("password='s3cret").expect_err("open quote");
        assert!(!error.to_string().contains("s3cret"));
    }
}
