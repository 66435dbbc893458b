//! Numbers and sentences as people read them.

use std::time::Duration;

use crate::diff::Reason;

/// Writes a number with a comma between thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Counts a noun: `1 row`, `2,000 rows`, `3 policies`.
pub fn count(value: u64, noun: &str) -> String {
    match (value, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o']) => format!("{} {stem}ies", number(value)),
        (_, Some(_) | None) => format!("{} {noun}s", number(value)),
    }
}

/// Writes an estimate of tokens: `~950`, `~9.3k`, `~93k`, `~1.2M`.
pub fn tokens(value: u64) -> String {
    match value {
        0..1_000 => format!("~{value}"),
        1_000..9_950 => format!("~{}k", tenths(value, 1_000)),
        9_950..999_500 => format!("~{}k", (value + 500) / 1_000),
        _ => format!("~{}M", tenths(value / 1_000, 1_000)),
    }
}

fn tenths(value: u64, unit: u64) -> String {
    let rounded = (value + unit / 20) / (unit / 10);
    if rounded.is_multiple_of(10) { (rounded / 10).to_string() } else { format!("{}.{}", rounded / 10, rounded % 10) }
}

/// Writes a duration with the two units that matter: `350 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(value: Duration) -> String {
    let (ms, seconds) = (value.as_millis(), value.as_secs());
    match seconds {
        0 if ms < 1_000 => format!("{ms} ms"),
        0..60 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{} {large_unit}", number(large))
    } else {
        format!("{} {large_unit} {small} {small_unit}", number(large))
    }
}

/// Says why something changes.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::NotThere => "declared and not there".to_owned(),
        Reason::ValuesDiffer => "the declared values differ from the live ones".to_owned(),
        Reason::FileChanged => "the plan file changed since the last apply".to_owned(),
        Reason::ChangedOutside => "changed outside Enact since the last apply".to_owned(),
        Reason::GoneOutside => "deleted outside Enact since the last apply".to_owned(),
        Reason::Conflict => "conflict: changed outside Enact, and the plan file changed to something else".to_owned(),
        Reason::OutdatedRecord => "changed outside Enact to what is declared; written down as it is".to_owned(),
        Reason::DeclaredAbsent => "declared absent".to_owned(),
        Reason::NotInSync => "its table is synced, and no plan file declares it".to_owned(),
        Reason::Promotion(name) => format!("needed by promotion {name}"),
        Reason::LifecycleChanges => "lifecycle states that it depends on change".to_owned(),
        Reason::UnitJoins => "the unit joins the selection".to_owned(),
        Reason::UnitLeaves => "the unit leaves the selection".to_owned(),
        Reason::ContentChanged => "the content changed".to_owned(),
        Reason::PayloadChanged => "values of the text or the payload changed".to_owned(),
        Reason::RecipeChanged => "the chunk policy, an embedder or the payload's fields changed".to_owned(),
        Reason::PointsMissing(1) => "1 point is missing that should exist".to_owned(),
        Reason::PointsMissing(points) => format!("{} points are missing that should exist", number(*points)),
        Reason::PointsChanged(1) => "1 point is no longer what was written".to_owned(),
        Reason::PointsChanged(points) => format!("{} points are no longer what was written", number(*points)),
        Reason::Replaced => "asked for with --replace".to_owned(),
        Reason::Adopted => "made before Enact knew of it, taken over as it is".to_owned(),
        Reason::ShapeChanged(how) => format!("the collection's shape changes: {how}"),
        Reason::EpochChanged => "the database is not the one that the set was written under".to_owned(),
        Reason::DeclaredOtherwise => {
            "the plan file changed since the last apply, and its points are the same".to_owned()
        }
        Reason::DeclaredAgain => "declared again; what it owned is its own again".to_owned(),
        Reason::Moved => "it moved since the last apply".to_owned(),
        Reason::Reverted(run) => format!("run {run} is reverted"),
        Reason::NoLongerDeclared => "no longer declared; what is there stays".to_owned(),
    }
}

/// Joins several reasons.
pub fn reasons(all: &[Reason]) -> String {
    all.iter().map(reason).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([1, 2].map(|n| count(n, "row")), ["1 row", "2 rows"]);
        assert_eq!(["chunk policy", "key"].map(|noun| count(0, noun)), ["0 chunk policies", "0 keys"]);
        assert_eq!(
            [0, 950, 9_312, 9_999, 93_210, 999_499, 999_500, 1_250_000].map(tokens),
            ["~0", "~950", "~9.3k", "~10k", "~93k", "~999k", "~1M", "~1.3M"]
        );
        assert_eq!(
            [350, 4_250, 60_000, 200_000, 7_500_000, 273_600_000].map(|ms| duration(Duration::from_millis(ms))),
            ["350 ms", "4.2 s", "1 min", "3 min 20 s", "2 h 5 min", "3 d 4 h"]
        );
    }
}
