//! Columns and widths in terminal cells, where a wide character takes two and a combining mark none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape;

/// Which way a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// The cells that a text takes in a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The cells that one character takes.
pub fn char_width(c: char) -> usize {
    UnicodeWidthChar::width(c).unwrap_or(0)
}

/// Lays rows out in columns with two spaces between, one line for each row. Cells are made safe for a terminal first,
/// so that the widths are those of what is shown. Columns beyond `aligns` lean left; the last one is not padded.
pub fn columns(rows: &[Vec<String>], aligns: &[Align]) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| escape::terminal(cell)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|i| rows.iter().filter_map(|row| row.get(i)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    rows.iter().map(|row| line(row, &widths, aligns)).collect()
}

fn line(row: &[String], widths: &[usize], aligns: &[Align]) -> String {
    let mut out = String::new();
    for (i, cell) in row.iter().enumerate() {
        let padding = " ".repeat(widths[i].saturating_sub(width(cell)));
        match aligns.get(i).unwrap_or(&Align::Left) {
            Align::Left => {
                out.push_str(cell);
                out.push_str(&padding);
            }
            Align::Right => {
                out.push_str(&padding);
                out.push_str(cell);
            }
        }
        out.push_str("  ");
    }
    out.trim_end().to_owned()
}

/// Cuts a text to at most `cells`, with an ellipsis where something was cut.
pub fn shorten(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > cells {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Breaks a text at white space into lines of at most `cells`; a longer word stands alone on its line. The text must be
/// safe already.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= cells => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_line_up() {
        let rows =
            [["Điều 28", "7"], ["漢字", "12"], ["e\u{301}\u{1b}", "3"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows, &[Align::Left, Align::Right]), ["Điều 28   7", "漢字     12", "e\u{301}\\u{1b}   3"]);
    }

    #[test]
    fn emoji_and_marks_line_up() {
        let rows = [["👍🏽 Điều", "1"], ["👩‍🔬", "22"], ["ê\u{323}", "3"], ["한글", "4"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let lines = columns(&rows, &[]);
        let starts: Vec<usize> =
            lines.iter().map(|line| width(line.trim_end_matches(|c: char| c.is_ascii_digit()))).collect();
        assert_eq!(starts, [9, 9, 9, 9], "{lines:?}");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!([shorten("漢字漢字", 5), shorten("abc", 3)], ["漢字…", "abc"]);
    }

    #[test]
    fn text_wraps_at_spaces_by_cells() {
        assert_eq!(wrap("漢字 hai  ba\nbốn", 8), ["漢字 hai", "ba bốn"]);
        assert_eq!(wrap(" ", 8), Vec::<String>::new());
    }
}
