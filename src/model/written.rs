//! Values as an author wrote them, before a column gives them a type.
//!
//! | in a plan file | here | in a text column | in a `jsonb` column |
//! | --- | --- | --- | --- |
//! | `null`, `~`, nothing | `Null` | NULL | NULL |
//! | `1.10`, `TRUE`, `012` | `Plain` | the same characters | a number, true or false; what JSON cannot spell is refused |
//! | `"1.10"` | `Text` | the same characters | a JSON string |
//! | `!json null`, `!json '{"a": 1}'` | `Json` | refused | that JSON |
//! | a CSV field, a value that a store spelled | `Spelled` | the same characters | JSON text |
//! | a list, a mapping | `List`, `Map` | refused | an array, an object |
//!
//! Numbers are kept as they are spelled, so no digit is lost on the way.

use super::name::TableName;

/// The placeholder of the time of the deciding transaction.
const APPLY_TIME: &str = "{apply.time}";

/// A value as an author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// SQL NULL.
    Null,
    /// A scalar without quotes.
    Plain(String),
    /// A text in quotes, or in a block.
    Text(String),
    /// JSON text, checked to be JSON.
    Json(String),
    /// Text as the column's type reads it.
    Spelled(String),
    /// A list.
    List(Vec<Written>),
    /// A mapping in the order of the file, without duplicate keys.
    Map(Vec<(String, Written)>),
    /// The time of the deciding transaction, where a binding's template says so.
    ApplyTime,
}

impl Written {
    /// A scalar's characters.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Written::Plain(text) | Written::Text(text) | Written::Json(text) | Written::Spelled(text) => Some(text),
            Written::Null | Written::List(_) | Written::Map(_) | Written::ApplyTime => None,
        }
    }

    /// The value of a JSON value, numbers as serde spells them.
    pub fn from_json(value: &serde_json::Value) -> Written {
        use serde_json::Value;
        match value {
            Value::Null => Written::Null,
            Value::Bool(flag) => Written::Plain(flag.to_string()),
            Value::Number(number) => Written::Plain(number.to_string()),
            Value::String(text) => Written::Text(text.clone()),
            Value::Array(items) => Written::List(items.iter().map(Written::from_json).collect()),
            Value::Object(map) => {
                Written::Map(map.iter().map(|(key, value)| (key.clone(), Written::from_json(value))).collect())
            }
        }
    }

    /// Another row by its natural key, `{ row: TABLE, key: { … } }`: the text of the table, and the key.
    pub fn as_reference(&self) -> Option<(&str, &[(String, Written)])> {
        let Written::Map(entries) = self else { return None };
        let of = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        match (entries.len(), of("row")?, of("key")?) {
            (2, Written::Plain(table) | Written::Text(table), Written::Map(key)) if !key.is_empty() => {
                Some((table, key))
            }
            _ => None,
        }
    }

    /// Whether it is another row by its natural key.
    pub fn is_reference(&self) -> bool {
        self.as_reference().is_some()
    }

    /// Whether it is the time of the deciding transaction. Without quotes `{apply.time}` is a mapping to YAML.
    pub fn is_apply_time(&self) -> bool {
        match self {
            Written::Plain(text) | Written::Text(text) => text == APPLY_TIME,
            Written::Map(entries) => {
                matches!(entries.as_slice(), [(key, Written::Null)] if key == "apply.time")
            }
            Written::ApplyTime => true,
            Written::Null | Written::Json(_) | Written::Spelled(_) | Written::List(_) => false,
        }
    }

    /// Whether two values of a key say the same as far as the file alone can tell: `1` and `"1"` do. Whether the column
    /// takes more of them for equal, the database knows.
    pub fn is_same_key(&self, other: &Written) -> bool {
        if let (Some(this), Some(other)) = (self.scalar(), other.scalar()) {
            return this == other;
        }
        if let (Some(this), Some(other)) = (self.as_reference(), other.as_reference()) {
            return is_same_reference(this, other);
        }
        self == other
    }

    /// The value as JSON text in which every digit is as it was written.
    ///
    /// # Errors
    /// A value that JSON cannot say.
    pub fn to_json_text(&self) -> Result<String, JsonTextError> {
        let mut out = String::new();
        self.write_json(&mut out)?;
        Ok(out)
    }

    fn write_json(&self, out: &mut String) -> Result<(), JsonTextError> {
        match self {
            Written::Null => out.push_str("null"),
            Written::Plain(text) => write_plain(text, out)?,
            Written::Text(text) => write_text(text, out),
            Written::Json(text) | Written::Spelled(text) => {
                check_json(text)?;
                out.push_str(text);
            }
            Written::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    item.write_json(out)?;
                }
                out.push(']');
            }
            Written::Map(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    write_text(key, out);
                    out.push(':');
                    value.write_json(out)?;
                }
                out.push('}');
            }
            Written::ApplyTime => return Err(JsonTextError::ApplyTime),
        }
        Ok(())
    }
}

