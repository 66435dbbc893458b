//! A plan as Markdown for a pull request: it fits a comment whatever its size.
//!
//! The verdict comes first and last. What destroys is shown in full before anything else, as far as the room goes; then
//! findings and drift; the rest follows in folds, each with its counts and a fair share of the room; what is left out is
//! counted. Foreign text stands only where nothing is looked for in it: in fences longer than any run of backticks in it,
//! in code spans, and in `<code>` inside a block of HTML. Marks stand in column 0, where a diff has them.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::body::{Detail, Item, Section, sections, some_names, tally_text};
use super::line::Line;
use super::verdict::verdict;
use super::{body_drift, escape, text, value, words};
use crate::diff::Finding;
use crate::plan::SavedPlan;

/// Characters of a comment on GitHub.
pub const COMMENT_CHARS: usize = 65_536;
/// Characters that are left to whoever posts the plan, for a marker or a headline.
const MARKER_CHARS: usize = 536;
/// What the end needs: what was left out, and the verdict again.
const END_CHARS: usize = 6_000;
/// What destructive changes leave for findings, drift and the counts of the rest.
const REST_CHARS: usize = 16_000;
/// The longest line; only a value that is longer than any review reads is cut here.
const LINE_CHARS: usize = 2_000;
/// Values longer than this are cut.
const VALUE_CHARS: usize = 1_000;
/// An item of more characters than this is left out alone.
const LARGE_CHARS: usize = 1_000;
/// Folds that are shown; a plan over more tables than this counts the rest.
const MOST_FOLDS: usize = 60;

/// Counts by action and noun.
type Tally = BTreeMap<(Action, &'static str), u64>;

/// Writes a plan as Markdown of at most [`COMMENT_CHARS`] characters.
pub fn plan_markdown(plan: &SavedPlan) -> String {
    let sections = sections(plan, Detail { unfold: false, destructive: usize::MAX, value_chars: VALUE_CHARS });
    let mut page = Page { text: String::new(), chars: 0, left_out: Tally::new() };
    page.push(&head(plan, &sections));
    page.destructive(&sections);
    page.notices("Findings", "finding", plan.findings.iter().map(finding).collect());
    page.notices(body_drift::TITLE, "drift", body_drift::lines(&plan.drift, 0));
    page.folds(plan, &sections);
    page.end(plan, sections.is_empty() && plan.findings.is_empty())
}

fn head(plan: &SavedPlan, sections: &[Section]) -> String {
    let (name, actor) = (code(&plan.environment.name), code(&plan.environment.actor));
    let mut out = format!("{}\nEnvironment {name}, recorded as {actor}.", verdict_text(plan));
    let files = some_names(plan.files.iter().map(|file| file.path.as_str()));
    if !files.is_empty() {
        out.push_str(&format!(" From {}.", code(&files)));
    }
    let used = sections.iter().flat_map(|s| &s.items).flat_map(|item| &item.lines).filter_map(|line| line.mark);
    let used: BTreeSet<Action> = used.collect();
    let symbols: Vec<String> = used.iter().map(|action| format!("`{}` {}", action.symbol(), action.word())).collect();
    if !symbols.is_empty() {
        out.push_str(&format!("\nSymbols: {}.", symbols.join(", ")));
    }
    out + "\n"
}

/// The verdict in bold and its digest as code. A state's name stands in it, so a line that holds anything but plain words
/// is code too: entities would not do, because mentions are looked for after they are read.
fn verdict_text(plan: &SavedPlan) -> String {
    let line = |line: String| match line.strip_prefix("Plan digest: ") {
        Some(digest) => format!("Plan digest: {}", code(digest)),
        None if is_plain(&line) => format!("**{line}**"),
        None => code(&line),
    };
    // Two spaces at the end keep the lines apart where a viewer would join them.
    verdict(plan).into_iter().map(line).collect::<Vec<_>>().join("  \n") + "\n"
}

/// Whether a text is of words and signs that Markdown and what looks for commits, links and emoji leave alone.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | ':' | '(' | ')' | '~');
    let inert = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let hexadecimal = bare.len() >= 7 && bare.chars().all(|c| c.is_ascii_hexdigit());
        let colon = word.trim_end_matches(':').contains(':');
        !hexadecimal && !colon && !bare.to_lowercase().starts_with("www.")
    };
    text.chars().count() <= 300 && text.chars().all(plain) && !text.contains("~~") && text.split(' ').all(inert)
}

/// A foreign name amid Markdown, cut where no name is that long.
fn code(name: &str) -> String {
    escape::code_span(&value::cut(&escape::terminal(name), 300))
}

