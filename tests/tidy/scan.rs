//! Reads Rust files as far as the tidy test needs it: code without comments and strings, and which lines are tests.
//!
//! It is a scanner, not a parser: it trusts that `cargo fmt --check` has run.

use std::path::Path;

/// One Rust file.
pub struct Source {
    /// The path from the repository's root, with `/`.
    pub path: String,
    /// The lines as they are.
    pub raw: Vec<String>,
    /// The lines with comments and the insides of strings blanked.
    pub code: Vec<String>,
    /// Whether each line is test code.
    pub test: Vec<bool>,
}

impl Source {
    /// Reads a text.
    pub fn new(path: &str, text: &str) -> Source {
        let blank = blank(text);
        let raw: Vec<String> = text.lines().map(str::to_owned).collect();
        let code: Vec<String> = blank.lines().map(str::to_owned).collect();
        let whole = path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
        let test = if whole { vec![true; code.len()] } else { test_lines(&code) };
        Source { path: path.to_owned(), raw, code, test }
    }

    /// The part of `src/` that the file belongs to, such as `store` for `src/store/sql.rs`.
    pub fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split(['/', '.']).next()
    }

    /// Line numbers (from 1) and code of the lines that are no tests.
    pub fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().zip(&self.test).enumerate();
        lines.filter(|(_, (_, test))| !**test).map(|(at, (line, _))| (at + 1, line.as_str()))
    }

    /// First line (from 1), length and name of every function with a body.
    pub fn functions(&self) -> Vec<(usize, usize, String)> {
        let starts = self.code.iter().enumerate().filter_map(|(at, line)| Some((at, function_name(line)?)));
        starts.filter_map(|(at, name)| Some((at + 1, item_end(&self.code, at)? - at + 1, name))).collect()
    }
}

/// All files with an extension under some directories of the repository, sorted; `""` takes every file.
pub fn files(root: &Path, directories: &[&str], extension: &str) -> Vec<String> {
    let walk = directories.iter().flat_map(|dir| walkdir::WalkDir::new(root.join(dir)).into_iter().filter_entry(kept));
    let mut paths: Vec<String> = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| extension.is_empty() || entry.path().extension().is_some_and(|e| e == extension))
        .filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.to_string_lossy().replace('\\', "/")))
        .collect();
    paths.sort();
    paths
}

/// What Git does not hold is not looked at.
fn kept(entry: &walkdir::DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    !([".git", ".enact", "enact-demo"].contains(&name.as_ref()) || name.starts_with("target"))
}

/// Whether a word stands in a line as a whole.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let goes_on_before = word.starts_with(is_word) && line[..at].ends_with(is_word);
        let goes_on_after = word.ends_with(is_word) && line[at + word.len()..].starts_with(is_word);
        !goes_on_before && !goes_on_after
    })
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let modifiers = ["pub", "async", "const", "unsafe", "extern", "\"\"", "pub(crate)", "pub(super)"];
    let first = words.by_ref().find(|word| !modifiers.contains(word) && !word.starts_with("pub("))?;
    if first != "fn" {
        return None;
    }
    words.next().map(|name| name.split(['(', '<']).next().unwrap_or(name).to_owned())
}

/// The line on which the item that starts here ends, by its braces; `None` where it has no body.
fn item_end(code: &[String], start: usize) -> Option<usize> {
    let (mut round, mut curly) = (0i32, 0i32);
    for (at, line) in code.iter().enumerate().skip(start) {
        for c in line.chars() {
            match c {
                '(' | '[' => round += 1,
                ')' | ']' => round -= 1,
                '{' => curly += 1,
                '}' => curly -= 1,
                ';' if curly == 0 && round == 0 => return None,
                _ => {}
            }
            if c == '}' && curly == 0 && round == 0 {
                return Some(at);
            }
        }
    }
    None
}

fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    for (at, line) in code.iter().enumerate() {
        let line = line.trim();
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test") {
            let end = item_end(code, at + 1).unwrap_or(at + 1);
            test[at..=end.min(code.len() - 1)].fill(true);
        }
    }
    test
}

/// Blanks comments and the insides of strings and characters, and keeps every line break.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        match end {
            None => out.push(chars[at]),
            Some(end) => out.extend(chars[at..end].iter().map(|c| if matches!(c, '\n' | '"') { *c } else { ' ' })),
        }
        at = end.unwrap_or(at + 1);
    }
    out
}

/// The end of the comment, string or character that starts here.
fn token_end(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => Some(find(chars, at, |c| c == '\n')),
        ['/', '*', ..] => Some(block_comment_end(chars, at)),
        ['"', ..] => Some(string_end(chars, at)),
        ['r' | 'b' | 'c', ..] if !word_before => raw_string_end(chars, at),
        ['\'', '\\', ..] => Some(find(chars, at + 3, |c| c == '\'') + 1),
        ['\'', _, '\'', ..] => Some(at + 3),
        _ => None,
    }
}

fn find(chars: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|at| wanted(chars[*at])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of `r"…"`, `r#"…"#`, `br"…"` and `cr"…"`; other prefixes are left to the quote that follows them.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let r = if chars[start] == 'r' { start } else { start + 1 };
    if chars.get(r) != Some(&'r') {
        return None;
    }
    let quote = find(chars, r + 1, |c| c != '#');
    if chars.get(quote) != Some(&'"') {
        return None;
    }
    let hashes = quote - r - 1;
    let closes =
        |at: usize| chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((quote + 1..chars.len()).find(|at| closes(*at)).map_or(chars.len(), |at| at + 1 + hashes))
}
