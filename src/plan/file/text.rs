//! Texts as short as they can be: ids and digests as base64url of their bytes.
//!
//! | in the file | stands for |
//! | --- | --- |
//! | `~` and base64url | as many lower-case hexadecimal digits as the bytes have, 32 at least |
//! | `@` and base64url | a uuid in its canonical form |
//! | `=` and a text | that text, which itself begins with one of these three |
//! | anything else | itself |
//!
//! Each text has one form, so that nothing can be written in two ways.

use std::borrow::Cow;

/// Fewer digits than these are not worth it, and may be a word.
const HEX_DIGITS: usize = 32;
/// Characters of a uuid in hyphenated form.
const UUID_CHARS: usize = 36;
/// Where its hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The short form of a text.
pub(crate) fn pack(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if let Some(uuid) = uuid_bytes(bytes) {
        return Cow::Owned(encode('@', &uuid));
    }
    if bytes.len() >= HEX_DIGITS
        && let Some(decoded) = hex_bytes(bytes)
    {
        return Cow::Owned(encode('~', &decoded));
    }
    match bytes.first() {
        Some(b'~' | b'@' | b'=') => Cow::Owned(format!("={text}")),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// The text that a short form stands for; `None` where it is no form that [`pack`] writes.
pub(crate) fn unpack(short: &str) -> Option<String> {
    match short.as_bytes().first() {
        Some(b'=') => {
            let text = &short[1..];
            (pack(text).as_bytes().first() == Some(&b'=')).then(|| text.to_owned())
        }
        Some(b'~') => {
            let bytes = decode(&short.as_bytes()[1..])?;
            (bytes.len() * 2 >= HEX_DIGITS).then(|| hex::encode(bytes))
        }
        Some(b'@') => {
            let bytes: [u8; 16] = decode(&short.as_bytes()[1..])?.try_into().ok()?;
            let mut out = [0; UUID_CHARS];
            Some(uuid::Uuid::from_bytes(bytes).hyphenated().encode_lower(&mut out).to_owned())
        }
        Some(_) | None => pack_is_itself(short).then(|| short.to_owned()),
    }
}

/// The short form of bytes that are no text.
pub(crate) fn pack_bytes(mark: char, bytes: &[u8]) -> String {
    encode(mark, bytes)
}

/// What [`pack_bytes`] packed.
pub(crate) fn unpack_bytes(mark: char, short: &str) -> Option<Vec<u8>> {
    decode(short.strip_prefix(mark)?.as_bytes())
}

fn pack_is_itself(text: &str) -> bool {
    let bytes = text.as_bytes();
    uuid_bytes(bytes).is_none() && (bytes.len() < HEX_DIGITS || hex_bytes(bytes).is_none())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn hex_bytes(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

fn uuid_bytes(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != UUID_CHARS || HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut out = [0; 16];
    let mut digits = text.iter().enumerate().filter(|(at, _)| !HYPHENS.contains(at)).map(|(_, byte)| digit(*byte));
    for byte in &mut out {
        *byte = digits.next()?? << 4 | digits.next()??;
    }
    Some(out)
}

fn encode(mark: char, bytes: &[u8]) -> String {
    let mut out = String::with_capacity(1 + bytes.len().div_ceil(3) * 4);
    out.push(mark);
    for part in bytes.chunks(3) {
        let word = part.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for place in 0..=part.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for part in text.chunks(4) {
        let mut word = 0u32;
        for byte in part {
            word = word << 6 | u32::from(value(*byte)?);
        }
        word <<= 6 * (4 - part.len());
        let bytes = part.len().checked_sub(1).filter(|bytes| *bytes > 0)?;
        let [_, whole @ ..] = word.to_be_bytes();
        // Bits that belong to no byte are zero in the one form that there is.
        if whole[bytes..].iter().any(|rest| *rest != 0) {
            return None;
        }
        out.extend_from_slice(&whole[..bytes]);
    }
    Some(out)
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        let digest = "29b36fa4fd95dd871a0b949c2e37407c0647294752a909aac45794e8815b43bb";
        let texts = [
            "",
            "a",
            "~",
            "~x",
            "@",
            "=",
            "==",
            "6d1c",
            digest,
            &digest[..32],
            &digest[..33],
            &digest[..34],
            "cf000017-b369-f74e-815d-c9ea9d8a20c6",
            "CF000017-B369-F74E-815D-C9EA9D8A20C6",
            "§ 4 Abs. 1",
        ];
        for text in texts {
            assert_eq!(unpack(&pack(text)).as_deref(), Some(text));
        }
        assert_eq!(pack(digest).len(), 44);
        assert_eq!(pack("cf000017-b369-f74e-815d-c9ea9d8a20c6").len(), 23);
    }

    #[test]
    fn a_text_has_one_form() {
        let digest = "29b36fa4fd95dd871a0b949c2e37407c";
        let packed = pack(digest).into_owned();
        for other in [
            digest,
            &format!("={digest}"),
            "~",
            "~A",
            "@AAAA",
            "=x",
            &packed.replace('K', "*"),
            "~KbNvpP2V3YcaC5ScLjdAfB",
        ] {
            assert_eq!(unpack(other), None, "{other}");
        }
    }
}
