//! Gives every line to the entry that it belongs to.
//!
//! Between the end of one entry and the beginning of the next stand only empty lines and comments. Those comments that are
//! indented deeper than the next entry end the one before; the rest stands above the next one.

use super::shape::{Item, Key, Kind, Shape};

/// A document: its blocks, and what stands before and after them.
#[derive(Debug)]
pub(super) struct Document {
    pub header: Vec<String>,
    pub root: Block,
    pub footer: Vec<String>,
}

/// A block mapping or a block list.
#[derive(Debug)]
pub(super) struct Block {
    pub entries: Vec<Entry>,
}

/// A key with its value, or an item.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key; `None` for an item.
    pub key: Option<String>,
    /// Comments and empty lines above.
    pub before: Vec<String>,
    /// The first line, without indentation; for an item, what follows the dash.
    pub head: String,
    pub body: Body,
    /// Comments that end it.
    pub after: Vec<String>,
}

/// What follows the first line of an entry.
#[derive(Debug)]
pub(super) enum Body {
    /// Further lines of the value: columns to the right of the entry and text, `None` for an empty line.
    Lines(Vec<(Option<usize>, String)>),
    /// A block on the lines below.
    Below(Block),
    /// A block that begins behind the dash.
    Inline(Block),
}

/// Builds a document; `None` for what cannot be laid out.
pub(super) fn build(mut root: Shape, lines: &[&str]) -> Option<Document> {
    let builder = Builder { lines };
    let (line, column) = (root.line, root.column);
    let end = builder.resolve(&mut root, line, column)?;
    let (header, above) = header(&lines[..line]);
    let tail = builder.lines_of(end + 1, lines.len());
    let (mine, rest) = tail.split_at(deeper(&tail, column));
    let root = builder.block(&root, above, mine)?;
    let last = rest.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let footer: Vec<String> = rest[..last].iter().map(|line| line.trim().to_owned()).collect();
    footer.iter().all(|line| is_trivia(line) || line.starts_with("...")).then_some(Document { header, root, footer })
}

/// What YAML takes for blank; other white space belongs to a value.
const BLANKS: [char; 2] = [' ', '\t'];

/// The lines that stay at the head of the file, and those that belong to its first key.
fn header(lines: &[&str]) -> (Vec<String>, Vec<String>) {
    let all: Vec<String> = lines.iter().map(|line| line.trim().to_owned()).collect();
    let marker = all.iter().rposition(|line| line.starts_with("---") || line.starts_with('%')).map_or(0, |at| at + 1);
    let blank = all.iter().rposition(String::is_empty).map_or(0, |at| at + 1);
    let modeline = all.iter().rposition(|line| line.starts_with("# yaml-language-server")).map_or(0, |at| at + 1);
    let (header, above) = all.split_at(marker.max(blank).max(modeline));
    (header.to_vec(), above.to_vec())
}

fn is_trivia(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// How many lines at the beginning of a gap belong to what stands deeper than a column.
fn deeper(gap: &[&str], column: usize) -> usize {
    let mut count = 0;
    for (i, line) in gap.iter().enumerate() {
        let text = line.trim_start();
        if text.is_empty() {
            continue;
        }
        if line.len() - text.len() <= column || !text.starts_with('#') {
            break;
        }
        count = i + 1;
    }
    count
}

struct Builder<'t> {
    lines: &'t [&'t str],
}

