use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{ChunkPolicy, ChunkTemplate, EmptyBody, Splitter};

fn policy(splitter: Splitter, max_chars: u32, overlap_chars: u32) -> ChunkPolicy {
    let text = ChunkTemplate::parse("{title}\n\n{chunk}").unwrap();
    ChunkPolicy { splitter, max_chars, overlap_chars, text, empty_body: None }
}

fn cut(policy: &ChunkPolicy, body: &str) -> Result<Vec<Chunk>, ChunkError> {
    split(policy, &ChunkInput { title: "T", address: "A/1", body, fields: &BTreeMap::new() })
}

fn bodies(policy: &ChunkPolicy, body: &str) -> Vec<String> {
    cut(policy, body).unwrap().into_iter().map(|chunk| chunk.body).collect()
}

#[test]
fn markdown_is_cut_at_headings_first() {
    let body = "# One\n\nFirst paragraph.\n\n- a\n- b\n\n# Two\n\nSecond paragraph.\n";
    assert_eq!(
        bodies(&policy(Splitter::Markdown, 40, 0), body),
        ["# One\n\nFirst paragraph.\n\n- a\n- b", "# Two\n\nSecond paragraph."]
    );
}

#[test]
fn text_is_cut_at_blank_lines_before_sentences() {
    let body = "One one. Two two.\n\nThree three. Four four.";
    assert_eq!(bodies(&policy(Splitter::Text, 25, 0), body), ["One one. Two two.", "Three three. Four four."]);
}

#[test]
fn sentences_are_packed_and_overlap_whole() {
    let body = "One one. Two two. Three three. Four four. Five five.";
    assert_eq!(
        bodies(&policy(Splitter::Sentence, 30, 11), body),
        ["One one. Two two. Three three.", "Four four. Five five."]
    );
    assert_eq!(
        bodies(&policy(Splitter::Sentence, 30, 12), body),
        ["One one. Two two. Three three.", "Three three. Four four.", "Four four. Five five."]
    );
}

#[test]
fn a_sentence_longer_than_the_maximum_is_cut_between_words() {
    assert_eq!(bodies(&policy(Splitter::Sentence, 10, 0), "alpha beta gamma. Hi."), ["alpha beta", "gamma. Hi."]);
}

#[test]
fn vietnamese_is_counted_in_characters_not_bytes() {
    let body = "Điều 1. Phạm vi áp dụng.";
    assert_eq!(body.chars().count(), 24);
    for splitter in [Splitter::Markdown, Splitter::Text, Splitter::Sentence] {
        assert_eq!(bodies(&policy(splitter, 24, 0), body), [body]);
    }
}

#[test]
fn the_template_is_filled_for_each_chunk() {
    let fields = BTreeMap::from([("law".to_owned(), "ICX".to_owned())]);
    let text = ChunkTemplate::parse("{{{law}}} {address}: {title} / {chunk}").unwrap();
    let policy = ChunkPolicy { text, ..policy(Splitter::Text, 5, 0) };
    let input = ChunkInput { title: "T", address: "A/1", body: "one\n\ntwo", fields: &fields };
    let chunk =
        |ordinal, body: &str| Chunk { ordinal, text: format!("{{ICX}} A/1: T / {body}"), body: body.to_owned() };
    assert_eq!(split(&policy, &input), Ok(vec![chunk(0, "one"), chunk(1, "two")]));
    let missing = ChunkInput { fields: &BTreeMap::new(), ..input };
    assert_eq!(split(&policy, &missing), Err(ChunkError::MissingField { name: "law".to_owned() }));
}

#[test]
fn template_mistakes_say_where() {
    let cases = [
        ("{chunk} {", "unbalanced brace at character 8 of \"{chunk} {\"; write {{ or }} for a brace of the text"),
        ("é} {chunk}", "unbalanced brace at character 1 of \"é} {chunk}\"; write {{ or }} for a brace of the text"),
        ("{title}", "the text \"{title}\" has no {chunk}"),
        ("{{chunk}}", "the text \"{{chunk}}\" has no {chunk}"),
    ];
    for (source, message) in cases {
        assert_eq!(ChunkTemplate::parse(source).unwrap_err().to_string(), message, "{source}");
    }
}

