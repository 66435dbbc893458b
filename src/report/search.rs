//! The hits of a search for a terminal and for machines.
//!
//! A hit shows the part of its chunk where a word of the query stands, so that a reader sees why it was found. Titles,
//! addresses and texts are other people's and are made safe here.

use serde_json::{Map, Value, json};

use super::layout::{shorten, width, wrap};
use super::style::{Role, paint};
use super::words::count;
use super::{TextOptions, escape};

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";
/// Lines of a chunk that are shown.
const SNIPPET_LINES: usize = 3;
/// Words shown before the first word of the query.
const WORDS_BEFORE: usize = 8;
/// Words of a query that have fewer characters are not looked for in a snippet.
const WORD_CHARS: usize = 3;
/// Lines are never broken narrower than this.
const NARROWEST: usize = 30;

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchView {
    /// The vector set.
    pub set: String,
    /// What was looked for.
    pub query: String,
    /// The hits, the best first.
    pub hits: Vec<Hit>,
}

/// One hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The point.
    pub id: String,
    /// The score; larger is nearer.
    pub score: f32,
    /// The title of the unit.
    pub title: Option<String>,
    /// The address of the unit.
    pub address: Option<String>,
    /// The payload as applications get it.
    pub payload: Map<String, Value>,
}

impl Hit {
    fn text(&self) -> Option<&str> {
        self.payload.get("text").and_then(Value::as_str)
    }
}

/// Writes hits for a terminal.
pub fn search_text(view: &SearchView, options: &TextOptions) -> String {
    let hits = count(view.hits.len() as u64, "hit");
    let head = format!("{hits} in {} for {}", escape::terminal(&view.set), escape::quoted(&view.query));
    let mut out = format!("{}\n", paint(Role::Strong, &head, options.color));
    let ranks = view.hits.len().to_string().len();
    for (rank, hit) in (1..).zip(&view.hits) {
        out.push('\n');
        write_hit(&mut out, &format!("{rank:>ranks$}  {:.4}  ", hit.score), hit, &view.query, options);
    }
    out
}

fn write_hit(out: &mut String, lead: &str, hit: &Hit, query: &str, options: &TextOptions) {
    let indent = width(lead);
    let room = options.width.saturating_sub(indent).max(NARROWEST);
    let address = hit.address.as_deref().unwrap_or(&hit.id);
    let title = hit.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or(address);
    let mut lines: Vec<(Role, String)> =
        wrap(&escape::terminal(title), room).into_iter().map(|line| (Role::Strong, line)).collect();
    lines.push((Role::Faint, escape::terminal(address)));
    let text = hit.text().map(escaped_words).unwrap_or_default();
    lines.extend(snippet(&text, query, room).into_iter().map(|line| (Role::Plain, line)));
    for (at, (role, line)) in lines.into_iter().enumerate() {
        let margin = if at == 0 { lead.to_owned() } else { " ".repeat(indent) };
        out.push_str(&format!("{margin}{}\n", paint(role, &line, options.color)));
    }
}

fn escaped_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(escape::terminal).collect()
}

/// The lines around the first word of the query; the beginning where there is none.
fn snippet(words: &[String], query: &str, room: usize) -> Vec<String> {
    let wanted: Vec<String> =
        query.split_whitespace().map(str::to_lowercase).filter(|word| word.chars().count() >= WORD_CHARS).collect();
    let found = words.iter().position(|word| {
        let word = word.to_lowercase();
        wanted.iter().any(|wanted| word.contains(wanted))
    });
    let mut start = found.map_or(0, |at| at.saturating_sub(WORDS_BEFORE));
    // What fits on the lines from the very beginning is not cut in front.
    if wrap(&words.join(" "), room).len() <= SNIPPET_LINES {
        start = 0;
    }
    let mut text = words[start..].join(" ");
    if start > 0 {
        text.insert_str(0, "… ");
    }
    let mut lines = wrap(&text, room);
    let more = lines.len() > SNIPPET_LINES;
    lines.truncate(SNIPPET_LINES);
    if let (true, Some(last)) = (more, lines.last_mut()) {
        *last = shorten(&format!("{last} … …"), room.min(width(last) + 2));
    }
    lines
}

/// Writes hits for machines.
pub fn search_json(view: &SearchView) -> String {
    let hits: Vec<Value> = (1u64..)
        .zip(&view.hits)
        .map(|(rank, hit)| {
            let Hit { id, score, title, address, payload } = hit;
            json!({
                "rank": rank, "score": score, "id": id, "title": title, "address": address,
                "text": hit.text(), "payload": payload,
            })
        })
        .collect();
    let answer = json!({ "format_version": FORMAT_VERSION, "set": view.set, "query": view.query, "hits": hits });
    format!("{answer:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(text: &str) -> Hit {
        let payload = Map::from_iter([("text".to_owned(), Value::from(text))]);
        let (title, address) = (Some("The owner\u{1b}[2J".to_owned()), Some("DOC/15".to_owned()));
        Hit { id: "7".to_owned(), score: 0.5, title, address, payload }
    }

    fn view(text: &str) -> SearchView {
        SearchView { set: "charter".to_owned(), query: "who may owner".to_owned(), hits: vec![hit(text)] }
    }

    const PLAIN: TextOptions = TextOptions { color: false, width: 40, verbose: false };

    #[test]
    fn a_hit_stands_in_its_column_and_cannot_write_to_the_terminal() {
        assert_eq!(
            search_text(&view("The owner answers\n\nfor the data."), &PLAIN),
            "1 hit in charter for \"who may owner\"\n\n1  0.5000  The owner\\u{1b}[2J\n           DOC/15\n           The owner answers for the\n           data.\n"
        );
    }

    #[test]
    fn a_long_text_is_shown_around_a_word_of_the_query() {
        let words: Vec<String> = (0..60).map(|n| if n == 40 { "Owners".to_owned() } else { format!("w{n}") }).collect();
        let lines = snippet(&words, "owner", 30);
        assert_eq!(
            lines,
            ["… w32 w33 w34 w35 w36 w37 w38", "w39 Owners w41 w42 w43 w44 w45", "w46 w47 w48 w49 w50 w51 w52 …"]
        );
    }

    #[test]
    fn json_has_a_version_and_ranks() {
        let answer: Value = serde_json::from_str(&search_json(&view("x"))).unwrap();
        assert_eq!(answer["format_version"], "1.0");
        assert_eq!((&answer["hits"][0]["rank"], &answer["hits"][0]["text"]), (&json!(1), &json!("x")));
    }
}