impl<'t> Builder<'t> {
    fn lines_of(&self, from: usize, to: usize) -> Vec<&'t str> {
        (from..to).filter_map(|at| self.lines.get(at).copied()).collect()
    }

    /// Finds the last line of a value, and of all in it, that belongs to an entry at a line and a column.
    fn resolve(&self, shape: &mut Shape, line: usize, column: usize) -> Option<usize> {
        let end = match &mut shape.kind {
            Kind::Leaf => shape.end.unwrap_or(line),
            Kind::BlockText => self.end_of_text(line, column),
            Kind::Map(entries) => {
                let mut end = line;
                for (key, value) in entries {
                    if matches!(value.kind, Kind::List(_)) {
                        (value.line, value.column) = self.first_dash(key.line + 1)?;
                    }
                    end = self.resolve(value, key.line, key.column)?;
                }
                end
            }
            Kind::List(items) => {
                let mut from = shape.line;
                for item in items {
                    item.line = (from..self.lines.len()).find(|at| self.is_dash(*at, shape.column))?;
                    from = self.resolve(&mut item.value, item.line, shape.column)?.max(item.line) + 1;
                }
                from - 1
            }
        };
        shape.end = Some(end);
        Some(end)
    }

    /// Where the first dash stands at or below a line. The parser does not say it for a list that is not indented.
    fn first_dash(&self, line: usize) -> Option<(usize, usize)> {
        let mut lines = self.lines.iter().enumerate().skip(line);
        let (at, line) = lines.find(|(_, line)| !is_trivia(line.trim()))?;
        let column = line.len() - line.trim_start_matches(' ').len();
        self.is_dash(at, column).then_some((at, column))
    }

    fn is_dash(&self, line: usize, column: usize) -> bool {
        let rest = self.lines.get(line).and_then(|line| line.get(column..)).unwrap_or_default();
        rest == "-" || rest.starts_with("- ") || rest.starts_with("-\t")
    }

    /// A block text goes on while lines are empty or indented deeper than its entry. Empty lines at its end belong to it
    /// only where its mark keeps them.
    fn end_of_text(&self, entry: usize, column: usize) -> usize {
        let is_text = |line: &str| line.trim().is_empty() || line.len() - line.trim_start_matches(' ').len() > column;
        let lines = self.lines.iter().enumerate().skip(entry + 1);
        let inside: Vec<(usize, &&str)> = lines.take_while(|(_, line)| is_text(line)).collect();
        let mark = self.lines.get(entry).and_then(|line| line.get(line.find(['|', '>'])?..));
        if mark.is_some_and(|mark| mark.split('#').next().unwrap_or(mark).contains('+')) {
            return inside.last().map_or(entry, |(at, _)| *at);
        }
        inside.iter().rev().find(|(_, line)| !line.trim().is_empty()).map_or(entry, |(at, _)| *at)
    }

    /// Builds a block of which the lines above its first entry and those that end it are known.
    fn block(&self, shape: &Shape, above: Vec<String>, tail: &[&str]) -> Option<Block> {
        let places: Vec<(Option<&Key>, &Shape, Place)> = match &shape.kind {
            Kind::Map(entries) => {
                let place = |key: &Key, value: &Shape| Place { line: key.line, column: key.column, end: value.end };
                entries.iter().map(|(key, value)| (Some(key), value, place(key, value))).collect()
            }
            Kind::List(items) => {
                let place = |item: &Item| Place { line: item.line, column: shape.column, end: item.value.end };
                items.iter().map(|item| (None, &item.value, place(item))).collect()
            }
            Kind::Leaf | Kind::BlockText => return None,
        };
        let (mut entries, mut before) = (Vec::new(), above);
        for (i, (key, value, place)) in places.iter().enumerate() {
            let gap = match places.get(i + 1) {
                Some((_, _, next)) => self.lines_of(place.end? + 1, next.line),
                None => tail.to_vec(),
            };
            let (mine, rest) = gap.split_at(deeper(&gap, place.column));
            let rest: Vec<String> = rest.iter().map(|line| line.trim().to_owned()).collect();
            if place.column != shape.column || !rest.iter().all(|line| is_trivia(line)) {
                return None;
            }
            let mut entry = self.entry(*key, value, place, mine)?;
            entry.before = std::mem::take(&mut before);
            if i + 1 == places.len() {
                entry.after.extend(rest);
            } else {
                before = rest;
            }
            entries.push(entry);
        }
        Some(Block { entries })
    }

    fn entry(&self, key: Option<&Key>, value: &Shape, place: &Place, mine: &[&str]) -> Option<Entry> {
        let line = self.lines.get(place.line)?;
        let (lead, text) = (line.get(..place.column)?, line.get(place.column..)?);
        if !lead.chars().all(|c| matches!(c, ' ' | '-')) {
            return None;
        }
        let key_text = key.map(|key| key.text.clone());
        let head = if key.is_some() { text } else { text.strip_prefix('-')?.trim_start_matches(BLANKS) };
        let comments = || mine.iter().map(|line| line.trim().to_owned()).collect();
        let entry =
            |head: &str, body, after| Entry { key: key_text, before: Vec::new(), head: head.to_owned(), body, after };
        match &value.kind {
            Kind::Leaf | Kind::BlockText => {
                Some(entry(head.trim_end_matches(BLANKS), self.further(place)?, comments()))
            }
            Kind::Map(_) | Kind::List(_) if value.line == place.line => {
                let between = line.get(place.column + 1..value.column)?;
                let inline = key.is_none() && between.trim().is_empty();
                inline.then_some(())?;
                Some(entry("", Body::Inline(self.block(value, Vec::new(), mine)?), Vec::new()))
            }
            Kind::Map(_) | Kind::List(_) => {
                let above = self.lines_of(place.line + 1, value.line);
                let above: Vec<String> = above.iter().map(|line| line.trim().to_owned()).collect();
                if !above.iter().all(|line| is_trivia(line)) {
                    return None;
                }
                let bare = key.is_none() && head.trim().is_empty();
                let block = self.block(value, above, mine)?;
                Some(entry(
                    head.trim_end_matches(BLANKS),
                    if bare { Body::Inline(block) } else { Body::Below(block) },
                    Vec::new(),
                ))
            }
        }
    }

    /// The lines of a value after its first.
    fn further(&self, place: &Place) -> Option<Body> {
        let mut out = Vec::new();
        for line in self.lines_of(place.line + 1, place.end? + 1) {
            let text = line.trim_start_matches(' ');
            let indent = line.len() - text.len();
            if text.is_empty() {
                // Spaces beyond the indentation of a block text are its own.
                out.push((indent.checked_sub(place.column).filter(|beyond| *beyond > 0), String::new()));
            } else {
                out.push((Some(indent.checked_sub(place.column)?), text.to_owned()));
            }
        }
        Some(Body::Lines(out))
    }
}

struct Place {
    line: usize,
    column: usize,
    end: Option<usize>,
}