fn finding(finding: &Finding) -> Line {
    let line = Line::new(0).plain(format!("{} ", finding.code));
    match &finding.address {
        Some(address) => line.plain(format!("{address}: ")),
        None => line,
    }
    .plain(finding.message.as_str())
}

struct Page {
    text: String,
    chars: usize,
    left_out: Tally,
}

impl Page {
    fn push(&mut self, text: &str) {
        self.chars += text.chars().count();
        self.text.push_str(text);
    }

    fn room(&self) -> usize {
        (COMMENT_CHARS - MARKER_CHARS - END_CHARS).saturating_sub(self.chars)
    }

    /// What destroys, in full.
    fn destructive(&mut self, sections: &[Section]) {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        for section in sections {
            let items: Vec<&Item> = section.items.iter().filter(|item| item.destructive).collect();
            if let Some((first, rest)) = items.split_first() {
                blocks.push(Block::new(Some(title(section)), first));
                blocks.extend(rest.iter().map(|item| Block::new(None, item)));
            }
        }
        if !blocks.is_empty() {
            let room = self.room().saturating_sub(REST_CHARS);
            self.fenced(&Fence { open: "\n### Destructive changes\n\n", shut: "", room }, &blocks);
        }
    }

    /// Lines that ask for attention, each with `!`, as far as half of the room goes.
    fn notices(&mut self, title: &str, noun: &'static str, lines: Vec<Line>) {
        let item = |line: Line| {
            let lines =
                vec![Line { parts: [vec![(super::Role::Plain, "! ".to_owned())], line.parts].concat(), ..line }];
            Item { action: Action::Update, things: 1, noun, destructive: false, lines }
        };
        let items: Vec<Item> = lines.into_iter().map(item).collect();
        let blocks: Vec<Block<'_>> = items.iter().map(|item| Block::new(None, item)).collect();
        if !blocks.is_empty() {
            let room = self.room() / 2;
            self.fenced(&Fence { open: &format!("\n### {title}\n\n"), shut: "", room }, &blocks);
        }
    }

    /// The rest of each section in a fold.
    fn folds(&mut self, plan: &SavedPlan, sections: &[Section]) {
        let mut folds: Vec<(String, Vec<Block<'_>>)> = Vec::new();
        for section in sections {
            let rest: Vec<&Item> = section.items.iter().filter(|item| !item.destructive).collect();
            if rest.iter().all(|item| item.things == 0) {
                continue;
            }
            if folds.len() == MOST_FOLDS {
                rest.iter().for_each(|item| self.leave_out(item));
                continue;
            }
            let name =
                if section.name.is_empty() { String::new() } else { format!(" {}", summary_code(&section.name)) };
            let open =
                format!("\n<details><summary>{}{name}: {}</summary>\n\n", section.title, tally_text(&section.tally()));
            folds.push((open, rest.into_iter().map(|item| Block::new(None, item)).collect()));
        }
        let roles = roles(plan);
        if let Some(item) = &roles {
            folds.push(("\n<details><summary>Runs as</summary>\n\n".to_owned(), vec![Block::new(None, item)]));
        }
        let wants: Vec<usize> = folds.iter().map(|(open, blocks)| wanted(open, blocks)).collect();
        // What one fold does not use, because its next item is too large, is for those after it.
        let (start, mut granted) = (self.chars, 0);
        for ((open, blocks), share) in folds.iter().zip(shares(&wants, self.room())) {
            granted += share;
            let room = granted.saturating_sub(self.chars - start);
            self.fenced(&Fence { open, shut: SHUT, room }, blocks);
        }
    }

    /// Writes items in one fence, as far as the room goes, and counts the rest.
    fn fenced(&mut self, fence: &Fence<'_>, blocks: &[Block<'_>]) {
        let ticks = ticks(blocks);
        let mut room = fence.room.saturating_sub(fence.frame(&ticks));
        let mut body = String::new();
        for block in blocks {
            if block.chars <= room {
                room -= block.chars;
                body.push_str(&block.text);
            } else {
                // After one that is unusually large others may fit; after an ordinary one the fence is full.
                room = if block.chars > LARGE_CHARS { room } else { 0 };
                self.leave_out(block.item);
            }
        }
        if !body.is_empty() {
            self.push(&format!("{}{ticks}diff\n{body}{ticks}\n{}", fence.open, fence.shut));
        }
    }

    fn leave_out(&mut self, item: &Item) {
        if item.things > 0 {
            *self.left_out.entry((item.action, item.noun)).or_default() += item.things;
        }
    }