/// Why a value has no JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonTextError {
    /// A scalar without quotes that looks like a number and is none to JSON.
    #[error("{text} is without quotes, and {reason}")]
    NoNumber {
        /// The scalar.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A text that was to be JSON is not.
    #[error("\"{text}\" is not JSON: {reason}")]
    NoJson {
        /// Its beginning.
        text: String,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The time of the deciding transaction is not known before.
    #[error("the time of the apply cannot stand inside JSON")]
    ApplyTime,
}

impl JsonTextError {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            JsonTextError::NoNumber { text, .. } => format!("put it in quotes: \"{text}\""),
            JsonTextError::NoJson { .. } => "write JSON, such as !json '{\"a\": 1}' or !json null".to_owned(),
            JsonTextError::ApplyTime => "give it a column of its own".to_owned(),
        }
    }
}

/// What YAML's core schema makes of a scalar without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainScalar {
    /// `true` or `false`, and the spellings of the core schema.
    Bool(bool),
    /// A decimal number, of whatever length.
    Number,
    /// It looks like a number and is none that JSON can spell.
    NoNumber(&'static str),
    /// Anything else.
    Word,
}

impl PlainScalar {
    /// Judges a scalar. `null` and `~` are no scalars any more where this is asked.
    pub fn of(text: &str) -> PlainScalar {
        match text {
            "true" | "True" | "TRUE" => return PlainScalar::Bool(true),
            "false" | "False" | "FALSE" => return PlainScalar::Bool(false),
            _ => {}
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
            return PlainScalar::NoNumber("neither JSON nor most columns can hold it");
        }
        if is_based(unsigned) {
            return PlainScalar::NoNumber("only decimal numbers are read");
        }
        match Decimal::parse(text) {
            None => PlainScalar::Word,
            Some(Decimal { whole, .. }) if whole.len() > 1 && whole.starts_with('0') => {
                PlainScalar::NoNumber("its leading zero would be lost")
            }
            Some(_) => PlainScalar::Number,
        }
    }

    /// Whether YAML reads a text without quotes as nothing.
    pub fn is_null(text: &str) -> bool {
        matches!(text, "" | "~" | "null" | "Null" | "NULL")
    }
}

/// The parts of a decimal number as it is written.
struct Decimal<'t> {
    minus: bool,
    whole: &'t str,
    fraction: &'t str,
    /// With its letter.
    exponent: &'t str,
}

impl Decimal<'_> {
    fn parse(text: &str) -> Option<Decimal<'_>> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = unsigned.split_at(unsigned.find(['e', 'E']).unwrap_or(unsigned.len()));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let power = exponent.get(1..).map(|power| power.strip_prefix(['-', '+']).unwrap_or(power));
        let known = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        let known = known && power.is_none_or(|power| !power.is_empty() && digits(power));
        known.then_some(Decimal { minus: text.starts_with('-'), whole, fraction, exponent })
    }
}

fn is_based(text: &str) -> bool {
    let digits = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    digits("0x", 16) || digits("0o", 8)
}

fn write_plain(text: &str, out: &mut String) -> Result<(), JsonTextError> {
    match (PlainScalar::of(text), Decimal::parse(text)) {
        (PlainScalar::Bool(flag), _) => out.push_str(if flag { "true" } else { "false" }),
        (PlainScalar::NoNumber(reason), _) => {
            return Err(JsonTextError::NoNumber { text: text.to_owned(), reason });
        }
        (PlainScalar::Number, Some(Decimal { minus, whole, fraction, exponent })) => {
            out.push_str(if minus { "-" } else { "" });
            out.push_str(if whole.is_empty() { "0" } else { whole });
            if !fraction.is_empty() {
                out.push('.');
                out.push_str(fraction);
            }
            out.push_str(exponent);
        }
        (PlainScalar::Number | PlainScalar::Word, _) => write_text(text, out),
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Checks that a text is JSON.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check_json(text: &str) -> Result<(), JsonTextError> {
    const SHOWN: usize = 60;
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let more = if text.chars().count() > SHOWN { "…" } else { "" };
            let shown: String = text.chars().take(SHOWN).collect();
            Err(JsonTextError::NoJson { text: format!("{shown}{more}"), reason: error.to_string() })
        }
    }
}

type Reference<'w> = (&'w str, &'w [(String, Written)]);

