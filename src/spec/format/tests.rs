//! Cases small enough to read, and properties over generated files.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let found = format_plan("p.yaml", text).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(found, expected);
    assert_eq!(format_plan("p.yaml", &found).as_deref(), Ok(expected), "twice is once");
}

#[test]
fn sections_and_known_keys_are_ordered_and_names_are_not() {
    check(
        "vector_sets:\n    z:\n        vectors:\n            t: { sparse: bm25 }\n        units: u\n    a: {}\nplan: p\nenact: v1\n",
        "enact: v1\nplan: p\n\nvector_sets:\n  z:\n    units: u\n    vectors:\n      t: { sparse: bm25 }\n  a: {}\n",
    );
}

#[test]
fn comments_stay_with_their_key() {
    check(
        "# yaml-language-server: $schema=x\n# about the file\n\n# about the name\nplan: p # behind it\n# about the version\nenact: v1\n\
         rows:\n   # about t\n   t.a:\n   # first\n   - values: {a: 1}   # v\n     # about key\n     key: {id: 1}\n   # ends t.a\n\
         # about units\nunits: {}\n# the end\n",
        "# yaml-language-server: $schema=x\n# about the file\n\n# about the version\nenact: v1\n# about the name\nplan: p # behind it\n\
         # about units\nunits: {}\n\nrows:\n  # about t\n  t.a:\n    # first\n    # about key\n    - key: {id: 1}\n      values: {a: 1}   # v\n\
         \x20 # ends t.a\n# the end\n",
    );
}

#[test]
fn texts_of_several_lines_move_as_they_are() {
    check(
        "enact: v1\nplan: p\nrows:\n    t.a:\n        -   values:\n                body: |\n                    one\n                      two\n\n                    three\n\
         \x20               note: >-\n                  folded\n                  text\n                flow: [a,\n                  b]\n                quoted: \"x\n                  y\"\n",
        "enact: v1\nplan: p\n\nrows:\n  t.a:\n    - values:\n        body: |\n            one\n              two\n\n            three\n\
         \x20       note: >-\n          folded\n          text\n        flow: [a,\n          b]\n        quoted: \"x\n          y\"\n",
    );
}

#[test]
fn an_alias_never_comes_before_its_anchor() {
    let text = "enact: v1\nplan: p\nvector_sets:\n  v:\n    units: &u { lifecycle: x }\nunits:\n  a:\n    where: *u\n";
    check(text, &text.replace("vector_sets:", "\nvector_sets:").replace("\nunits:", "\n\nunits:"));
    check(
        "enact: v1\nplan: p\nunits: &u\n    a: { where: {} }\nprotect:\n    b: { units: *u }\n",
        "enact: v1\nplan: p\n\nunits: &u\n  a: { where: {} }\n\nprotect:\n  b: { units: *u }\n",
    );
}

#[test]
fn empty_lines_are_at_most_one_and_lists_are_indented() {
    check(
        "\n\nenact: v1\n\n\n\nplan: p   \nchunk_policies:\n\n\n  c:\n    text: \"a\"\n\n\n    splitter: text\n  d:\nrows:\n  t.b:\n  - key: {}\n  -\n    key: {}\n\n\n",
        "enact: v1\n\nplan: p\n\nrows:\n  t.b:\n    - key: {}\n    - key: {}\n\nchunk_policies:\n  c:\n    splitter: text\n    text: \"a\"\n  d:\n",
    );
}

#[test]
fn rows_keep_their_spelling_and_tags_and_the_keys_of_a_table_are_ordered() {
    check(
        "enact: v1\nplan: p\nrows:\n    a.t:\n        max_delete: 1\n        rows:\n        -   computed: [c]\n            values: {n: 012, at: {apply.time}}\n            key:\n              id: 1.10\n\
         \x20       key: [id]\n        mode: sync\n    b.t:\n        - values:\n            j: !json null\n            k: !json '{\"a\": 1}'\n            l: !json |\n              [1]\n          key: {id: 1}\n",
        "enact: v1\nplan: p\n\nrows:\n  a.t:\n    mode: sync\n    rows:\n      - key:\n          id: 1.10\n        values: {n: 012, at: {apply.time}}\n        computed: [c]\n    key: [id]\n    max_delete: 1\n\
         \x20 b.t:\n    - key: {id: 1}\n      values:\n        j: !json null\n        k: !json '{\"a\": 1}'\n        l: !json |\n          [1]\n",
    );
}

#[test]
fn what_cannot_be_moved_is_refused_and_what_is_no_mapping_is_left() {
    assert_eq!(format_plan("p.yaml", "{enact: v1,\n   plan: p}\n").as_deref(), Ok("{enact: v1,\n   plan: p}\n"));
    for text in ["? enact\n: v1\n", "enact: v1\nunits:\n  &a\n  x: 1\n"] {
        let found = format_plan("p.yaml", text).unwrap_err();
        assert_eq!(found.0[0].code, codes::FORMAT, "{text}");
    }
    assert!(format_plan("p.yaml", "a: 1\na: 2\n").is_err());
    assert!(format_plan("p.yaml", "a: [\n").is_err());
}

