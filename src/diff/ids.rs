//! Derived ids. One function derives each id, for every use of it.

use md5::Digest as _;

use crate::model::{IdScheme, PlaceholderError, Scope, SetHash, Template, UnitFacts, UnitNames};

/// The hash of a set of units: SHA-256 over one line per unit, sorted by bytes, joined by a newline. An empty set hashes
/// the empty text.
///
/// # Errors
/// When the line's template cannot be filled.
pub fn set_hash<'a>(recipe: &SetHash, units: impl Iterator<Item = &'a UnitFacts>) -> Result<String, PlaceholderError> {
    let line = Template::parse(&recipe.line)?;
    let mut lines = units.map(|unit| line.fill_text(&UnitNames::of(unit))).collect::<Result<Vec<String>, _>>()?;
    lines.sort();
    Ok(hex::encode(sha2::Sha256::digest(lines.join("\n").as_bytes())))
}

/// Derives an id.
///
/// # Errors
/// When the scheme's template cannot be filled or its namespace is not a uuid.
pub fn derive_id(scheme: &IdScheme, names: &dyn Scope) -> Result<String, PlaceholderError> {
    match scheme {
        IdScheme::Md5 { prefix, text } => {
            let text = Template::parse(text)?.fill_text(names)?;
            let digits = format!("{prefix}{}", hex::encode(md5::Md5::digest(text.as_bytes())));
            let digits: String = digits.chars().take(32).collect();
            let id = uuid::Uuid::parse_str(&digits)
                .map_err(|_| PlaceholderError::Unknown { name: format!("hex prefix {prefix}") })?;
            Ok(id.hyphenated().to_string())
        }
        IdScheme::Uuid5 { namespace, text } => {
            let text = Template::parse(text)?.fill_text(names)?;
            let namespace = uuid::Uuid::parse_str(namespace)
                .map_err(|_| PlaceholderError::Unknown { name: format!("uuid namespace {namespace}") })?;
            Ok(uuid::Uuid::new_v5(&namespace, text.as_bytes()).hyphenated().to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors are the published and recomputed ids of one real promotion.
    #[test]
    fn md5_ids_equal_the_published_ones() {
        let scheme = IdScheme::Md5 { prefix: "cf0000".into(), text: "{namespace}:{kind}:{set.hash}".into() };
        let mut names = UnitNames::default();
        names.set("namespace", "IU_CORE_8000X");
        names.set("set.hash", "29b36fa4fd95dd871a0b949c2e37407c0647294752a909aac45794e8815b43bb");
        for (kind, id) in [
            ("envelope", "cf000017-b369-f74e-815d-c9ea9d8a20c6"),
            ("rd", "cf000008-5776-0276-f476-208ec026fd1f"),
            ("cs", "cf00007e-be60-3730-ac3a-74b64723230e"),
        ] {
            names.set("kind", kind);
            assert_eq!(derive_id(&scheme, &names).unwrap(), id);
        }
    }
}
