//! Hides secrets in the text that excerpts are taken from.
//!
//! It works on text, not on the tree, so that it also works for a file that is not YAML and for a misspelt key. Every byte
//! stays where it was. What is hidden: the value after a key that sounds secret, unless it says where the secret comes
//! from, to the end of a value of several lines; the value after such a name and `=`; and the password of a URL. In doubt
//! more is hidden than had to be.

/// Parts of the names of keys whose values are hidden.
const SECRET_WORDS: &[&str] = &["pas", "pwd", "secret", "token", "key", "credential", "authorization"];

/// Hides secrets; the result has the same length and the same lines.
pub(super) fn hide_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The indentation of a secret key whose value goes on below it.
    let mut within: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let goes_on = within.is_some_and(|key| indent > key || line.trim().is_empty());
        if goes_on {
            out.push_str(&starred(line, &vec![true; line.len()]));
            continue;
        }
        let mut hidden = vec![false; line.len()];
        within = hide_keys(line, &mut hidden).then_some(indent);
        hide_urls(line, &mut hidden);
        hide_parameters(line, &mut hidden);
        out.push_str(&starred(line, &hidden));
    }
    out
}

/// White space stays, so that lines and columns do.
fn starred(line: &str, hidden: &[bool]) -> String {
    let star = |(at, c): (usize, char)| {
        let is_hidden = hidden.get(at).copied().unwrap_or(false) && !c.is_whitespace();
        if is_hidden { "*".repeat(c.len_utf8()) } else { c.to_string() }
    };
    line.char_indices().map(star).collect()
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Values of secret keys; whether the last of them goes on in the next line.
fn hide_keys(line: &str, hidden: &mut [bool]) -> bool {
    let mut goes_on = false;
    for (at, _) in line.match_indices(':') {
        let (key, is_first) = word_before(line, at);
        let rest = line.get(at + 1..).unwrap_or_default();
        if !sounds_secret(key) || !rest.starts_with([' ', '\t', '\n', '\r', '"', '\'']) && !rest.is_empty() {
            continue;
        }
        let written = rest.trim_start();
        if says_where(written) {
            continue;
        }
        let start = at + 1 + (rest.len() - written.len());
        let (from, length) = value(written.trim_end(), is_first);
        hide(hidden, start + from, length);
        // A value that is not on this line, or that has not ended on it.
        let ends = written.trim_end();
        goes_on |= is_first && (ends.is_empty() || ends.starts_with(['|', '>', '&', '!']) || !is_closed(ends));
    }
    goes_on
}

/// Whether a value is only where the secret comes from.
fn says_where(value: &str) -> bool {
    if let Some(rest) = value.trim_start_matches(['"', '\'']).strip_prefix("${") {
        // A reference that is not closed is a mistake that is shown; what stands behind one is part of the secret.
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        return after.is_empty() || after.starts_with(['"', '\'', ' ', ',', '}', '\r', '\n']);
    }
    let inside = value.strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| ["file:", "command:"].iter().any(|source| inside.starts_with(source)))
}

/// Where a written value begins and how long it is. In doubt it goes to the end of the line.
fn value(written: &str, is_first: bool) -> (usize, usize) {
    match written.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let length = quoted(&written[1..], quote).unwrap_or(written.len() - 1);
            (1, length)
        }
        Some('{' | '[') | None => (0, written.len()),
        // In a mapping of one line the value ends at the comma; in a line of its own a comma is part of it.
        Some(_) if !is_first => (0, written.find([',', '}', ']']).unwrap_or(written.len())),
        Some(_) => (0, written.len()),
    }
}

/// How long a quoted text is: up to its quote, which is escaped by a backslash or by itself.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => drop(letters.next()),
            '\'' if quote == '\'' && letters.peek().is_some_and(|(_, next)| *next == '\'') => drop(letters.next()),
            letter if letter == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_closed(written: &str) -> bool {
    match written.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&written[1..], quote).is_some(),
        Some('{') => written.ends_with('}'),
        Some('[') => written.ends_with(']'),
        Some(_) | None => true,
    }
}