#[test]
fn the_charter_is_laid_out_already() {
    let text = include_str!("../../../examples/charter/plans/charter.yaml");
    assert_eq!(format_plan("charter.yaml", text).as_deref(), Ok(text));
}

/// A value, written as block or flow at an indentation.
fn value(depth: u32) -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        Just(Tree::Leaf("1".to_owned())),
        Just(Tree::Leaf("\"a # b\"".to_owned())),
        Just(Tree::Leaf("{ x: [1, 2] }".to_owned())),
        Just(Tree::Leaf(String::new())),
        Just(Tree::Text(vec!["one".to_owned(), "  two".to_owned(), String::new(), "# three".to_owned()])),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let keys = prop::sample::subsequence(
        vec!["key", "values", "units", "where", "expect", "to", "review", "vectors", "text", "splitter", "zeta", "t.a"],
        1..5,
    );
    let map = (keys.prop_shuffle(), prop::collection::vec((value(depth - 1), any::<[bool; 3]>()), 5), 1..5usize)
        .prop_map(|(keys, values, step)| {
            Tree::Map(keys.into_iter().map(str::to_owned).zip(values).map(|(k, (v, n))| (k, v, n)).collect(), step)
        });
    let list = (prop::collection::vec((value(depth - 1), any::<[bool; 3]>()), 1..3), 0..4usize)
        .prop_map(|(items, step)| Tree::List(items, step));
    prop_oneof![2 => leaf, 3 => map, 2 => list].boxed()
}

/// Notes say whether there is a comment above, an empty line above, and a comment behind.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(String),
    Text(Vec<String>),
    Map(Vec<(String, Tree, [bool; 3])>, usize),
    List(Vec<(Tree, [bool; 3])>, usize),
}

impl Tree {
    fn write(&self, indent: usize, out: &mut String) {
        let notes = |[comment, blank, _]: &[bool; 3], out: &mut String| {
            if *blank {
                out.push('\n');
            }
            if *comment {
                out.push_str(&format!("{}# c{}\n", " ".repeat(indent), out.len()));
            }
        };
        let behind = |[_, _, behind]: &[bool; 3]| if *behind { " # behind" } else { "" };
        match self {
            Tree::Leaf(_) | Tree::Text(_) => panic!("BUG: a leaf is written by its entry"),
            Tree::Map(entries, _) => {
                for (key, value, note) in entries {
                    notes(note, out);
                    out.push_str(&format!("{}{key}:", " ".repeat(indent)));
                    value.write_value(indent, behind(note), out);
                }
            }
            Tree::List(items, _) => {
                for (value, note) in items {
                    notes(note, out);
                    out.push_str(&format!("{}-", " ".repeat(indent)));
                    value.write_value(indent, behind(note), out);
                }
            }
        }
    }

    fn write_value(&self, indent: usize, behind: &str, out: &mut String) {
        match self {
            Tree::Leaf(text) => out.push_str(&format!(" {text}{behind}\n")),
            Tree::Text(lines) => {
                out.push_str(&format!(" |{behind}\n"));
                for line in lines {
                    let indent = if line.is_empty() { 0 } else { indent + 3 };
                    out.push_str(&format!("{}{line}\n", " ".repeat(indent)));
                }
            }
            Tree::Map(_, step) | Tree::List(_, step) => {
                out.push_str(&format!("{behind}\n"));
                self.write(indent + (*step).max(1), out);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_keeps_the_value_and_every_comment_and_is_done_once(tree in value(4)) {
        let mut text = String::from("# head\n\nenact: v1\nplan: p\nunits:\n");
        match &tree {
            Tree::Map(..) | Tree::List(..) => tree.write(1, &mut text),
            Tree::Leaf(_) | Tree::Text(_) => text.push_str("  a: 1\n"),
        }
        let once = format_plan("p.yaml", &text).map_err(|found| TestCaseError::fail(format!("{found:?}\n{text}")))?;
        let twice = format_plan("p.yaml", &once);
        prop_assert_eq!(twice.as_ref(), Ok(&once), "{}\n---\n{}", text, once);
        let comments = |text: &str| {
            let mut all: Vec<String> = text.split_whitespace().collect::<Vec<_>>().windows(2)
                .filter(|pair| pair[0] == "#").map(|pair| pair[1].to_owned()).collect();
            all.sort();
            all
        };
        prop_assert_eq!(comments(&text), comments(&once), "{}\n---\n{}", text, once);
    }

    #[test]
    fn any_text_is_formatted_or_refused(text in "[a-z:#|>&*{}\\[\\]\"' \\-\n]{0,80}") {
        if let Ok(once) = format_plan("p.yaml", &text) {
            let twice = format_plan("p.yaml", &once);
            prop_assert_eq!(twice.as_ref(), Ok(&once), "{}\n---\n{}", text, once);
        }
    }
}
