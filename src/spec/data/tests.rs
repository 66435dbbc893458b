use std::sync::Arc;

use super::*;
use crate::model::{RowOrigin, RowState, TableName, Written};

fn from(key: &[&str]) -> FromFile {
    let place = Place { file: Arc::from("p.yaml"), line: 1, column: 1, start: 0, end: 1 };
    let spot = |name: &&str| Spot { value: (*name).to_owned(), place: place.clone() };
    let set = RowSet {
        table: Spot { value: TableName::new("a", "t"), place: place.clone() },
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        columns: Vec::new(),
        state: RowState::Present,
        origin: RowOrigin::Files,
        computed: Vec::new(),
        rows: Vec::new(),
    };
    FromFile { path: spot(&"x"), key: key.iter().map(spot).collect(), set }
}

/// The columns of each set, and its rows with the place of each value; then what is wrong.
fn read_text(format: Format, text: &str, key: &[&str]) -> String {
    let (data, from, mut out) = (DataText { file: Arc::from("x"), text }, from(key), Diagnostics::default());
    let mut mistakes = Mistakes { file: &data.file, left: MAX_MISTAKES, out: &mut out };
    let sets: Vec<RowSet> = match format {
        Format::Csv => csv::read(&data, &from, &mut mistakes).into_iter().collect(),
        Format::JsonLines => json_lines::read(&data, &from, &mut mistakes),
    };
    let mut shown = String::new();
    for set in sets {
        shown.push_str(&format!("{} | {}\n", set.key.join(","), set.columns.join(",")));
        for row in set.rows {
            let at = |place: &Place| format!("{}:{}={:?}", place.line, place.column, span(text, place));
            let cells = row.cells.iter().map(|cell| format!("{} {}", short(&cell.value), at(&cell.place)));
            shown.push_str(&format!("{} at {}\n", cells.collect::<Vec<_>>().join("; "), at(&row.place)));
        }
    }
    for Diagnostic { code, detail, place, .. } in out.0 {
        let place = place.map_or(String::new(), |place| format!("{place}"));
        shown.push_str(&format!("{} {detail} {place}\n", code.id));
    }
    shown
}

fn span<'t>(text: &'t str, place: &Place) -> &'t str {
    &text[place.start as usize..place.end as usize]
}

fn short(value: &Written) -> String {
    match value {
        Written::Null => "null".to_owned(),
        Written::Plain(text) => text.clone(),
        Written::Text(text) => format!("{text:?}"),
        Written::Spelled(text) => format!("'{text}'"),
        other => other.to_json_text().unwrap(),
    }
}

#[track_caller]
fn check(format: Format, text: &str, key: &[&str], expected: &str) {
    assert_eq!(read_text(format, text, key), expected, "{text:?}");
}

#[test]
fn a_csv_field_is_null_the_empty_text_or_its_characters() {
    check(
        Format::Csv,
        "\u{feff}z,code,a\r\n\r\n1.10,vi,\r\n\"\",\"q,\"\"é\"\"\nx\",é\r\n,en,\"y\"",
        &["code"],
        "code | a,z\n\
         'vi' 3:6=\"vi\"; null 3:9=\"\"; '1.10' 3:1=\"1.10\" at 3:1=\"1.10,vi,\"\n\
         'q,\"é\"\nx' 4:4=\"\\\"q,\\\"\\\"é\\\"\\\"\\nx\\\"\"; 'é' 5:4=\"é\"; '' 4:1=\"\\\"\\\"\" at 4:1=\"\\\"\\\",\\\"q,\\\"\\\"é\\\"\\\"\\nx\\\",é\"\n\
         'en' 6:2=\"en\"; 'y' 6:5=\"\\\"y\\\"\"; null 6:1=\"\" at 6:1=\",en,\\\"y\\\"\"\n",
    );
    check(Format::Csv, "a,b\n1,", &["a"], "a | b\n'1' 2:1=\"1\"; null 2:3=\"\" at 2:1=\"1,\"\n");
    check(
        Format::Csv,
        "a\n\n1\n\"\"\n",
        &["a"],
        "a | \n'1' 3:1=\"1\" at 3:1=\"1\"\n'' 4:1=\"\\\"\\\"\" at 4:1=\"\\\"\\\"\"\n",
    );
    let long = "é\"\"".repeat(400);
    let shown = read_text(Format::Csv, &format!("a\n\"{long}\"\n"), &["a"]);
    assert!(shown.contains(&format!("'{}'", "é\"".repeat(400))), "{shown}");
}

