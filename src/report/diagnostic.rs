//! Diagnostics as text: what, where with an excerpt, and what to do.
//!
//! ```text
//! error[E010]: unknown key: promotion "p" has no key "reveiw"
//!   --> plans/p.yaml:9:5
//!    |
//!  9 |     reveiw: { decision: approve }
//!    |     ^^^^^^
//!    = help: did you mean "review"?
//! ```
//!
//! The excerpt is one line: a value that goes on is marked to the end of its first line.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use crate::model::{Diagnostic, Diagnostics, Place, Severity};
use crate::spec::Sources;

/// Whether text is styled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// With styles.
    On,
    /// Plain text.
    Off,
}

/// Lines longer than this are cut around the mark.
const WIDTH: usize = 140;

/// Renders all of them, one after the other with an empty line between, and a final newline.
pub fn render_diagnostics(diagnostics: &Diagnostics, sources: &Sources, color: Color) -> String {
    let renderer = match color {
        Color::On => Renderer::styled(),
        Color::Off => Renderer::plain(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut text = String::new();
    for diagnostic in &diagnostics.0 {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&render_one(diagnostic, sources, &renderer));
        text.push('\n');
    }
    text
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let Diagnostic { severity, code, detail, place, hint } = diagnostic;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(format!("{}: {}", code.summary, printable(detail))).id(code.id);
    let mut group = match place {
        None => title.elements(std::iter::empty::<Origin<'_>>()),
        Some(place) => match sources.text(&place.file) {
            None => title.element(origin(place)),
            Some(source) => {
                let (line, mark) = marked_line(source, place);
                let number = usize::try_from(place.line).unwrap_or(usize::MAX);
                title.element(
                    Snippet::source(line)
                        .line_start(number)
                        .path(place.file.as_ref())
                        .annotation(AnnotationKind::Primary.span(mark)),
                )
            }
        },
    };
    if let Some(hint) = hint {
        group = group.element(Level::HELP.message(printable(hint)));
    }
    renderer.render(&[group])
}

fn origin(place: &Place) -> Origin<'static> {
    let line = usize::try_from(place.line).unwrap_or(usize::MAX);
    let column = usize::try_from(place.column).unwrap_or(usize::MAX);
    Origin::path(place.file.to_string()).line(line).char_column(column)
}

/// The line of a place without its end, and what is marked in it. Only the line is given on: thousands of mistakes in one
/// file would else be thousands of readings of all of it.
fn marked_line<'s>(source: &'s str, place: &Place) -> (&'s str, Range<usize>) {
    let clamp = |offset: u32| {
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX).min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (clamp(place.start), clamp(place.end.max(place.start)));
    let (before, after) = source.split_at(start);
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let to = after.find('\n').map_or(source.len(), |at| start + at);
    let line = source.get(from..to).unwrap_or_default().trim_end_matches('\r');
    let marked = source.get(start..end.min(to)).unwrap_or_default().trim_end();
    (line, start - from..start - from + marked.len())
}

/// Control characters of the input do not reach a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    fn example(place: Place, hint: &str) -> Diagnostics {
        let code = Code { id: "E010", summary: "unknown key" };
        Diagnostic::error(code, "a plan file has no key \"x\u{1b}[31m\"").at(&place).hint(hint).into()
    }

    #[test]
    fn a_place_beyond_the_text_or_within_a_character_is_shown_all_the_same() {
        let mut sources = Sources::default();
        sources.insert("p.yaml", "é: 1\n");
        for (start, end) in [(1, 1), (0, 1), (4, 900), (900, 901), (6, 2)] {
            let place = Place { file: "p.yaml".into(), line: 1, column: 1, start, end };
            let text = render_diagnostics(&example(place, "h"), &sources, Color::Off);
            assert!(text.contains("p.yaml:") && text.contains("E010"), "{text}");
        }
    }

    #[test]
    fn control_characters_and_styles_stay_out_of_plain_text() {
        let place = Place { file: "p.yaml".into(), line: 3, column: 7, start: 0, end: 1 };
        let text = render_diagnostics(&example(place.clone(), "h"), &Sources::default(), Color::Off);
        assert!(!text.contains('\u{1b}') && text.contains("p.yaml:3:7"), "{text}");
        let styled = render_diagnostics(&example(place, "h"), &Sources::default(), Color::On);
        assert!(styled.contains('\u{1b}'));
    }
}
