//! What an unquoted scalar means where a number or a truth value is wanted.
//!
//! The YAML 1.2 core schema, made strict: `yes`, `no`, `on` and `off` are texts. The tree keeps the characters; a number that
//! would not come back as it was written (`0123`, `0x1f`, 20 digits, `.nan`) is an error only to a reader that wants a number
//! or JSON, and asks for quotes instead of a silent change.

use crate::model::PlainScalar;

/// What an unquoted scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `true` or `false`, nothing else.
    Bool(bool),
    /// A decimal number that 64 bits hold.
    Number,
    /// It looks like a number, and this is why none is read.
    Inexact(&'static str),
    /// Anything else.
    Word,
}

/// Says what an unquoted scalar means; one that means nothing (`null`) is no scalar in the tree.
pub(super) fn meaning(text: &str) -> Meaning {
    match PlainScalar::of(text) {
        PlainScalar::Bool(flag) => Meaning::Bool(flag),
        PlainScalar::NoNumber(reason) => Meaning::Inexact(reason),
        PlainScalar::Word => Meaning::Word,
        PlainScalar::Number => match Decimal::parse(text) {
            Some(decimal) if decimal.is_exact(text) => Meaning::Number,
            Some(_) | None => Meaning::Inexact("it has more digits than a number can hold here"),
        },
    }
}

/// A decimal number in normal form: digits without zeros at either end, and the power of ten of the last one.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let written = format!("{whole}{fraction}");
        let digits = written.trim_end_matches('0');
        let dropped = i64::try_from(written.len() - digits.len()).ok()?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        let digits = digits.trim_start_matches('0').to_owned();
        let exponent = if digits.is_empty() { 0 } else { exponent };
        Some(Decimal { digits, exponent })
    }

    /// Whether a 64-bit integer, or the shortest spelling of a 64-bit float, is this number.
    fn is_exact(&self, text: &str) -> bool {
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return true;
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Decimal::parse(&format!("{float:e}")).as_ref() == Some(self),
            _ => false,
        }
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // An exponent of more digits than i64 has is a number all the same, and never exact.
    Some(text.parse().unwrap_or(i64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_come_back_as_written_are_numbers() {
        for text in ["0", "-1", "+7", "18446744073709551615", "0.1", "1.10", "1e3", "-2.5E-3", "0.0", ".5", "3."] {
            assert_eq!(meaning(text), Meaning::Number, "{text}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_said() {
        for text in [
            "007",
            "0x1F",
            "0o17",
            "18446744073709551616",
            "0.10000000000000000001",
            "1e999",
            ".nan",
            "-.inf",
            "1e99999999999999999999",
        ] {
            assert!(matches!(meaning(text), Meaning::Inexact(_)), "{text}");
        }
    }

    #[test]
    fn words_and_dates_stay_texts() {
        for text in ["yes", "no", "on", "v1", "2026-06-22", "1_000", "12:30", "e5", ".", "1e", "-", "+"] {
            assert_eq!(meaning(text), Meaning::Word, "{text}");
        }
    }
}