fn is_same_reference((table, key): Reference<'_>, (other_table, other_key): Reference<'_>) -> bool {
    let is_same_table = match (TableName::parse(table), TableName::parse(other_table)) {
        (Ok(table), Ok(other)) => table == other,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => table == other_table,
    };
    is_same_table
        && key.len() == other_key.len()
        && key
            .iter()
            .all(|(column, value)| other_key.iter().any(|(other, theirs)| column == other && value.is_same_key(theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Written {
        Written::Plain(text.to_owned())
    }

    fn text(text: &str) -> Written {
        Written::Text(text.to_owned())
    }

    fn map(entries: &[(&str, Written)]) -> Written {
        Written::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn every_digit_comes_into_json_as_it_is_written() {
        for (written, json) in [
            ("1", "1"),
            ("1.10", "1.10"),
            ("-0", "-0"),
            ("+7", "7"),
            (".5", "0.5"),
            ("-.50", "-0.50"),
            ("3.", "3"),
            ("3.e2", "3e2"),
            ("1E+3", "1E+3"),
            ("1e999", "1e999"),
            (
                "123456789012345678901234567890.12345678901234567890",
                "123456789012345678901234567890.12345678901234567890",
            ),
            ("TRUE", "true"),
            ("False", "false"),
            ("yes", "\"yes\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("1_000", "\"1_000\""),
            ("1e", "\"1e\""),
            (".", "\".\""),
        ] {
            assert_eq!(plain(written).to_json_text().as_deref(), Ok(json), "{written}");
            assert!(check_json(json).is_ok(), "{json}");
        }
        let value = map(&[
            ("b", Written::List(vec![plain("1.0"), text("1.0"), Written::Null])),
            ("a \"", Written::Json("{ \"x\": 1e2 }".to_owned())),
            ("s", Written::Spelled("[1]".to_owned())),
        ]);
        let expected = r#"{"b":[1.0,"1.0",null],"a \"":{ "x": 1e2 },"s":[1]}"#;
        assert_eq!(value.to_json_text().as_deref(), Ok(expected));
    }

    #[test]
    fn what_json_cannot_spell_is_said() {
        for written in ["012", "-00.5", "0x1F", "0o17", ".nan", "-.inf"] {
            let error = plain(written).to_json_text().unwrap_err();
            assert_eq!(error.hint(), format!("put it in quotes: \"{written}\""));
            assert!(error.to_string().starts_with(&format!("{written} is without quotes, and ")), "{error}");
        }
        let error = Written::Spelled("{a}".to_owned()).to_json_text().unwrap_err();
        assert_eq!(error.to_string(), "\"{a}\" is not JSON: key must be a string at line 1 column 2");
        assert_eq!(Written::List(vec![Written::ApplyTime]).to_json_text(), Err(JsonTextError::ApplyTime));
    }

    #[test]
    fn a_reference_is_a_mapping_of_exactly_row_and_key() {
        let key = map(&[("id", plain("1"))]);
        let reference = map(&[("key", key.clone()), ("row", plain("a.b"))]);
        assert_eq!(reference.as_reference(), Some(("a.b", &[("id".to_owned(), plain("1"))][..])));
        for other in [
            map(&[("row", plain("a.b"))]),
            map(&[("row", plain("a.b")), ("key", map(&[]))]),
            map(&[("row", Written::Null), ("key", key.clone())]),
            map(&[("row", plain("a.b")), ("key", plain("1"))]),
            map(&[("row", plain("a.b")), ("key", key.clone()), ("more", plain("1"))]),
            key,
        ] {
            assert!(!other.is_reference(), "{other:?}");
        }
    }

    #[test]
    fn the_time_of_the_apply_is_known_with_and_without_quotes() {
        for written in [plain("{apply.time}"), text("{apply.time}"), map(&[("apply.time", Written::Null)])] {
            assert!(written.is_apply_time(), "{written:?}");
        }
        for written in [text("at {apply.time}"), map(&[("apply.time", plain("1"))]), Written::Null] {
            assert!(!written.is_apply_time(), "{written:?}");
        }
    }

    #[test]
    fn keys_are_the_same_when_their_characters_are() {
        let reference = |table: &str, id| map(&[("row", text(table)), ("key", map(&[("id", id)]))]);
        for (one, other, same) in [
            (plain("1"), text("1"), true),
            (plain("1"), plain("1.0"), false),
            (Written::Null, text("null"), false),
            (Written::Null, Written::Null, true),
            (reference("a.b", plain("1")), reference("\"a\".b", text("1")), true),
            (reference("a.b", plain("1")), reference("a.b", text("2")), false),
            (reference("a.b", plain("1")), text("1"), false),
        ] {
            assert_eq!(one.is_same_key(&other), same, "{one:?} {other:?}");
        }
    }
}
