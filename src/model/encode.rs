//! A serde serializer that writes canonical JSON: entries sorted by the bytes of their keys.
//!
//! Nothing is kept beside the text itself: entries are written as they come, and put in order when their object ends.

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{self, Serialize};

/// Writes `value`, without the entries that these keys lead to.
pub(super) fn canonical<T: Serialize + ?Sized>(value: &T, left_out: &[&[&str]]) -> Vec<u8> {
    let mut canon = Canon { out: Vec::new(), left_out: left_out.iter().map(|path| Some(*path)).collect() };
    let Ok(()) = value.serialize(&mut canon) else { panic!("BUG: a model type does not serialise as JSON") };
    canon.out
}

struct Canon<'p> {
    out: Vec<u8>,
    /// What is left of each path that leads to an entry to leave out; `None` where it leads elsewhere.
    left_out: Vec<Option<&'p [&'p str]>>,
}

type Failed = serde_json::Error;

impl Canon<'_> {
    /// A text, number or truth value as serde_json writes it.
    fn plain<T: Serialize>(&mut self, value: T) -> Result<(), Failed> {
        serde_json::to_writer(&mut self.out, &value)
    }

    fn tagged<T: Serialize + ?Sized>(&mut self, variant: &'static str, value: &T) -> Result<(), Failed> {
        self.out.push(b'{');
        self.plain(variant)?;
        self.out.push(b':');
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }
}

/// A list in the making, and how it ends.
struct List<'c, 'p> {
    canon: &'c mut Canon<'p>,
    begun: bool,
    end: &'static [u8],
}

impl List<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        if std::mem::replace(&mut self.begun, true) {
            self.canon.out.push(b',');
        }
        let outer = std::mem::take(&mut self.canon.left_out);
        let done = value.serialize(&mut *self.canon);
        self.canon.left_out = outer;
        done
    }

    fn finish(self) {
        self.canon.out.extend_from_slice(self.end);
    }
}

/// An object in the making: where each entry stands, by its key.
struct Object<'c, 'p> {
    canon: &'c mut Canon<'p>,
    start: usize,
    entries: Vec<(Cow<'static, str>, Range<usize>)>,
    key: Cow<'static, str>,
    end: &'static [u8],
}

impl<'c, 'p> Object<'c, 'p> {
    fn begin(canon: &'c mut Canon<'p>, end: &'static [u8]) -> Object<'c, 'p> {
        let start = canon.out.len();
        Object { canon, start, entries: Vec::new(), key: Cow::Borrowed(""), end }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: Cow<'static, str>, value: &T) -> Result<(), Failed> {
        let outer = self.canon.left_out.clone();
        for path in &mut self.canon.left_out {
            *path = path.and_then(|path| path.split_first()).filter(|(first, _)| **first == key).map(|(_, rest)| rest);
        }
        let is_left_out = self.canon.left_out.contains(&Some(&[]));
        if !is_left_out {
            let start = self.canon.out.len();
            self.canon.plain(&*key)?;
            self.canon.out.push(b':');
            value.serialize(&mut *self.canon)?;
            self.entries.push((key, start..self.canon.out.len()));
        }
        self.canon.left_out = outer;
        Ok(())
    }

    fn finish(mut self) {
        // Of entries with one key the last counts, as in a map.
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by(|a, b| self.entries[*a].0.cmp(&self.entries[*b].0).then(b.cmp(a)));
        order.dedup_by(|later, first| self.entries[*later].0 == self.entries[*first].0);
        let written = self.canon.out.split_off(self.start);
        self.canon.out.push(b'{');
        for (number, index) in order.into_iter().enumerate() {
            if number > 0 {
                self.canon.out.push(b',');
            }
            let Range { start, end } = self.entries[index].1.clone();
            self.canon.out.extend_from_slice(&written[start - self.start..end - self.start]);
        }
        self.entries.clear();
        self.canon.out.push(b'}');
        self.canon.out.extend_from_slice(self.end);
    }
}

impl<'c, 'p> ser::Serializer for &'c mut Canon<'p> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = List<'c, 'p>;
    type SerializeTuple = List<'c, 'p>;
    type SerializeTupleStruct = List<'c, 'p>;
    type SerializeTupleVariant = List<'c, 'p>;
    type SerializeMap = Object<'c, 'p>;
    type SerializeStruct = Object<'c, 'p>;
    type SerializeStructVariant = Object<'c, 'p>;

    fn serialize_bool(self, v: bool) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_i8(self, v: i8) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_i16(self, v: i16) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_i32(self, v: i32) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_i64(self, v: i64) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_u8(self, v: u8) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_u16(self, v: u16) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_u32(self, v: u32) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_u64(self, v: u64) -> Result<(), Failed> {
        self.plain(v)
    }

    // As a value of serde_json holds it.
    fn serialize_f32(self, v: f32) -> Result<(), Failed> {
        self.plain(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_char(self, v: char) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_str(self, v: &str) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Failed> {
        self.plain(v)
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failed> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failed> {
        self.plain(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        let outer = std::mem::take(&mut self.left_out);
        let done = self.tagged(variant, value);
        self.left_out = outer;
        done
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'c, 'p>, Failed> {
        self.out.push(b'[');
        Ok(List { canon: self, begun: false, end: b"]" })
    }

    fn serialize_tuple(self, len: usize) -> Result<List<'c, 'p>, Failed> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List<'c, 'p>, Failed> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'c, 'p>, Failed> {
        self.out.push(b'{');
        self.plain(variant)?;
        self.out.extend_from_slice(b":[");
        Ok(List { canon: self, begun: false, end: b"]}" })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'c, 'p>, Failed> {
        Ok(Object::begin(self, b""))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'c, 'p>, Failed> {
        Ok(Object::begin(self, b""))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object<'c, 'p>, Failed> {
        self.out.push(b'{');
        self.plain(variant)?;
        self.out.push(b':');
        Ok(Object::begin(self, b"}"))
    }
}

impl ser::SerializeSeq for List<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.item(value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTuple for List<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.item(value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleStruct for List<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.item(value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeTupleVariant for List<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.item(value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = Failed;

    /// A key is a text, or something whose JSON becomes one: a number.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        let text = serde_json::to_string(key)?;
        self.key = Cow::Owned(if text.starts_with('"') { serde_json::from_str(&text)? } else { text });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        let key = std::mem::take(&mut self.key);
        self.entry(key, value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStruct for Object<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failed> {
        self.entry(Cow::Borrowed(key), value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Object<'_, '_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failed> {
        self.entry(Cow::Borrowed(key), value)
    }

    fn end(self) -> Result<(), Failed> {
        self.finish();
        Ok(())
    }
}
