//! What an API key says of itself.
//!
//! Qdrant takes plain keys, which say nothing, and JSON Web Tokens signed with one, whose claim `access` is `r` (read),
//! `m` (manage) or a list of collections. The claim is read here and not verified: the server does that. Whether a plain
//! key is the server's read-only one cannot be known without a write, so it is not guessed.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::QdrantOptions;
use crate::store::KeyFacts;

pub(super) fn facts(options: &QdrantOptions) -> KeyFacts {
    match &options.api_key {
        None => KeyFacts::None,
        Some(key) => claims(key.expose_secret().trim()).map_or(KeyFacts::Opaque, |claims| access(&claims)),
    }
}

fn access(claims: &Value) -> KeyFacts {
    match claims.get("access") {
        // A token without the claim manages (Qdrant's documentation of its token access).
        None => KeyFacts::Manage,
        Some(Value::String(access)) if access == "r" => KeyFacts::ReadOnly,
        Some(Value::String(access)) if access == "m" => KeyFacts::Manage,
        Some(Value::Array(list)) => {
            let one = |entry: &Value| {
                let name = entry.get("collection")?.as_str()?.to_owned();
                Some((name, entry.get("access").and_then(Value::as_str) == Some("rw")))
            };
            KeyFacts::Collections(list.iter().filter_map(one).collect::<BTreeMap<_, _>>())
        }
        Some(_) => KeyFacts::Opaque,
    }
}

fn claims(key: &str) -> Option<Value> {
    let mut parts = key.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&base64url(claims)?).ok().filter(Value::is_object)
}

/// Decodes base64 with the URL's alphabet and without padding (RFC 7515 section 2).
fn base64url(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut out) = (0u32, 0u32, Vec::new());
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn of(key: &str) -> KeyFacts {
        let url = SecretString::from("http://h");
        facts(&QdrantOptions { url, api_key: Some(SecretString::from(key)), timeout_ms: 1, retry_ms: 0, ca: None })
    }

    #[test]
    fn a_token_says_what_it_may_and_a_plain_key_says_nothing() {
        assert_eq!(of("a-plain-key"), KeyFacts::Opaque);
        assert_eq!(of("not.a.token"), KeyFacts::Opaque);
        // {"access":"r"}, {"access":"m"} and {"access":[{"collection":"c","access":"r"}]}
        assert_eq!(of("e30.eyJhY2Nlc3MiOiJyIn0.x"), KeyFacts::ReadOnly);
        assert_eq!(of("e30.eyJhY2Nlc3MiOiJtIn0.x"), KeyFacts::Manage);
        let some = of("e30.eyJhY2Nlc3MiOlt7ImNvbGxlY3Rpb24iOiJjIiwiYWNjZXNzIjoiciJ9XX0.x");
        assert_eq!(some, KeyFacts::Collections(BTreeMap::from([("c".to_owned(), false)])));
    }
}
