//! YAML text to a tree with places.
//!
//! The events of the parser are read directly, because a serde data model has neither the source span of a key nor a
//! number's spelling. Every limit holds while the tree grows, so hostile input costs no more than the limit:
//!
//! - at most 8 MiB of text, 64 levels (aliases counted where they are used), a million nodes (likewise; long texts
//!   count more than once)
//! - one document, no tags but `!!str` and `!json` (which only values of rows may have), no merge keys, keys are scalars
//! - a duplicate key is reported and the reading goes on; anything else ends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::codes;
use super::tree::{Entry, Kind, Node};
use crate::model::{Diagnostic, Diagnostics, Place, PlainScalar, Spot};

const MAX_BYTES: usize = 8 << 20;
const MAX_DEPTH: usize = 64;
const MAX_WEIGHT: usize = 1_000_000;
/// So many bytes of a text weigh as much as a node.
const BYTES_PER_WEIGHT: usize = 64;
/// Handle and suffix of the tag of JSON text.
const JSON_TAG: (&str, &str) = ("!", "json");

/// Parses a file's text. `None` when the reading had to end; what was wrong is in `out`.
pub(super) fn parse_document(file: &Arc<str>, text: &str, out: &mut Diagnostics) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let detail = format!("\"{file}\" has {} bytes; at most {MAX_BYTES} are read", text.len());
        out.push(Diagnostic::error(codes::BUDGET, detail).hint("split it into several files"));
        return None;
    }
    let parser = Parser::new_from_str_with_options(text, options! { emit_comments: false });
    let mut reader = Reader { parser, file, text, anchors: BTreeMap::new(), weight: 0, out };
    match reader.document() {
        Ok(node) => node,
        Err(diagnostic) => {
            out.push(*diagnostic);
            None
        }
    }
}

/// A finished tree that an alias may repeat.
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

/// A tree with its cost.
struct Built {
    node: Node,
    height: usize,
}

type Step<T> = Result<T, Box<Diagnostic>>;

struct Reader<'a, 't> {
    parser: Parser<'t, StrInput<'t>>,
    file: &'a Arc<str>,
    text: &'t str,
    anchors: BTreeMap<usize, Anchored>,
    weight: usize,
    out: &'a mut Diagnostics,
}

