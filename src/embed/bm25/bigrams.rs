//! Letters of scripts without spaces between words, two by two.

use std::borrow::Cow;

/// The text with spaces between each two neighbouring letters of such scripts, and as it is where it has none.
pub(super) fn spaced(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unspaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut last: Option<char> = None;
    let mut is_alone = false;
    for letter in text.chars() {
        match (last, is_unspaced(letter)) {
            (None, true) => {
                out.push(' ');
                is_alone = true;
            }
            (Some(before), true) => {
                out.extend([before, letter, ' ']);
                is_alone = false;
            }
            (Some(before), false) => {
                end(&mut out, before, is_alone);
                out.push(letter);
            }
            (None, false) => out.push(letter),
        }
        last = is_unspaced(letter).then_some(letter);
    }
    if let Some(before) = last {
        end(&mut out, before, is_alone);
    }
    Cow::Owned(out)
}

/// A letter that has no neighbour is a word of its own.
fn end(out: &mut String, letter: char, is_alone: bool) {
    if is_alone {
        out.extend([letter, ' ']);
    }
}

fn is_unspaced(letter: char) -> bool {
    let within = matches!(u32::from(letter),
        0x0E00..=0x0EFF // Thai, Lao
        | 0x1000..=0x109F // Burmese
        | 0x1780..=0x17FF // Khmer
        | 0x3005..=0x3007 | 0x3040..=0x312F // kana, bopomofo
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF // Han
        | 0xFF66..=0xFF9F); // half-width kana
    within && letter.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_without_spaces_go_two_by_two_and_other_text_stays() {
        assert!(matches!(spaced("Bảo lưu: a text, 2 lines\n"), Cow::Borrowed(_)));
        assert_eq!(spaced("访问申请").trim(), "访问 问申 申请");
        assert_eq!(
            spaced("the 字 and ファイル.txt").split_whitespace().collect::<Vec<_>>(),
            ["the", "字", "and", "ファ", "ァイ", "イル", ".txt"]
        );
        assert_eq!(spaced("中。").trim_start(), "中 。");
        assert_eq!(spaced("ab中文").split_whitespace().collect::<Vec<_>>(), ["ab", "中文"]);
    }
}
