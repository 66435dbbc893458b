//! What an unquoted scalar means.
//!
//! The YAML 1.2 core schema, made strict: `yes`, `no`, `on` and `off` are texts, and a number that would not come back
//! as it was written (`0123`, `0x1f`, 20 digits, `.nan`) is an error that asks for quotes instead of a silent change.

use super::tree::Kind;

/// Reads an unquoted scalar; `Err` says why it is no number although it looks like one.
pub(super) fn resolve_plain(text: &str) -> Result<Kind, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
        "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err("neither JSON nor most columns can hold it");
    }
    if is_based(unsigned) {
        return Err("only decimal numbers are read");
    }
    match Decimal::parse(text) {
        None => Ok(Kind::Text(text.to_owned())),
        Some(_) if has_leading_zero(unsigned) => Err("its leading zero would be lost"),
        Some(decimal) if decimal.is_exact(text) => Ok(Kind::Number(text.to_owned())),
        Some(_) => Err("it has more digits than a number can hold here"),
    }
}

fn is_based(text: &str) -> bool {
    let digits = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    digits("0x", 16) || digits("0o", 8)
}

fn has_leading_zero(unsigned: &str) -> bool {
    unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
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
            assert_eq!(resolve_plain(text), Ok(Kind::Number(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_errors() {
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
            assert!(resolve_plain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_and_dates_stay_texts() {
        for text in ["yes", "no", "on", "v1", "2026-06-22", "1_000", "12:30", "e5", ".", "1e", "-", "+"] {
            assert_eq!(resolve_plain(text), Ok(Kind::Text(text.to_owned())), "{text}");
        }
    }
}
