//! Placeholders: `{name}` in a template is replaced by a value from a scope.
//!
//! A template never becomes SQL: what it gives is always a bound parameter or the text of a chunk. `{{` and `}}` stand for
//! single braces. A template that is exactly one placeholder gives the value with its type, anything else a text.

use std::collections::BTreeMap;

use serde_json::Value;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

/// What the names in a template stand for.
pub trait Scope {
    /// The value of a name, `None` when there is no such name.
    fn value(&self, name: &str) -> Option<Value>;
}

impl<F: Fn(&str) -> Option<Value>> Scope for F {
    fn value(&self, name: &str) -> Option<Value> {
        self(name)
    }
}

/// Why a template cannot be read or filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A `{` has no `}`, or a `}` no `{`.
    #[error("unbalanced brace at character {offset} of \"{template}\"; write {{{{ or }}}} for a brace of the text")]
    Unbalanced {
        /// The template.
        template: String,
        /// Where, in characters from 0.
        offset: usize,
    },
    /// The scope has no such name.
    #[error("no value is called \"{name}\" here")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When the braces do not balance.
    pub fn parse(text: &str) -> Result<Template, PlaceholderError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((offset, c)) = chars.next() {
            let doubled = chars.peek().is_some_and(|(_, next)| *next == c);
            match c {
                '{' | '}' if doubled => {
                    chars.next();
                    plain.push(c);
                }
                '{' => {
                    let name: String = chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '}').collect();
                    let closed = text.chars().nth(offset + 1 + name.chars().count()) == Some('}');
                    if !closed || name.contains('{') {
                        return Err(unbalanced(text, offset));
                    }
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Name(name.trim().to_owned()));
                }
                '}' => return Err(unbalanced(text, offset)),
                _ => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template { parts })
    }

    /// The names used, in order of appearance.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Fills the template.
    ///
    /// # Errors
    /// When the scope lacks a name.
    pub fn fill(&self, scope: &dyn Scope) -> Result<Value, PlaceholderError> {
        if let [Part::Name(name)] = self.parts.as_slice() {
            return lookup(scope, name);
        }
        self.fill_text(scope).map(Value::String)
    }

    /// Fills the template as text; null becomes the empty text.
    ///
    /// # Errors
    /// When the scope lacks a name.
    pub fn fill_text(&self, scope: &dyn Scope) -> Result<String, PlaceholderError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => match lookup(scope, name)? {
                    Value::Null => {}
                    Value::String(text) => out.push_str(&text),
                    other => out.push_str(&other.to_string()),
                },
            }
        }
        Ok(out)
    }

    /// The way back of [`Template::fill_text`]: what the names stand for when the template gives this text. Names that are
    /// known already have to agree. Of several answers the one with the shortest values, from the left, counts; `None`
    /// when the template cannot give the text.
    pub fn read_back(&self, text: &str, known: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
        read_parts(&self.parts, text, known)
    }

    /// The name that is all of the template, where it is one.
    pub fn whole_name(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }
}

fn read_parts(parts: &[Part], text: &str, known: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let Some((first, rest)) = parts.split_first() else {
        return text.is_empty().then(BTreeMap::new);
    };
    let name = match first {
        Part::Text(plain) => return read_parts(rest, text.strip_prefix(plain.as_str())?, known),
        Part::Name(name) => name,
    };
    if let Some(value) = known.get(name) {
        return read_parts(rest, text.strip_prefix(value.as_str())?, known);
    }
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let ends = ends.filter(|at| !rest.is_empty() || *at == text.len());
    ends.map(|at| text.split_at(at)).find_map(|(value, left)| {
        let mut with = known.clone();
        with.insert(name.clone(), value.to_owned());
        let mut found = read_parts(rest, left, &with)?;
        found.insert(name.clone(), value.to_owned());
        Some(found)
    })
}

/// Fills every text inside a JSON value.
///
/// # Errors
/// When a template does not parse or the scope lacks a name.
pub fn fill_value(value: &Value, scope: &dyn Scope) -> Result<Value, PlaceholderError> {
    match value {
        Value::String(text) => Template::parse(text)?.fill(scope),
        Value::Array(items) => items.iter().map(|item| fill_value(item, scope)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, item)| Ok((key.clone(), fill_value(item, scope)?))).collect::<Result<_, _>>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn lookup(scope: &dyn Scope, name: &str) -> Result<Value, PlaceholderError> {
    scope.value(name).ok_or_else(|| PlaceholderError::Unknown { name: name.to_owned() })
}

fn unbalanced(template: &str, offset: usize) -> PlaceholderError {
    PlaceholderError::Unbalanced { template: template.to_owned(), offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope(name: &str) -> Option<Value> {
        match name {
            "n" => Some(json!(3)),
            "who" => Some(json!("council")),
            _ => None,
        }
    }

    #[test]
    fn one_placeholder_keeps_its_type_and_more_make_a_text() {
        assert_eq!(Template::parse("{n}").unwrap().fill(&scope).unwrap(), json!(3));
        assert_eq!(Template::parse("{{{who}-{n}}}").unwrap().fill(&scope).unwrap(), json!("{council-3}"));
        assert_eq!(fill_value(&json!({"a": ["{who}", 1]}), &scope).unwrap(), json!({"a": ["council", 1]}));
    }

    #[test]
    fn a_text_is_read_back_into_what_filled_it() {
        let read = |template: &str, text: &str, known: &[(&str, &str)]| {
            let known = known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let found = Template::parse(template).unwrap().read_back(text, &known)?;
            Some(found.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(read("{a}:rollback:{b}", "x:y:rollback:z", &[]).as_deref(), Some("a=x:y b=z"));
        assert_eq!(read("{a}:{b}", "x:y:z", &[]).as_deref(), Some("a=x b=y:z"));
        assert_eq!(read("{a}:{b}", "x:y:z", &[("b", "z")]).as_deref(), Some("a=x:y"));
        assert_eq!(read("{a}-{a}", "xy-xy", &[]).as_deref(), Some("a=xy"));
        assert_eq!(read("{a}-{a}", "xy-yx", &[]), None);
        assert_eq!(read("plain", "plain", &[]).as_deref(), Some(""));
        assert_eq!(read("run:{a}", "walk:x", &[]), None);
        assert_eq!(Template::parse("{a}").unwrap().whole_name(), Some("a"));
    }

    #[test]
    fn a_lone_brace_or_an_unknown_name_is_an_error() {
        assert!(matches!(Template::parse("a{n"), Err(PlaceholderError::Unbalanced { offset: 1, .. })));
        assert!(matches!(Template::parse("a}"), Err(PlaceholderError::Unbalanced { offset: 1, .. })));
        let unknown = Template::parse("{x}").unwrap().fill(&scope);
        assert_eq!(unknown, Err(PlaceholderError::Unknown { name: "x".into() }));
    }
}
