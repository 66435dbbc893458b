//! A plan as Markdown for a pull request: it fits a comment whatever its size.
//!
//! The verdict comes first and last. What destroys is shown in full before anything else; the rest follows in folds,
//! each with its counts, as far as the room goes; what is left out is counted. Foreign text stands only inside fences
//! longer than any run of backticks in it, or inside `<code>`, where neither HTML nor mentions nor links are looked
//! for.

use std::collections::BTreeMap;

use super::action::Action;
use super::body::{Detail, Item, Section, sections, tally_text};
use super::escape;
use super::line::Line;
use super::value;
use super::verdict::verdict;
use crate::plan::SavedPlan;

/// Characters of a comment on GitHub.
pub const COMMENT_CHARS: usize = 65_536;
/// What the end needs: what was left out, and the verdict again.
const END_CHARS: usize = 6_000;
/// The longest line; only a value that is longer than any review reads is cut here.
const LINE_CHARS: usize = 2_000;
/// Values longer than this are cut.
const VALUE_CHARS: usize = 1_000;
/// Folds that are shown; a plan over more tables than this counts the rest.
const MOST_FOLDS: usize = 60;

/// Counts by action and noun.
type Tally = BTreeMap<(Action, &'static str), u64>;

/// Writes a plan as Markdown of at most [`COMMENT_CHARS`] characters.
pub fn plan_markdown(plan: &SavedPlan) -> String {
    let sections = sections(plan, Detail { unfold: false, destructive: usize::MAX, value_chars: VALUE_CHARS });
    let mut page = Page { text: String::new(), chars: 0, left_out: Tally::new() };
    page.push(&head(plan));
    page.destructive(&sections);
    page.findings(plan);
    for (i, section) in sections.iter().enumerate() {
        page.fold(section, i < MOST_FOLDS);
    }
    page.end(plan, sections.is_empty() && plan.findings.is_empty())
}

fn head(plan: &SavedPlan) -> String {
    let name = code(&plan.environment.name);
    format!("{}\nEnvironment {name}.\n", verdict_text(plan))
}

/// The verdict in bold and its digest as code. A state's name stands in it, so a line that holds anything but plain words
/// is code too: entities would not do, because mentions are looked for after they are read.
fn verdict_text(plan: &SavedPlan) -> String {
    let line = |line: String| match line.strip_prefix("Plan digest: ") {
        Some(digest) => format!("Plan digest: {}\n", code(digest)),
        None if is_plain(&line) => format!("**{line}**\n"),
        None => format!("{}\n", code(&line)),
    };
    verdict(plan).into_iter().map(line).collect()
}

/// Whether a text is of words and signs that Markdown leaves alone.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | ',' | '.' | ':' | '(' | ')' | '~');
    text.chars().count() <= 300 && text.chars().all(plain) && !text.contains("www.")
}

/// A foreign name outside a fence, cut where no name is that long.
fn code(name: &str) -> String {
    escape::html_code(&value::cut(&escape::terminal(name), 300))
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
        (COMMENT_CHARS - END_CHARS).saturating_sub(self.chars)
    }

    /// What destroys, in full.
    fn destructive(&mut self, sections: &[Section]) {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        for section in sections {
            let items: Vec<&Item> = section.items.iter().filter(|item| item.destructive).collect();
            if let Some((first, rest)) = items.split_first() {
                blocks.push(Block { heading: Some(title(section)), item: first });
                blocks.extend(rest.iter().map(|item| Block { heading: None, item }));
            }
        }
        if !blocks.is_empty() {
            self.fenced("\n### Destructive changes\n\n", "", &blocks);
        }
    }

    fn findings(&mut self, plan: &SavedPlan) {
        let item = |finding: &crate::diff::Finding| {
            let about = finding.address.as_ref().map_or_else(String::new, |address| format!("{address}: "));
            let text = format!("! {} {about}{}", finding.code, finding.message);
            let lines = vec![Line::new(0).plain(text)];
            Item { action: Action::Update, things: 1, noun: "finding", destructive: false, lines }
        };
        let items: Vec<Item> = plan.findings.iter().map(item).collect();
        let blocks: Vec<Block<'_>> = items.iter().map(|item| Block { heading: None, item }).collect();
        if !blocks.is_empty() {
            self.fenced("\n### Findings\n\n", "", &blocks);
        }
    }

    /// The rest of a section in a fold.
    fn fold(&mut self, section: &Section, shown: bool) {
        let rest: Vec<&Item> = section.items.iter().filter(|item| !item.destructive).collect();
        if rest.iter().all(|item| item.things == 0) {
            return;
        }
        if !shown {
            rest.iter().for_each(|item| self.leave_out(item));
            return;
        }
        let tally = tally_text(&section.tally());
        let name = code(&section.name);
        let name = if section.name.is_empty() { String::new() } else { format!(" {name}") };
        let open = format!("\n<details><summary>{}{name}: {tally}</summary>\n\n", section.title);
        let blocks: Vec<Block<'_>> = rest.into_iter().map(|item| Block { heading: None, item }).collect();
        self.fenced(&open, "\n</details>\n", &blocks);
    }

    /// Writes items in one fence, as far as the room goes, and counts the rest.
    fn fenced(&mut self, open: &str, shut: &str, blocks: &[Block<'_>]) {
        let texts: Vec<String> = blocks.iter().map(Block::text).collect();
        let fence = "`".repeat(texts.iter().map(|text| longest_run(text)).max().unwrap_or(0).max(2) + 1);
        let frame = open.chars().count() + shut.chars().count() + 2 * fence.len() + "diff\n\n".len();
        let mut room = self.room().saturating_sub(frame);
        let mut body = String::new();
        for (block, text) in blocks.iter().zip(&texts) {
            let chars = text.chars().count();
            if chars <= room {
                room -= chars;
                body.push_str(text);
            } else {
                room = 0;
                self.leave_out(block.item);
            }
        }
        if !body.is_empty() {
            self.push(&format!("{open}{fence}diff\n{body}{fence}\n{shut}"));
        }
    }

    fn leave_out(&mut self, item: &Item) {
        if item.things > 0 {
            *self.left_out.entry((item.action, item.noun)).or_default() += item.things;
        }
    }

    fn end(mut self, plan: &SavedPlan, nothing_between: bool) -> String {
        if !self.left_out.is_empty() {
            let counts = tally_text(&self.left_out).replace("findings to update", "findings");
            let more = "`enact show FILE --verbose` shows all.";
            self.push(&format!("\n**Left out to fit a comment:** {counts}. {more}\n"));
        }
        if !nothing_between {
            self.push(&format!("\n{}", verdict_text(plan)));
        }
        self.text
    }
}

/// An item on its way into a fence.
struct Block<'s> {
    heading: Option<String>,
    item: &'s Item,
}

impl Block<'_> {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(heading) = &self.heading {
            text.push_str(&format!("# {heading}\n"));
        }
        for line in &self.item.lines {
            text.push_str(&fence_line(line));
        }
        text
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

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
