//! Pretty canonical JSON: sorted keys, two spaces, and arrays of plain values on one line so that rows read as rows.

use serde_json::Value;

/// Writes a value at an indentation.
pub fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let items = keys.into_iter().map(|key| (Some(key.as_str()), &map[key]));
            write_block('{', '}', items, indent, out);
        }
        Value::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => {
            write_block('[', ']', items.iter().map(|item| (None, item)), indent, out);
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(Value::to_string).collect();
            out.push_str(&format!("[{}]", texts.join(", ")));
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

fn write_block<'a>(
    open: char,
    close: char,
    items: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
    indent: usize,
    out: &mut String,
) {
    out.push(open);
    for (i, (key, item)) in items.enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat((indent + 1) * 2));
        if let Some(key) = key {
            out.push_str(&Value::from(key).to_string());
            out.push_str(": ");
        }
        write(item, indent + 1, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent * 2));
    out.push(close);
}
