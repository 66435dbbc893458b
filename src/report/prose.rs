//! Long text as an inline word diff: `shall sign within [-five-]{+three+} days`.
//!
//! Lines are matched first, words within the lines that differ. Lines that stay are shown one on either side and
//! counted beyond that; of a long line the words beside a difference are shown, and an ellipsis for the rest. Text
//! without spaces is compared by characters. A text too large to be compared in a moment is counted only.

use similar::{ChangeTag, DiffOp, TextDiff};

use super::line::Line;
use super::style::Role;
use super::{value, words};

/// Lines of context on either side.
const CONTEXT: usize = 1;
/// Lines of both sides together beyond which only sizes are shown.
const MOST_LINES: usize = 8_000;
/// Words (or characters, in text without spaces) of both sides together beyond which words are not matched. Matching
/// takes time with the square of this.
const MOST_WORDS: usize = 8_000;
/// Characters for each word beyond which a text counts as one without spaces.
const WORD_CHARS: usize = 24;
/// Less in common than this, and the two are shown one after the other.
const ALIKE: f32 = 0.3;

/// Characters of unchanged text that are shown beside a difference within a line.
const BESIDE: usize = 60;
/// Lines of one difference that are shown when not all are.
const MOST_SHOWN: usize = 40;

/// How much of a difference is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it, with whole lines.
    Whole,
    /// The differences with some context, pieces of at most so many characters.
    Brief(usize),
}

/// Writes the differences of two texts.
pub(super) fn lines(before: &str, after: &str, depth: usize, extent: Extent) -> Vec<Line> {
    let mut out = differences(before, after, depth);
    if let Extent::Brief(longest) = extent {
        let more = out.len().saturating_sub(MOST_SHOWN);
        out.truncate(MOST_SHOWN);
        out = out.into_iter().map(|line| brief(line, longest)).collect();
        if more > 0 {
            let text = format!("({} of the difference not shown)", words::count(more as u64, "line"));
            out.push(Line::new(depth).part(Role::Faint, text));
        }
    }
    out
}

/// Leaves of each unchanged part what is beside a difference, and cuts what is too long.
fn brief(line: Line, longest: usize) -> Line {
    let last = line.parts.len().saturating_sub(1);
    let part = |(at, (role, text)): (usize, (Role, String))| {
        let text = match role {
            Role::Plain => beside(&text, at > 0, at < last),
            _ => cut_inside(&text, longest),
        };
        (role, text)
    };
    Line { parts: line.parts.into_iter().enumerate().map(part).collect(), ..line }
}

/// Cuts a text that is too long, inside its marks where it has some.
fn cut_inside(text: &str, longest: usize) -> String {
    for (open, shut) in [("[-", "-]"), ("{+", "+}")] {
        if let Some(inside) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(shut)) {
            return format!("{open}{}{shut}", value::cut(inside, longest));
        }
    }
    value::cut(text, longest)
}

/// The ends of a text that stand beside a difference, cut at spaces where there are any.
fn beside(text: &str, after_one: bool, before_one: bool) -> String {
    let room = BESIDE * (usize::from(after_one) + usize::from(before_one));
    if text.chars().count() <= room + BESIDE {
        return text.to_owned();
    }
    let head: String = if after_one { text.chars().take(BESIDE).collect() } else { String::new() };
    let skip = text.chars().count() - if before_one { BESIDE } else { 0 };
    let tail: String = text.chars().skip(skip).collect();
    let head = head.rsplit_once(' ').map_or(head.as_str(), |(whole, _)| whole);
    let tail = tail.split_once(' ').map_or(tail.as_str(), |(_, whole)| whole);
    match (after_one, before_one) {
        (true, true) => format!("{head} … {tail}"),
        (true, false) => format!("{head} …"),
        (false, _) => format!("… {tail}"),
    }
}

fn differences(before: &str, after: &str, depth: usize) -> Vec<Line> {
    if before.lines().count() + after.lines().count() > MOST_LINES {
        let size = |text: &str| words::count(text.chars().count() as u64, "character");
        return vec![Line::new(depth).part(Role::Change, format!("{} -> {}", size(before), size(after)))];
    }
    let diff = TextDiff::from_lines(before, after);
    let mut out = Vec::new();
    let mut next = 0;
    for group in diff.grouped_ops(CONTEXT) {
        for op in &group {
            let start = op.old_range().start;
            unchanged(start.saturating_sub(next), depth, &mut out);
            next = op.old_range().end;
            hunk(&diff, op, depth, &mut out);
        }
    }
    unchanged(diff.old_len().saturating_sub(next), depth, &mut out);
    out
}

fn unchanged(count: usize, depth: usize, out: &mut Vec<Line>) {
    if count > 0 {
        out.push(Line::new(depth).part(Role::Faint, format!("({} as before)", words::count(count as u64, "line"))));
    }
}

