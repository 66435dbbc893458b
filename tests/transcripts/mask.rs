//! What differs from run to run is shown by its kind.

use std::collections::BTreeMap;

/// Masks ids, digests, times, durations and who ran it. Uuids keep their number, so that two are told apart.
pub fn masked(text: &str, seen: &mut BTreeMap<String, usize>) -> String {
    text.lines().map(|line| words(&runner(&durations(line)), seen) + "\n").collect()
}

fn words(line: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let (mut out, mut word) = (String::new(), String::new());
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+') {
            word.push(c);
            continue;
        }
        out.push_str(&one(&word, seen));
        word.clear();
        out.push(c);
    }
    out.truncate(out.len() - 1);
    times(&out)
}

fn one(word: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let (core, dot) = word.strip_suffix(['.', ':']).map_or((word, ""), |core| (core, &word[core.len()..]));
    let hex = !core.is_empty() && core.chars().all(|c| c.is_ascii_hexdigit());
    let masked = match core.len() {
        36 if is_uuid(core) && core.starts_with("5b0c7a10") => core.to_owned(),
        36 if is_uuid(core) => {
            let next = seen.len() + 1;
            format!("[ID {}]", seen.entry(core.to_owned()).or_insert(next))
        }
        64 if hex => "[DIGEST]".to_owned(),
        12 | 16 if hex && core.chars().any(|c| c.is_ascii_digit()) => "[DIGEST…]".to_owned(),
        _ => core.to_owned(),
    };
    masked + dot
}

pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// `2026-03-12 10:00:00.12+00` and `2026-03-12T10:00:00.123Z` of this century's runs.
fn times(line: &str) -> String {
    let shape = |text: &str| {
        text.len() >= 19
            && text.char_indices().take(19).all(|(i, c)| match i {
                4 | 7 => c == '-',
                10 => c == ' ' || c == 'T',
                13 | 16 => c == ':',
                _ => c.is_ascii_digit(),
            })
    };
    let (mut out, mut rest) = (String::new(), line);
    while let Some(c) = rest.chars().next() {
        // The fixture's own times stay.
        if shape(rest) && !rest.starts_with("2026-02") && !rest.starts_with("2025") {
            out.push_str("[TIME]");
            rest = rest[19..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | 'Z'));
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn durations(line: &str) -> String {
    match line.split_once("  Took ") {
        Some((before, _)) => format!("{before}  Took  [DURATIONS]"),
        None => line.to_owned(),
    }
}

/// `operator@host, pid 12`.
fn runner(line: &str) -> String {
    let Some((before, rest)) = line.split_once("operator@") else { return line.to_owned() };
    let Some((_, rest)) = rest.split_once(", pid ") else { return line.to_owned() };
    format!("{before}operator@[HOST], pid [PID]{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}