/// Everything between the first colon and the last `@` of a URL, whatever the password is made of.
fn hide_urls(line: &str, hidden: &mut [bool]) {
    for (at, mark) in line.match_indices("://") {
        let start = at + mark.len();
        let rest = line.get(start..).unwrap_or_default();
        let url = rest.split(['"', '\'', ' ', '\t', '\n', '\r']).next().unwrap_or_default();
        if let Some((user, _)) = url.rsplit_once('@')
            && let Some((name, password)) = user.split_once(':')
            && !password.starts_with("${")
        {
            hide(hidden, start + name.len() + 1, password.len());
        }
    }
}

/// `password=…` of a connection string, `api_key=…` of a URL.
fn hide_parameters(line: &str, hidden: &mut [bool]) {
    for (at, _) in line.match_indices('=') {
        let before = line.get(..at).unwrap_or_default().trim_end();
        let (name, _) = word_before(before, before.len());
        let rest = line.get(at + 1..).unwrap_or_default();
        let written = rest.trim_start_matches([' ', '\t']);
        if !sounds_secret(name) || written.starts_with("${") {
            continue;
        }
        let start = at + 1 + (rest.len() - written.len());
        match written.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                hide(hidden, start + 1, quoted(&written[1..], quote).unwrap_or(written.len() - 1));
            }
            _ => hide(hidden, start, written.find([' ', '&', '"', '\'']).unwrap_or(written.len())),
        }
    }
}

fn hide(hidden: &mut [bool], start: usize, length: usize) {
    hidden.iter_mut().skip(start).take(length).for_each(|byte| *byte = true);
}

/// The word before a place, and whether nothing but indentation and dashes of a list stands before it.
fn word_before(line: &str, at: usize) -> (&str, bool) {
    let before = line.get(..at).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
    let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).next().unwrap_or_default();
    let first = before.get(..before.len() - word.len()).unwrap_or_default();
    (word, first.chars().all(|c| matches!(c, ' ' | '\t' | '-' | '"' | '\'')))
}

#[cfg(test)]
mod tests {
    use super::hide_secrets;

    #[test]
    fn secrets_are_hidden_and_where_they_come_from_is_not() {
        let cases = [
            ("  pasword: hunter2\n", "  pasword: *******\n"),
            ("a: { api_key: \"hé,x\", b: c }\n", "a: { api_key: \"*****\", b: c }\n"),
            ("a: { api_key: h, b: c }\n", "a: { api_key: *, b: c }\n"),
            ("url: postgresql://u:pw@h/x?a=b", "url: postgresql://u:**@h/x?a=b"),
            ("url: postgresql://u:p/w@h/x?a=b", "url: postgresql://u:***@h/x?a=b"),
            ("conninfo: \"host=x password=pw user=y\"", "conninfo: \"host=x password=** user=y\""),
            ("conninfo: \"host=x password = pw user=y\"", "conninfo: \"host=x password = ** user=y\""),
            ("conninfo: \"host=x password='p w' user=y\"", "conninfo: \"host=x password='* *' user=y\""),
            ("base_url: \"http://h/v1?api_key=pw&x=y\"", "base_url: \"http://h/v1?api_key=**&x=y\""),
            ("password: \"${PG}\"", "password: \"${PG}\""),
            ("password: \"${PG}pw\"", "password: \"*******\""),
            ("password: \"${PG\"", "password: \"${PG\""),
            ("password: { file: x }", "password: { file: x }"),
            ("a: { password: { value: pw } }", "a: { password: * ****** ** * *"),
            ("a: { password: [pw], b: c }", "a: { password: ***** ** * *"),
            ("  password: a,pw\n  b: c\n", "  password: ****\n  b: c\n"),
            ("  password: 'a''pw'\n", "  password: '*****'\n"),
            ("a: { password: \"a\\\"pw\" }", "a: { password: \"*****\" }"),
            ("  password: |\n    pw\n\n    pw\n  b: c\n", "  password: *\n    **\n\n    **\n  b: c\n"),
            ("  password:\n    pw\n  b: c\n", "  password:\n    **\n  b: c\n"),
            ("  password: \"a\n    pw\"\n  b: c\n", "  password: \"*\n    ***\n  b: c\n"),
            ("url: \"http://localhost:6334\"", "url: \"http://localhost:6334\""),
        ];
        for (text, expected) in cases {
            assert_eq!(hide_secrets(text), expected);
            assert_eq!(hide_secrets(text).len(), text.len());
        }
    }
}