fn hunk(diff: &TextDiff<'_, '_, str>, op: &DiffOp, depth: usize, out: &mut Vec<Line>) {
    let old: String = op.old_range().filter_map(|i| diff.old_slice(i)).collect();
    let new: String = op.new_range().filter_map(|i| diff.new_slice(i)).collect();
    match op {
        DiffOp::Equal { .. } => each_line(&old, Role::Faint, "", "", depth, out),
        DiffOp::Delete { .. } => each_line(&old, Role::Remove, "[-", "-]", depth, out),
        DiffOp::Insert { .. } => each_line(&new, Role::Add, "{+", "+}", depth, out),
        DiffOp::Replace { .. } => replaced(&old, &new, depth, out),
    }
}

fn each_line(text: &str, role: Role, open: &str, shut: &str, depth: usize, out: &mut Vec<Line>) {
    for line in text.lines() {
        out.push(Line::new(depth).part(role, format!("{open}{line}{shut}")));
    }
}

fn replaced(old: &str, new: &str, depth: usize, out: &mut Vec<Line>) {
    let Some(diff) = word_diff(old, new).filter(|diff| diff.ratio() >= ALIKE) else {
        each_line(old, Role::Remove, "[-", "-]", depth, out);
        each_line(new, Role::Add, "{+", "+}", depth, out);
        return;
    };
    let mut line = Line::new(depth);
    for (tag, text) in runs(&diff) {
        for (i, piece) in text.split('\n').enumerate() {
            if i > 0 {
                out.push(std::mem::replace(&mut line, Line::new(depth)));
            }
            if !piece.is_empty() {
                line = marked(line, tag, piece);
            }
        }
    }
    if !line.parts.is_empty() {
        out.push(line);
    }
}

fn word_diff<'t>(old: &'t str, new: &'t str) -> Option<TextDiff<'t, 't, str>> {
    let sizes = [old, new].map(|text| (text.split_whitespace().count(), text.chars().count()));
    let (words, chars) = (sizes[0].0 + sizes[1].0, sizes[0].1 + sizes[1].1);
    if words * WORD_CHARS < chars {
        (chars <= MOST_WORDS).then(|| TextDiff::from_chars(old, new))
    } else {
        (words <= MOST_WORDS).then(|| TextDiff::from_words(old, new))
    }
}

/// Neighbouring words of the same tag as one.
fn runs(diff: &TextDiff<'_, '_, str>) -> Vec<(ChangeTag, String)> {
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            Some(_) | None => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    runs
}

fn marked(line: Line, tag: ChangeTag, piece: &str) -> Line {
    match tag {
        ChangeTag::Equal => line.plain(piece),
        ChangeTag::Delete => line.part(Role::Remove, format!("[-{piece}-]")),
        ChangeTag::Insert => line.part(Role::Add, format!("{{+{piece}+}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> Vec<String> {
        lines(before, after, 0, Extent::Brief(80)).iter().map(Line::safe_text).collect()
    }

    #[test]
    fn words_that_differ_are_marked_in_their_line() {
        let before = "one\ntwo\nthe owner shall sign within five days\nfour\nfive\nsix\n";
        let after = "one\ntwo\nthe owner shall sign within three days\nfour\nfive\nsix\n";
        assert_eq!(
            shown(before, after),
            [
                "(1 line as before)",
                "two",
                "the owner shall sign within [-five-]{+three+} days",
                "four",
                "(2 lines as before)"
            ]
        );
    }

    #[test]
    fn text_without_spaces_is_compared_by_characters() {
        let (before, after) = ("数据所有者必须在五天之内签署", "数据所有者必须在三天之内签署");
        let line = "数据所有者必须在[-五-]{+三+}天之内签署";
        assert_eq!(shown(&before.repeat(2), &after.repeat(2)), [line.repeat(2)]);
    }

    #[test]
    fn a_long_line_shows_what_is_beside_the_difference() {
        let filler = "and so on ".repeat(30);
        let (before, after) = (format!("{filler}five days {filler}"), format!("{filler}three days {filler}"));
        let found = shown(&before, &after).concat();
        let five = "and so on ".repeat(5);
        assert_eq!(found, format!("… so on {five}[-five-]{{+three+}} days {five}and …"));
    }

    #[test]
    fn a_text_that_is_all_new_is_cut_to_some_lines() {
        let text = |word: &str| (0..100).map(|n| format!("{word} {n}\n")).collect::<String>();
        let found = shown(&text("one"), &text("zwei drei vier"));
        assert_eq!(found.len(), MOST_SHOWN + 1);
        assert!(found[MOST_SHOWN].ends_with("not shown)"), "{found:?}");
    }
}