    fn end(mut self, plan: &SavedPlan, nothing_between: bool) -> String {
        if !self.left_out.is_empty() {
            let part = |((action, noun), n): (&(Action, &'static str), &u64)| match *noun {
                "finding" => words::count(*n, "finding"),
                "drift" => words::count(*n, "change") + " outside Enact",
                noun => format!("{} to {}", words::count(*n, noun), action.word()),
            };
            let counts: Vec<String> = self.left_out.iter().map(part).collect();
            let more = "`enact show FILE --verbose` shows all.";
            self.push(&format!("\n**Left out to fit a comment:** {}. {more}\n", counts.join(", ")));
        }
        if plan.summary.same_rows > 0 && !nothing_between {
            let be = if plan.summary.same_rows == 1 { "is" } else { "are" };
            self.push(&format!("\n{} {be} as declared.\n", words::count(plan.summary.same_rows, "row")));
        }
        if !nothing_between {
            self.push(&format!("\n{}", verdict_text(plan)));
        }
        self.text
    }
}

/// What stands around a body, and how many characters there are for all of it.
struct Fence<'f> {
    open: &'f str,
    shut: &'f str,
    room: usize,
}

impl Fence<'_> {
    fn frame(&self, ticks: &str) -> usize {
        self.open.chars().count() + self.shut.chars().count() + 2 * ticks.len() + "diff\n\n".len()
    }
}

/// The end of a fold.
const SHUT: &str = "\n</details>\n";

/// More backticks than stand in a row in any of these.
fn ticks(blocks: &[Block<'_>]) -> String {
    "`".repeat(blocks.iter().map(|block| escape::longest_run(&block.text, '`')).max().unwrap_or(0).max(2) + 1)
}

fn wanted(open: &str, blocks: &[Block<'_>]) -> usize {
    let frame = Fence { open, shut: SHUT, room: 0 }.frame(&ticks(blocks));
    frame + blocks.iter().map(|block| block.chars).sum::<usize>()
}

/// Divides the room: who wants less than an equal share gets all of it, and the others share what is left.
fn shares(wants: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by_key(|at| wants[*at]);
    let mut shares = vec![0; wants.len()];
    let mut left = room;
    for (done, at) in order.iter().enumerate() {
        shares[*at] = wants[*at].min(left / (wants.len() - done));
        left -= shares[*at];
    }
    shares
}

/// A foreign name in a summary, which is a block of HTML.
fn summary_code(name: &str) -> String {
    escape::html_code(&value::cut(&escape::terminal(name), 300))
}

/// What runs as whom, as one item.
fn roles(plan: &SavedPlan) -> Option<Item> {
    let lines: Vec<Line> = text::roles(plan).into_iter().skip(1).map(|line| Line { depth: 1, ..line }).collect();
    (!lines.is_empty()).then_some(Item { action: Action::Update, things: 0, noun: "role", destructive: false, lines })
}

/// An item on its way into a fence.
struct Block<'s> {
    item: &'s Item,
    text: String,
    chars: usize,
}

impl<'s> Block<'s> {
    fn new(heading: Option<String>, item: &'s Item) -> Block<'s> {
        let mut text = heading.map_or_else(String::new, |heading| format!("# {heading}\n"));
        item.lines.iter().for_each(|line| text.push_str(&fence_line(line)));
        Block { item, chars: text.chars().count(), text }
    }
}

fn title(section: &Section) -> String {
    escape::terminal(&value::cut(&format!("{} {}", section.title, section.name), LINE_CHARS))
}

/// A line with its mark in column 0, where a diff has it.
fn fence_line(line: &Line) -> String {
    let text = value::cut(&line.safe_text(), LINE_CHARS);
    match line.mark {
        Some(action) => format!("{:<3} {}{text}\n", action.symbol(), "  ".repeat(line.depth)),
        None if line.depth == 0 => format!("{text}\n"),
        None => format!("    {}{text}\n", "  ".repeat(line.depth)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_fairly_and_wholly() {
        assert_eq!(shares(&[10, 1_000, 20, 500], 130), [10, 50, 20, 50]);
        assert_eq!(shares(&[10, 20], 100), [10, 20]);
        assert_eq!(shares(&[], 100), [0; 0]);
    }

    #[test]
    fn words_that_would_become_links_are_not_plain() {
        assert!(is_plain("Lifecycle: 86 to promote. Vectors: 412 to embed (~93k tokens), 0 kept."));
        for text in ["to deadbeef", "a :tada: b", "www.x", "@org/team", "GH-12", "a#1", "~~a~~", "[a](b)", "a_b_"] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
