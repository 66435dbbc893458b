//! Hides secrets in the text that excerpts are taken from.
//!
//! It works on text, not on the tree, so that it also works for a file that is not YAML and for a misspelt key. Every byte
//! stays where it was. What is hidden: the value after a key that sounds secret, unless it says where the secret comes
//! from; `password=…`; and the password of a URL.

/// Parts of the names of keys whose values are hidden.
const SECRET_WORDS: &[&str] = &["pas", "pwd", "secret", "token", "key"];

/// Hides secrets; the result has the same length and the same lines.
pub(super) fn hide_secrets(text: &str) -> String {
    text.split_inclusive('\n').map(hide_line).collect()
}

fn hide_line(line: &str) -> String {
    let mut hidden = vec![false; line.len()];
    for (at, _) in line.match_indices(':') {
        let key = word_before(line, at).to_lowercase();
        let rest = line.get(at + 1..).unwrap_or_default();
        if SECRET_WORDS.iter().any(|word| key.contains(word)) {
            hide_value(&mut hidden, at + 1, rest, &[',', '}']);
        }
        if let Some(rest) = rest.strip_prefix("//") {
            let authority = rest.split(['/', '?', '"', '\'', ' ']).next().unwrap_or_default();
            if let Some((user, _)) = authority.rsplit_once('@')
                && let Some((name, password)) = user.split_once(':')
            {
                let start = at + 3 + name.len() + 1;
                hide_value(&mut hidden, start, password, &[]);
            }
        }
    }
    for (at, word) in line.match_indices("password=") {
        let start = at + word.len();
        hide_value(&mut hidden, start, line.get(start..).unwrap_or_default(), &[' ', '&', '"', '\'']);
    }
    let star = |(at, c): (usize, char)| {
        if hidden.get(at).copied().unwrap_or(false) { "*".repeat(c.len_utf8()) } else { c.to_string() }
    };
    line.char_indices().map(star).collect()
}

fn word_before(line: &str, at: usize) -> &str {
    let before = line.get(..at).unwrap_or_default().trim_end_matches(['"', '\'']);
    before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default()
}

fn hide_value(hidden: &mut [bool], start: usize, rest: &str, ends: &[char]) {
    let written = rest.trim_start();
    // A quoted value ends at its own quote, whatever it holds.
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let value = quote.map_or(written, |_| written.get(1..).unwrap_or_default());
    let own_end = quote.map(|quote| [quote]);
    let ends = own_end.as_ref().map_or(ends, |end| end.as_slice());
    if value.starts_with("${") || value.starts_with('{') || value.starts_with('[') {
        return;
    }
    let first = start + (rest.len() - value.len());
    let length = value.split(ends).next().unwrap_or_default().trim_end_matches(['"', '\'', '\n', '\r', ' ']).len();
    hidden.iter_mut().skip(first).take(length).for_each(|byte| *byte = true);
}

#[cfg(test)]
mod tests {
    use super::hide_secrets;

    #[test]
    fn secrets_are_hidden_and_where_they_come_from_is_not() {
        let cases = [
            ("  pasword: hunter2\n", "  pasword: *******\n"),
            ("a: { api_key: \"hé,x\", b: c }\n", "a: { api_key: \"*****\", b: c }\n"),
            ("url: postgresql://u:pw@h/x?a=b", "url: postgresql://u:**@h/x?a=b"),
            ("conninfo: \"host=x password=pw user=y\"", "conninfo: \"host=x password=** user=y\""),
            ("password: \"${PG}\"", "password: \"${PG}\""),
            ("password: { file: x }", "password: { file: x }"),
            ("url: \"http://localhost:6334\"", "url: \"http://localhost:6334\""),
        ];
        for (text, expected) in cases {
            assert_eq!(hide_secrets(text), expected);
            assert_eq!(hide_secrets(text).len(), text.len());
        }
    }
}
