//! Kinds of columns, and values of them: a tag stands for a value, written for YAML in two ways and for SQL in one.

use serde_json::{Value, json};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Numeric,
    Citext,
    Uuid,
    Date,
    Timestamptz,
    Bool,
    Json,
    Texts,
    Mood,
    /// A domain over text, NOT NULL, of digits only.
    Code,
    /// A domain over integers, up to 1000, with a default.
    Level,
}

/// A value as an author writes it, and as SQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub yaml: String,
    pub sql: String,
    /// As a file of data has it.
    pub json: Value,
}

/// What all cases have: schemas, and the types of the kinds.
pub const PREPARATION: &str = "CREATE EXTENSION citext;
CREATE SCHEMA app;
CREATE SCHEMA \"v1.2\";
CREATE TYPE public.mood AS ENUM ('sad', 'so so', 'happy');
CREATE DOMAIN public.code AS text NOT NULL CHECK (VALUE ~ '^[0-9]+$');
CREATE DOMAIN public.level AS int DEFAULT 7 CHECK (VALUE <= 1000);
";

/// A tag whose value breaks the constraint of a domain; elsewhere it is like any other.
pub const BROKEN: u8 = 99;

const TEXTS: [&str; 16] = [
    "a",
    "x,y",
    "Ünï ệ",
    "it's",
    "1.10",
    "\"q\"",
    "NULL",
    " pad ",
    "TRUE",
    "012",
    "a\\b",
    "$1",
    "{name}",
    "two\nlines",
    "[x]=",
    "1e3",
];

impl Written {
    pub fn null() -> Written {
        Written { yaml: "null".to_owned(), sql: "NULL".to_owned(), json: Value::Null }
    }
}

impl Kind {
    pub fn column(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Text => "text",
            Kind::Numeric => "numeric(10,2)",
            Kind::Citext => "citext",
            Kind::Uuid => "uuid",
            Kind::Date => "date",
            Kind::Timestamptz => "timestamptz",
            Kind::Bool => "boolean",
            Kind::Json => "jsonb",
            Kind::Texts => "text[]",
            Kind::Mood => "public.mood",
            Kind::Code => "public.code",
            Kind::Level => "public.level",
        }
    }

    /// Whether NULL breaks its domain.
    pub fn is_never_null(self) -> bool {
        self == Kind::Code
    }

    /// Whether a row that does not name it gets a value without a default of the column.
    pub fn has_default(self) -> bool {
        self == Kind::Level
    }

    /// The value of a tag. Equal for the database whatever the spelling; as text only where spelling 0 is taken twice.
    pub fn value(self, tag: u8, odd: bool) -> Written {
        match self {
            Kind::Int => number(i64::from(tag) + 1, odd),
            Kind::Level if tag == BROKEN => number(5000, odd),
            Kind::Level => number(i64::from(tag), odd),
            Kind::Text => text(&text_of(tag), odd, "text"),
            Kind::Citext if odd => quoted(&format!("aB{tag}"), "citext"),
            Kind::Citext => quoted(&format!("Ab{tag}"), "citext"),
            Kind::Code if tag == BROKEN => quoted("x", "public.code"),
            Kind::Code => text(&format!("0{tag}"), odd, "public.code"),
            Kind::Numeric => {
                let (whole, part) = (u32::from(tag) * 125 / 100, u32::from(tag) * 125 % 100);
                let yaml = if odd { format!("\"{whole}.{part:02}0\"") } else { format!("{whole}.{part:02}") };
                let plain = format!("{whole}.{part:02}");
                Written { yaml, sql: format!("'{plain}'::numeric(10,2)"), json: json!(plain) }
            }
            Kind::Uuid => {
                let plain = format!("5b0c7a10-0000-4000-8000-0000000000{tag:02x}");
                let yaml = if odd { format!("\"{{{}}}\"", plain.to_uppercase()) } else { plain.clone() };
                Written { yaml, sql: format!("'{plain}'::uuid"), json: json!(plain) }
            }
            Kind::Date => {
                let (year, month, day) = (2026 + u32::from(tag) / 12, tag % 12 + 1, tag % 28 + 1);
                let yaml =
                    if odd { format!("{year}{month:02}{day:02}") } else { format!("{year}-{month:02}-{day:02}") };
                let plain = format!("{year}-{month:02}-{day:02}");
                Written { yaml: format!("\"{yaml}\""), sql: format!("'{plain}'::date"), json: json!(plain) }
            }
            Kind::Timestamptz => {
                let (day, hour) = (tag / 20 + 1, tag % 20);
                let plain = format!("2026-01-{day:02} {hour:02}:04:05+00");
                let yaml = if odd { format!("2026-01-{day:02}T{:02}:04:05+01:00", hour + 1) } else { plain.clone() };
                Written { yaml, sql: format!("'{plain}'::timestamptz"), json: json!(plain) }
            }
            Kind::Bool => {
                let is = tag.is_multiple_of(2);
                let yaml = if odd { format!("\"{}\"", if is { "yes" } else { "off" }) } else { is.to_string() };
                Written { yaml, sql: is.to_string(), json: json!(is) }
            }
            Kind::Json => {
                let yaml = match odd {
                    true => format!("{{ t: [null, \"é\"], n: {tag}.0 }}"),
                    false => format!("{{ n: {tag}, t: [null, \"\\u00e9\"] }}"),
                };
                // Scale shows in the text of a jsonb number, so SQL has the one that is written.
                let zero = if odd { ".0" } else { "" };
                let sql = format!("'{{\"n\": {tag}{zero}, \"t\": [null, \"é\"]}}'::jsonb");
                Written { yaml, sql, json: json!({ "n": tag, "t": [null, "é"] }) }
            }
            Kind::Texts => {
                let yaml = if odd { format!("'{{a{tag},\"b,c\",NULL}}'") } else { format!("[a{tag}, \"b,c\", null]") };
                let json = json!([format!("a{tag}"), "b,c", null]);
                Written { yaml, sql: format!("ARRAY['a{tag}', 'b,c', NULL]"), json }
            }
            Kind::Mood => {
                let mood = ["sad", "so so", "happy"][usize::from(tag) % 3];
                let yaml = if odd { format!("\"{mood}\"") } else { mood.to_owned() };
                Written { yaml, sql: format!("'{mood}'::public.mood"), json: json!(mood) }
            }
        }
    }
}

fn text_of(tag: u8) -> String {
    let index = usize::from(tag);
    let odd = TEXTS[index % TEXTS.len()];
    if index < TEXTS.len() { odd.to_owned() } else { format!("{odd}{tag}") }
}

fn number(number: i64, odd: bool) -> Written {
    let yaml = if odd { format!("\"+{number}\"") } else { number.to_string() };
    Written { yaml, sql: number.to_string(), json: json!(number) }
}

fn quoted(text: &str, of: &str) -> Written {
    let sql = format!("'{}'::{of}", text.replace('\'', "''"));
    Written { yaml: Value::from(text).to_string(), sql, json: json!(text) }
}

/// Oddly written, a text that needs no quotes in YAML has none.
fn text(text: &str, odd: bool, of: &str) -> Written {
    let written = quoted(text, of);
    let is_plain = text != "NULL" && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if odd && is_plain { Written { yaml: text.to_owned(), ..written } } else { written }
}
