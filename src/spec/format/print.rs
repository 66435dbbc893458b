//! Writes blocks with two spaces for each level.

use super::build::{Block, Body, Document, Entry};

const STEP: usize = 2;

/// Writes a document.
pub(super) fn print(document: &Document) -> String {
    let Document { header, root, footer } = document;
    let mut out = Lines(Vec::new());
    out.comments(header, 0);
    for (i, entry) in root.entries.iter().enumerate() {
        let sections = |entry: &Entry| matches!(entry.body, Body::Below(_));
        if i > 0 && (sections(entry) || sections(&root.entries[i - 1])) {
            out.blank();
        }
        out.entry(entry, 0);
    }
    out.comments(footer, 0);
    out.0.into_iter().map(|line| line + "\n").collect()
}

struct Lines(Vec<String>);

impl Lines {
    fn push(&mut self, column: usize, text: &str) {
        self.0.push(format!("{}{text}", " ".repeat(column)));
    }

    /// One empty line, but none at the beginning and no second one.
    fn blank(&mut self) {
        if self.0.last().is_some_and(|line| !line.is_empty()) {
            self.0.push(String::new());
        }
    }

    fn comments(&mut self, lines: &[String], column: usize) {
        for line in lines {
            if line.is_empty() {
                self.blank();
            } else {
                self.push(column, line);
            }
        }
    }

    fn block(&mut self, block: &Block, column: usize) {
        for (i, entry) in block.entries.iter().enumerate() {
            if i == 0 {
                let above: Vec<String> = entry.before.iter().skip_while(|line| line.is_empty()).cloned().collect();
                self.comments(&above, column);
                self.bare(entry, column);
            } else {
                self.entry(entry, column);
            }
        }
    }

    fn entry(&mut self, entry: &Entry, column: usize) {
        self.comments(&entry.before, column);
        self.bare(entry, column);
    }

    /// Writes an entry without what stands above it.
    fn bare(&mut self, entry: &Entry, column: usize) {
        let dash = if entry.key.is_some() { "" } else { "- " };
        match &entry.body {
            Body::Lines(lines) => {
                self.push(column, format!("{dash}{}", entry.head).trim_end_matches(' '));
                for (offset, text) in lines {
                    match offset {
                        Some(offset) => self.push(column + offset, text),
                        None => self.0.push(String::new()),
                    }
                }
            }
            Body::Below(block) => {
                self.push(column, format!("{dash}{}", entry.head).trim_end_matches(' '));
                self.block(block, column + STEP);
            }
            Body::Inline(block) => {
                self.comments(&above(block), column);
                self.inline(block, column);
            }
        }
        self.comments(&entry.after, column);
    }

    /// Writes a block whose first entry stands behind the dash.
    fn inline(&mut self, block: &Block, column: usize) {
        let Some((first, rest)) = block.entries.split_first() else { return };
        let begin = self.0.len();
        match &first.body {
            Body::Inline(inner) => {
                self.inline(inner, column + STEP);
                self.comments(&first.after, column + STEP);
            }
            Body::Lines(_) | Body::Below(_) => self.bare(first, column + STEP),
        }
        if let Some(line) = self.0.get_mut(begin) {
            line.replace_range(column..column + 1, "-");
        }
        for entry in rest {
            self.entry(entry, column + STEP);
        }
    }
}

/// What stands above the first entry behind a dash: it goes above the dash.
fn above(block: &Block) -> Vec<String> {
    let Some(first) = block.entries.first() else { return Vec::new() };
    let mut out: Vec<String> = first.before.iter().skip_while(|line| line.is_empty()).cloned().collect();
    if let Body::Inline(inner) = &first.body {
        out.extend(above(inner));
    }
    out
}
