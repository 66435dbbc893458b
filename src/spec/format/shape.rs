//! What stands where: the block collections of a document by line and column, from the parser's events.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle, options};

/// A value and where it stands. Lines and columns count from 0.
#[derive(Debug)]
pub(super) struct Shape {
    pub kind: Kind,
    pub line: usize,
    pub column: usize,
    /// The last line. The parser does not say it for blocks, block texts and values without text.
    pub end: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Scalars, aliases and flow collections: copied as they are.
    Leaf,
    /// A literal or folded text, which ends where its lines are no longer indented.
    BlockText,
    /// A block mapping.
    Map(Vec<(Key, Shape)>),
    /// A block list.
    List(Vec<Item>),
}

/// An item of a block list. The parser says where its value stands; where its dash does, only the lines say.
#[derive(Debug)]
pub(super) struct Item {
    pub line: usize,
    pub value: Shape,
}

#[derive(Debug)]
pub(super) struct Key {
    pub text: String,
    pub line: usize,
    pub column: usize,
}

/// Reads the root, if it is a block mapping that can be laid out.
pub(super) fn read(text: &str) -> Option<Shape> {
    let mut reader = Reader { parser: Parser::new_from_str_with_options(text, options! { emit_comments: false }) };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) => {}
            event => return reader.value(event, span).filter(|root| matches!(root.kind, Kind::Map(_))),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<(Event<'t>, Span)> {
        self.parser.next_event()?.ok()
    }

    fn value(&mut self, event: Event<'t>, span: Span) -> Option<Shape> {
        let (line, column) = (span.start.line().max(1) - 1, span.start.col());
        let leaf = |end| Shape { kind: Kind::Leaf, line, column, end };
        match event {
            Event::Alias(_) => Some(leaf(Some(line))),
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                Some(Shape { kind: Kind::BlockText, line, column, end: None })
            }
            Event::Scalar(..) if span.start.byte_offset() == span.end.byte_offset() => Some(leaf(None)),
            Event::Scalar(..) => Some(leaf(Some(last_line(span)))),
            Event::MappingStart(StructureStyle::Flow, ..) | Event::SequenceStart(StructureStyle::Flow, ..) => {
                self.skip_flow().map(|end| leaf(Some(end)))
            }
            Event::MappingStart(StructureStyle::Block, ..) => self.map(),
            Event::SequenceStart(StructureStyle::Block, ..) => {
                let items = self.list()?;
                Some(Shape { kind: Kind::List(items), line, column, end: None })
            }
            _ => None,
        }
    }

    fn map(&mut self) -> Option<Shape> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let text = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                Event::Alias(_) => String::new(),
                _ => return None,
            };
            let key = Key { text, line: span.start.line().max(1) - 1, column: span.start.col() };
            let (event, span) = self.next()?;
            entries.push((key, self.value(event, span)?));
        }
        let (line, column) = entries.first().map(|(key, _)| (key.line, key.column))?;
        Some(Shape { kind: Kind::Map(entries), line, column, end: None })
    }

    fn list(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Some(items),
                (event, span) => items.push(Item { line: 0, value: self.value(event, span)? }),
            }
        }
    }

    /// Gives the line on which the flow collection ends that has begun.
    fn skip_flow(&mut self) -> Option<usize> {
        let mut depth = 1;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(last_line(span));
            }
        }
    }
}

/// The line of the last character; a span that ends at the beginning of a line ends on the one before.
fn last_line(span: Span) -> usize {
    let (start, end) = (span.start.line().max(1) - 1, span.end.line().max(1) - 1);
    if span.end.col() == 0 && end > start { end - 1 } else { end }
}
