//! Canonical JSON as serde_json writes it, with the entries of each object sorted by the bytes of their keys.
//!
//! Nothing is kept beside the text itself: entries are written as they come, and put in order when their object ends.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes `value`, without the entries that these keys lead to.
pub(super) fn canonical<T: Serialize + ?Sized>(value: &T, left_out: &[&[&str]]) -> Vec<u8> {
    let text = Text::default();
    let sorting = Sorting { text: text.clone(), open: Vec::new(), left_out };
    let Ok(()) = value.serialize(&mut Serializer::with_formatter(text.clone(), sorting)) else {
        panic!("BUG: a model type does not serialise as JSON");
    };
    text.0.take()
}

/// The text so far, which the serializer adds to and the formatter puts in order.
#[derive(Clone, Default)]
struct Text(Rc<RefCell<Vec<u8>>>);

impl Text {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A list or an object that has begun.
enum Open {
    List,
    Object {
        start: usize,
        /// Keys, and where the entries stand.
        entries: Vec<(String, Range<usize>)>,
    },
}

struct Sorting<'p> {
    text: Text,
    open: Vec<Open>,
    left_out: &'p [&'p [&'p str]],
}

impl Sorting<'_> {
    /// The entries of the innermost object.
    fn entries(&mut self) -> &mut Vec<(String, Range<usize>)> {
        match self.open.last_mut() {
            Some(Open::Object { entries, .. }) => entries,
            Some(Open::List) | None => panic!("BUG: an entry outside of an object"),
        }
    }

    /// Whether the innermost entry is one to leave out.
    fn is_left_out(&self) -> bool {
        let leads = |(word, open): (&&str, &Open)| match open {
            Open::Object { entries, .. } => entries.last().is_some_and(|(key, _)| key == word),
            Open::List => false,
        };
        let depth = self.open.len();
        self.left_out.iter().any(|path| path.len() == depth && path.iter().zip(&self.open).all(leads))
    }
}

impl Formatter for Sorting<'_> {
    /// As a value of serde_json holds it.
    fn write_f32<W: Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, f64::from(value))
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(Open::List);
        writer.write_all(b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.pop();
        writer.write_all(b"]")
    }

    fn begin_object<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.open.push(Open::Object { start: self.text.len(), entries: Vec::new() });
        Ok(())
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, _: &mut W, _: bool) -> io::Result<()> {
        let at = self.text.len();
        self.entries().push((String::new(), at..at));
        Ok(())
    }

    fn end_object_key<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        let text = self.text.clone();
        let Some((key, place)) = self.entries().last_mut() else { return Ok(()) };
        *key = serde_json::from_slice(&text.0.borrow()[place.start..])?;
        Ok(())
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        let (end, is_left_out) = (self.text.len(), self.is_left_out());
        let entries = self.entries();
        match entries.last_mut().filter(|_| !is_left_out) {
            Some((_, place)) => place.end = end,
            None => drop(entries.pop()),
        }
        Ok(())
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let Some(Open::Object { start, mut entries }) = self.open.pop() else { return Ok(()) };
        let written = self.text.0.borrow_mut().split_off(start);
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        writer.write_all(b"{")?;
        for (number, (_, place)) in entries.into_iter().enumerate() {
            writer.write_all(if number > 0 { b"," } else { b"" })?;
            writer.write_all(&written[place.start - start..place.end - start])?;
        }
        writer.write_all(b"}")
    }
}
