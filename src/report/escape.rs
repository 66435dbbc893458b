//! Keeps foreign text in its place.
//!
//! Values come from databases and plan files that other people write. In a terminal a control character can clear the
//! screen or forge a line; a bidi mark can make `DENY` read as `ALLOW`; in a pull request a value can open HTML,
//! close its fence or mention a person; in a diagram it can end its own label. Each function makes one kind of output
//! safe, and each is idempotent on what a terminal shows: safe text has no character that is escaped again.

use std::fmt::Write;

pub use crate::model::is_hidden;

/// Escapes what a terminal would obey or what a reader could not see: control characters (C0, C1, DEL), bidi marks,
/// line separators and characters without a shape. Everything else, Vietnamese and wide characters too, stays as it
/// is.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => push_code(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Writes a text in double quotes, so that where it begins and ends is never in doubt.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    terminal(&out)
}

/// Writes a text as a code span of Markdown, between more backticks than it holds in a row. Nothing is looked for inside:
/// no HTML, link, mention, issue number or commit.
pub fn code_span(text: &str) -> String {
    let text = terminal(text);
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    // One space on either side is taken away again, and keeps a backtick at the end from joining the fence.
    if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        return format!("{fence} {text} {fence}");
    }
    format!("{fence}{text}{fence}")
}

/// How many of a character stand in a row at most.
pub fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Writes a text as inline code of HTML, for a block of HTML: there mentions, issue numbers and commits are not looked for
/// inside `<code>`. Amid Markdown, where a link would still be read inside it, use [`code_span`].
pub fn html_code(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '@' => out.push_str("&#64;"),
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    out
}

/// Writes a text as content or a quoted attribute of HTML and SVG. What XML has no way to write is spelled out too.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => push_code(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// Writes a text as a quoted string of Graphviz. `\N` and its kin are escape sequences in a label, so a backslash is
/// doubled; entities are read in labels, so `&` is one.
pub fn dot(text: &str) -> String {
    let mut out = String::from("\"");
    for c in terminal(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes a text as a quoted label of Mermaid. Directives (`%%{…}%%`), Markdown strings, HTML and the `#…;` entities
/// are looked for even inside quotes, so all but letters, digits and a few signs are written as entities.
pub fn mermaid(text: &str) -> String {
    let mut out = String::from("\"");
    for c in terminal(text).chars() {
        match c {
            c if c.is_alphanumeric() => out.push(c),
            ' ' | '-' | '_' | '.' | ',' | '/' | ':' | '+' | '=' => out.push(c),
            c => push_entity(&mut out, c),
        }
    }
    out.push('"');
    out
}

fn push_code(out: &mut String, c: char) {
    let Ok(()) = write!(out, "\\u{{{:x}}}", u32::from(c)) else { panic!("BUG: a string refuses text") };
}

fn push_entity(out: &mut String, c: char) {
    let Ok(()) = write!(out, "#{};", u32::from(c)) else { panic!("BUG: a string refuses text") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(terminal("a\u{1b}[2Jb\u{9b}c\u{202e}d\nÐiều 漢"), "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\nÐiều 漢");
        assert_eq!(terminal(&terminal("\u{7f}\r")), terminal("\u{7f}\r"));
    }

    #[test]
    fn a_quote_cannot_end_its_own_text() {
        assert_eq!(quoted("a\" -> \"b\\"), "\"a\\\" -> \\\"b\\\\\"");
        assert_eq!(dot("x\"]; node [\\N"), "\"x\\\"]; node [\\\\N\"");
        assert_eq!(mermaid("a\"] --> b<i>"), "\"a#34;#93; --#62; b#60;i#62;\"");
        assert_eq!(code_span("a``b"), "```a``b```");
        assert_eq!(code_span("`"), "`` ` ``");
        assert_eq!(html_code("</code>@a"), "<code>&lt;/code&gt;&#64;a</code>");
    }
}