impl<'t> Reader<'_, 't> {
    fn document(&mut self) -> Step<Option<Node>> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let detail = format!("\"{}\" holds more than one document", self.file);
                    return Err(Box::new(
                        Diagnostic::error(codes::SEVERAL_DOCUMENTS, detail)
                            .at(&self.place(span))
                            .hint("write each into its own file"),
                    ));
                }
                Event::DocumentStart(..) => {}
                event => root = Some(self.node(event, span, 0)?.node),
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Step<Option<(Event<'t>, Span)>> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(pair)) => Ok(Some(pair)),
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
        }
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let marker = *error.marker();
        let place = self.place(Span::new(marker, marker));
        let diagnostic = Diagnostic::error(codes::SYNTAX, error.info()).at(&place);
        let before = self.text.get(..marker.byte_offset().unwrap_or(0)).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        if line.contains('\t') || self.text.get(before.len()..).is_some_and(|rest| rest.starts_with('\t')) {
            return diagnostic.hint("indent with spaces; a tab is not allowed there");
        }
        diagnostic
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Step<Built> {
        let place = self.place(span);
        if depth >= MAX_DEPTH {
            return Err(too_deep(&place));
        }
        let before = self.weight;
        self.spend(1, &place)?;
        let (built, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (Built { node: self.scalar(&text, style, tag.as_deref(), place)?, height: 1 }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), &place)?;
                (self.list(place, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), &place)?;
                (self.map(place, depth)?, anchor)
            }
            Event::Alias(target) => return self.alias(target, place, depth),
            _ => panic!("BUG: the parser gave an event where a node belongs"),
        };
        if anchor != 0 {
            let weight = self.weight - before;
            self.anchors.insert(anchor, Anchored { node: built.node.clone(), weight, height: built.height });
        }
        Ok(built)
    }

    fn list(&mut self, place: Place, depth: usize) -> Step<Built> {
        let (mut items, mut height) = (Vec::new(), 0);
        loop {
            match self.next()? {
                None | Some((Event::SequenceEnd, _)) => break,
                Some((event, span)) => {
                    let item = self.node(event, span, depth + 1)?;
                    height = height.max(item.height);
                    items.push(item.node);
                }
            }
        }
        Ok(Built { node: Node { kind: Kind::List(items), place }, height: height + 1 })
    }

    fn map(&mut self, mut place: Place, depth: usize) -> Step<Built> {
        let (mut entries, mut height) = (Vec::<Entry>::new(), 0);
        let mut seen = BTreeMap::<String, Place>::new();
        loop {
            let (event, span) = match self.next()? {
                None | Some((Event::MappingEnd, _)) => break,
                Some(pair) => pair,
            };
            let key = self.key(event, span, depth)?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            height = height.max(value.height);
            if entries.is_empty() && key.place.start == place.start {
                place.end = key.place.end;
            }
            if let Some(first) = seen.get(&key.value) {
                let detail = format!("the key \"{}\" is already there at {first}", key.value);
                self.out
                    .push(Diagnostic::error(codes::DUPLICATE_KEY, detail).at(&key.place).hint("keep one of the two"));
                continue;
            }
            seen.insert(key.value.clone(), key.place.clone());
            let mut value = value.node;
            if value.kind == Kind::Null {
                // A value left out has no text of its own to point at.
                value.place = key.place.clone();
            }
            entries.push(Entry { key, value });
        }
        Ok(Built { node: Node { kind: Kind::Map(entries), place }, height: height + 1 })
    }

    fn key(&mut self, event: Event<'t>, span: Span, depth: usize) -> Step<Spot<String>> {
        let place = self.place(span);
        let quoted = !matches!(&event, Event::Scalar(_, ScalarStyle::Plain, ..));
        let node = match event {
            Event::Scalar(..) | Event::Alias(_) => self.node(event, span, depth + 1)?.node,
            _ => return Err(not_read("a key that is a list or a mapping", &place, "use a text as the key")),
        };
        match node.characters() {
            Some(text) if text == "<<" && !quoted => {
                Err(not_read("a merge key", &place, "write the keys out, or repeat a whole value with an alias"))
            }
            Some(text) => Ok(Spot { value: text.to_owned(), place }),
            None => Err(not_read("a key that is not a text", &place, "use a text as the key")),
        }
    }

    fn alias(&mut self, target: usize, place: Place, depth: usize) -> Step<Built> {
        let Some(anchored) = self.anchors.get(&target) else {
            return Err(not_read("an alias inside the value that it repeats", &place, "write the value out"));
        };
        if depth + anchored.height > MAX_DEPTH {
            return Err(too_deep(&place));
        }
        let (weight, height) = (anchored.weight, anchored.height);
        self.spend(weight, &place)?;
        // The weight is paid before the copy is made, so a bomb never grows beyond the limit.
        let mut node = match self.anchors.get(&target) {
            Some(anchored) => anchored.node.clone(),
            None => panic!("BUG: an anchor vanished"),
        };
        node.place = place;
        Ok(Built { node, height })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, place: Place) -> Step<Node> {
        self.spend(text.len() / BYTES_PER_WEIGHT, &place)?;
        let text_kind: fn(String) -> Kind = match tag {
            None if style == ScalarStyle::Plain && PlainScalar::is_null(text) => |_| Kind::Null,
            None if style == ScalarStyle::Plain => Kind::Plain,
            None => Kind::Text,
            Some(tag) if tag.core_suffix() == Some("str") => Kind::Text,
            Some(tag) if tag.parts() == JSON_TAG => Kind::Json,
            Some(_) => {
                refuse_tag(tag, &place)?;
                return Err(not_read("a tag of a collection at a scalar", &place, "leave the tag out"));
            }
        };
        let kind = text_kind(text.to_owned());
        Ok(Node { kind, place })
    }

    fn spend(&mut self, weight: usize, place: &Place) -> Step<()> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight <= MAX_WEIGHT {
            return Ok(());
        }
        let detail = format!("\"{}\" grows beyond {MAX_WEIGHT} values with its aliases written out", self.file);
        Err(Box::new(Diagnostic::error(codes::BUDGET, detail).at(place).hint("use fewer aliases, or several files")))
    }

    fn place(&self, span: Span) -> Place {
        let offset = |bytes: Option<usize>| u32::try_from(bytes.unwrap_or(0)).unwrap_or(u32::MAX);
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Place {
            file: self.file.clone(),
            line: number(span.start.line().max(1)),
            column: number(span.start.col() + 1),
            start: offset(span.start.byte_offset()),
            end: offset(span.end.byte_offset()).max(offset(span.start.byte_offset())),
        }
    }
}

fn refuse_tag(tag: Option<&Tag>, place: &Place) -> Step<()> {
    match tag {
        None => Ok(()),
        Some(tag) if matches!(tag.core_suffix(), Some("map" | "seq")) => Ok(()),
        Some(tag) => {
            Err(not_read(format!("the tag {}", tag.original()), place, "leave the tag out; quote a text instead"))
        }
    }
}

fn not_read(what: impl Into<String>, place: &Place, hint: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(codes::YAML_FEATURE, what).at(place).hint(hint))
}

fn too_deep(place: &Place) -> Box<Diagnostic> {
    let detail = format!("values are nested more than {MAX_DEPTH} levels deep");
    Box::new(Diagnostic::error(codes::BUDGET, detail).at(place))
}
