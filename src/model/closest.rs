//! "Did you mean": the nearest known name.

/// The candidate nearest to a name, if one is near enough to be a slip of the keyboard.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The hint that goes with an unknown name: the nearest one, or all there are.
pub fn name_hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = candidates.into_iter().collect();
    match closest(name, all.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if all.is_empty() => "there is none".to_owned(),
        None => format!("there is: {}", all.join(", ")),
    }
}

/// The hint that goes with an unknown name where there may be very many: the nearest one, or this.
pub fn near_hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    closest(name, candidates).map_or_else(|| otherwise.to_owned(), |near| format!("did you mean \"{near}\"?"))
}
