//! Text on its way into HTML: what escapes it, and the policy that holds if an escape were forgotten.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::report::escape;

/// Spells out what a reader could not see, and keeps the line breaks.
pub fn lines(text: &str) -> String {
    text.split('\n').map(escape::terminal).collect::<Vec<_>>().join("\n")
}

/// Writes a value as JSON that can stand in a `<script>` block: with no `<` in it, neither `</script>` nor `<!--` can be.
pub fn json_block(value: &impl Serialize) -> String {
    let Ok(json) = serde_json::to_string(value) else { panic!("BUG: a page's data does not serialise") };
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// Names a style or a script in a content security policy.
pub fn policy_hash(content: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(content.as_bytes())))
}

/// Base64 with padding, as RFC 4648 section 4 has it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = char::from(DIGITS[((bits >> (18 - 6 * i)) & 63) as usize]);
            out.push(if i <= group.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn nothing_in_a_json_block_ends_it() {
        let block = json_block(&"</script><!-- & \u{2028}");
        assert_eq!(block, r#""\u003c/script\u003e\u003c!-- \u0026 \u2028""#);
        assert_eq!(serde_json::from_str::<String>(&block).unwrap(), "</script><!-- & \u{2028}");
    }
}
