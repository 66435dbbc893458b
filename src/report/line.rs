//! Lines with marks and parts: what a plan is written in before it becomes a terminal's text or a comment's Markdown.
//!
//! Parts hold text as it came. It is made safe here, where it becomes output, so that no caller can forget to. A line
//! is one line whatever its parts hold; a continuation is always indented deeper than the line's own text, so that no
//! value can pose as a line of the plan.

use super::action::Action;
use super::layout;
use super::style::{Role, paint};
use super::{TextOptions, escape};

/// Terminals narrower than this are written for as if they had this width.
const NARROWEST: usize = 40;
/// Cells of the widest mark and the space behind it.
const MARK_CELLS: usize = 4;
/// How much deeper a continuation stands. Odd, while the marks `+`, `~` and `-` stand in even columns.
const HANG_CELLS: usize = 3;

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The symbol in front.
    pub mark: Option<Action>,
    /// How deep it stands, from 0.
    pub depth: usize,
    /// Its parts.
    pub parts: Vec<(Role, String)>,
}

impl Line {
    /// Begins a line without a mark.
    pub fn new(depth: usize) -> Line {
        Line { mark: None, depth, parts: Vec::new() }
    }

    /// Begins a line with a mark and its word.
    pub fn marked(depth: usize, action: Action) -> Line {
        Line { mark: Some(action), depth, parts: Vec::new() }.part(action.role(), action.word()).plain(" ")
    }

    /// Adds a part.
    pub fn part(mut self, role: Role, text: impl Into<String>) -> Line {
        self.parts.push((role, text.into()));
        self
    }

    /// Adds running text.
    pub fn plain(self, text: impl Into<String>) -> Line {
        self.part(Role::Plain, text)
    }

    /// The text without mark, made safe, on one line.
    pub fn safe_text(&self) -> String {
        self.parts.iter().map(|(_, text)| escape::terminal(text)).collect()
    }

    /// Writes the line for a terminal, wrapped to its width.
    pub fn write(&self, options: &TextOptions, out: &mut String) {
        let indent = self.depth * 2;
        let margin = if self.mark.is_some() || self.depth > 0 { indent + MARK_CELLS } else { indent };
        let mut writer = Writer { color: options.color, width: options.width.max(NARROWEST), column: 0, out };
        match self.mark {
            Some(action) => {
                writer.out.push_str(&" ".repeat(indent));
                let symbol = format!("{:>3}", action.symbol());
                writer.put(action.role(), &symbol);
                writer.out.push(' ');
            }
            None => writer.out.push_str(&" ".repeat(margin)),
        }
        writer.column = margin;
        for word in words(&self.parts) {
            writer.word(&word, margin + HANG_CELLS);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

/// A run of parts that must not be broken at a space, and the spaces before it.
struct Word {
    spaces: usize,
    parts: Vec<(Role, String)>,
}

/// Cuts parts at spaces. Spaces are kept, because columns are aligned with them.
fn words(parts: &[(Role, String)]) -> Vec<Word> {
    let mut all = vec![Word { spaces: 0, parts: Vec::new() }];
    for (role, text) in parts {
        for (i, piece) in escape::terminal(text).split(' ').enumerate() {
            let Some(last) = all.last_mut() else { panic!("BUG: words lost their first") };
            match (i, last.parts.is_empty()) {
                (0, _) => {}
                (_, true) => last.spaces += 1,
                (_, false) => all.push(Word { spaces: 1, parts: Vec::new() }),
            }
            if let (Some(last), false) = (all.last_mut(), piece.is_empty()) {
                last.parts.push((*role, piece.to_owned()));
            }
        }
    }
    all
}

struct Writer<'o> {
    color: bool,
    width: usize,
    column: usize,
    out: &'o mut String,
}

impl Writer<'_> {
    fn word(&mut self, word: &Word, hang: usize) {
        let cells: usize = word.parts.iter().map(|(_, text)| layout::width(text)).sum();
        if self.column + word.spaces + cells <= self.width {
            self.out.push_str(&" ".repeat(word.spaces));
            self.column += word.spaces;
        } else if self.column > hang && hang + cells <= self.width {
            self.turn(hang);
        } else {
            self.out.push_str(&" ".repeat(word.spaces));
            self.column += word.spaces;
        }
        for (role, text) in &word.parts {
            self.broken(*role, text, hang);
        }
    }

    /// Writes a text that may be longer than what is left of the line.
    fn broken(&mut self, role: Role, text: &str, hang: usize) {
        let mut piece = String::new();
        for c in text.chars() {
            let cells = layout::char_width(c);
            if self.column + cells > self.width && self.column > hang {
                self.put(role, &piece);
                piece.clear();
                self.turn(hang);
            }
            piece.push(c);
            self.column += cells;
        }
        self.put(role, &piece);
    }

    fn put(&mut self, role: Role, text: &str) {
        self.out.push_str(&paint(role, text, self.color));
    }

    fn turn(&mut self, hang: usize) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.out.push_str(&" ".repeat(hang));
        self.column = hang;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(width: usize, line: &Line) -> String {
        let mut out = String::new();
        line.write(&TextOptions { color: false, width, verbose: false }, &mut out);
        out
    }

    #[test]
    fn a_long_line_wraps_at_spaces_and_hangs_deeper() {
        let line = Line::marked(0, Action::Create).plain("một hai ba bốn năm sáu bảy tám chín mười");
        assert_eq!(written(40, &line), "  + create một hai ba bốn năm sáu bảy\n       tám chín mười\n");
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut_by_cells() {
        let line = Line::new(1).plain("漢".repeat(25));
        assert_eq!(written(40, &line), format!("      {}\n         {}\n", "漢".repeat(17), "漢".repeat(8)));
    }
}