#[test]
fn an_empty_body_is_the_authors_decision() {
    let with = |empty_body| cut(&ChunkPolicy { empty_body, ..policy(Splitter::Markdown, 10, 0) }, " \n\u{3000}");
    let address = "A/1".to_owned();
    assert_eq!(with(Some(EmptyBody::Skip)), Ok(vec![]));
    assert_eq!(
        with(Some(EmptyBody::Title)),
        Ok(vec![Chunk { ordinal: 0, text: "T".to_owned(), body: "T".to_owned() }])
    );
    assert_eq!(with(Some(EmptyBody::Error)), Err(ChunkError::EmptyBody { address: address.clone() }));
    assert_eq!(with(None), Err(ChunkError::EmptyBodyUndecided { address: address.clone() }));
    let titled = ChunkPolicy { empty_body: Some(EmptyBody::Title), ..policy(Splitter::Text, 10, 0) };
    let input = ChunkInput { title: " ", address: "A/1", body: "", fields: &BTreeMap::new() };
    assert_eq!(split(&titled, &input), Err(ChunkError::EmptyTitle { address }));
}

#[test]
fn a_policy_without_room_or_progress_is_refused() {
    assert_eq!(policy(Splitter::Text, 0, 0).validate(), Err(PolicyError::NoRoom));
    let error = PolicyError::OverlapTooLarge { overlap_chars: 10, max_chars: 10 };
    assert_eq!(policy(Splitter::Text, 10, 10).validate(), Err(error.clone()));
    assert_eq!(cut(&policy(Splitter::Sentence, 10, 10), "x"), Err(ChunkError::Policy(error)));
}

#[test]
fn the_identity_names_what_decides_a_chunk() {
    let identity = policy(Splitter::Sentence, 1200, 150).identity();
    assert_eq!(
        serde_json::to_string(&identity).unwrap(),
        r#"{"library":["text-splitter 0.33.1","unicode-segmentation 1.13.3"],"max_chars":1200,"overlap_chars":150,"splitter":"sentence","text":"{title}\n\n{chunk}"}"#
    );
}

#[test]
fn the_identity_names_the_libraries_that_are_built_in() {
    let lock = include_str!("../../Cargo.lock");
    for (name, version) in
        [("text-splitter", TEXT_SPLITTER_VERSION), ("unicode-segmentation", UNICODE_SEGMENTATION_VERSION)]
    {
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{name} is not {version}");
    }
}

#[test]
fn a_policy_survives_a_saved_plan() {
    let policy = policy(Splitter::Markdown, 1200, 150);
    let saved = serde_json::to_string(&policy).unwrap();
    assert_eq!(
        saved,
        r#"{"splitter":"markdown","max_chars":1200,"overlap_chars":150,"text":"{title}\n\n{chunk}","empty_body":null}"#
    );
    assert_eq!(serde_json::from_str::<ChunkPolicy>(&saved).unwrap(), policy);
}

/// Text that looks like Markdown, prose, or noise in any script.
fn any_body() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z]{1,8}",
        2 => "[ \\t\\r\\n]{1,3}",
        2 => r"[#*_`~>|\-+=:.!?\[\]()<>&;0-9\\]{1,4}",
        1 => "\\PC{1,5}",
        1 => any::<char>().prop_map(String::from),
        1 => prop_oneof![Just("\r\n"), Just("\u{2028}"), Just("👩‍👩‍👧‍👦"), Just("e\u{301}\u{301}"), Just("|a|b|\n|-|-|\n|c|d|\n"), Just("```\n")]
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Whether every visible character of `body` lies in one of the chunks, which are slices of it.
fn covers(body: &str, chunks: &[&str]) -> bool {
    let ranges: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk.as_ptr() as usize - body.as_ptr() as usize)
        .zip(chunks)
        .map(|(start, chunk)| start..start + chunk.len())
        .collect();
    body.char_indices().all(|(at, c)| c.is_whitespace() || ranges.iter().any(|range| range.contains(&at)))
}

proptest! {
    #[test]
    fn chunks_hold_every_visible_character_and_fit(
        body in any_body(),
        max in 1..80u32,
        overlap in 0..80u32,
        splitter in prop_oneof![Just(Splitter::Markdown), Just(Splitter::Text), Just(Splitter::Sentence)],
    ) {
        let policy = ChunkPolicy { empty_body: Some(EmptyBody::Skip), ..policy(splitter, max, overlap % max) };
        let chunks = split::bodies(&policy, &body);
        for chunk in &chunks {
            prop_assert!(chunk.chars().count() <= max as usize, "{chunk:?}");
            prop_assert!(!chunk.trim().is_empty());
        }
        prop_assert!(covers(&body, &chunks), "{body:?} -> {chunks:?}");
        let is_empty = body.trim().is_empty();
        prop_assert_eq!(bodies(&policy, &body), if is_empty { vec![] } else { chunks });
    }

    #[test]
    fn any_template_parses_or_says_why(source in "[{}a-zé]{0,12}|.{0,12}") {
        if let Err(error) = ChunkTemplate::parse(&source) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