#[test]
fn csv_that_is_not_a_table_is_said_by_line_and_column() {
    for (text, expected) in [
        ("", "E004 \"x\" has no header line x:1:1\n"),
        ("\n\r\n", "E004 \"x\" has no header line x:3:1\n"),
        (
            "a,,a\n1,2,3\n",
            "E033 the header has a column without a name x:1:3\nE033 the header names the column \"a\" twice x:1:4\n",
        ),
        ("b,c\n1,2\n", "E017 \"x\" has no column \"a\" p.yaml:1:1\n"),
        (
            "a,b\n1\n1,2,3,4\n5,6\n",
            "a | b\n'5' 4:1=\"5\"; '6' 4:3=\"6\" at 4:1=\"5,6\"\n\
             E033 line 2 has 1 fields, and the header has 2 x:2:1\n\
             E033 line 3 has more fields than the header, which has 2 x:3:5\n",
        ),
        (
            "a,b\nx\"y,\"z\"w\n1,\"2\n3",
            "a | b\nE033 a field without quotes holds a quote x:2:1\n\
             E033 text follows the closing quote of a field x:2:5\n\
             E033 a quote is never closed x:3:3\n",
        ),
    ] {
        check(Format::Csv, text, &["a"], expected);
    }
}

#[test]
fn a_json_line_keeps_every_digit() {
    check(
        Format::JsonLines,
        "\u{feff}{\"id\": 1.10, \"b\": null, \"a\": \"é\\n\"}\r\n\n{\"id\":123456789012345678901234567890,\"a\":true,\"b\":{\"x\":[1e400, \"1\"]}}\n{\"id\":null}",
        &["id"],
        "id | a,b\n\
         1.10 1:8=\"1.10\"; \"é\\n\" 1:30=\"\\\"é\\\\n\\\"\"; null 1:19=\"null\" at 1:1=\"{\\\"id\\\": 1.10, \\\"b\\\": null, \\\"a\\\": \\\"é\\\\n\\\"}\"\n\
         123456789012345678901234567890 3:7=\"123456789012345678901234567890\"; true 3:42=\"true\"; {\"x\":[1e400,\"1\"]} 3:51=\"{\\\"x\\\":[1e400, \\\"1\\\"]}\" at 3:1=\"{\\\"id\\\":123456789012345678901234567890,\\\"a\\\":true,\\\"b\\\":{\\\"x\\\":[1e400, \\\"1\\\"]}}\"\n\
         id | \nnull 4:7=\"null\" at 4:1=\"{\\\"id\\\":null}\"\n",
    );
}

#[test]
fn a_line_that_is_no_object_with_the_key_is_said() {
    let deep = format!("{{\"id\":1,\"a\":{}1{}}}", "[".repeat(80), "]".repeat(80));
    for (text, expected) in [
        ("[1]", "E034 line 1: invalid type: sequence, expected an object x:1:1\n"),
        ("{\"id\": 1,}", "E034 line 1: trailing comma x:1:10\n"),
        ("{\"id\": 01}", "E034 line 1: invalid number x:1:9\n"),
        (
            "{}\n{\"id\":1} x",
            "E033 line 1 has no \"id\", which is in the key x:1:1\nE034 line 2: trailing characters x:2:10\n",
        ),
        (
            "{\"id\":1,\"a\":2,\"a\":{\"b\":1,\"b\":2}}",
            "E008 line 1 has the key \"a\" twice x:1:19\nE008 line 1 has the key \"b\" twice x:1:30\n",
        ),
        (
            "{\"id\":[1]}",
            "E012 the key column \"id\" must be a text, a number, null or another row ({\"row\": …, \"key\": {…}}) x:1:7\n",
        ),
        (
            "{\"id\":{\"row\":\"t\",\"key\":{\"x\":1}}}",
            "E012 the key column \"id\" must be a text, a number, null or another row ({\"row\": …, \"key\": {…}}) x:1:7\n",
        ),
        (&deep, "E007 line 1 is nested more than 64 levels deep x:1:77\n"),
    ] {
        check(Format::JsonLines, text, &["id"], expected);
    }
}

#[test]
fn a_file_of_the_wrong_kind_does_not_give_a_mistake_for_each_line() {
    let text = format!("a,b\n{}", "1\n".repeat(1_000));
    assert_eq!(read_text(Format::Csv, &text, &["a"]).lines().count(), 1 + MAX_MISTAKES);
    assert_eq!(read_text(Format::JsonLines, &text, &["a"]).lines().count(), MAX_MISTAKES);
}
