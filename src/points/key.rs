//! Keys of chunks: in the ledger, and as ids in the id scheme `key`.

use crate::model::{Binding, PointId, Template, UnitFacts, UnitNames};

/// The ledger's key of one chunk, where the set has a ledger whose key can be filled from a unit.
pub fn ledger_key(binding: &Binding, set: &str, unit: &UnitFacts, ordinal: u32) -> Option<String> {
    let ledger = binding.ledger.as_ref().filter(|ledger| ledger.sets.iter().any(|name| name == set))?;
    filled(&ledger.key, unit, ordinal)
}

/// The key of one chunk; empty where the template cannot be filled, which was checked before.
pub fn point_key(template: &str, unit: &UnitFacts, ordinal: u32) -> String {
    filled(template, unit, ordinal).unwrap_or_default()
}

/// The id of one chunk in the id scheme `key`. The namespace and the names of the template were checked before.
pub fn chunk_id(namespace: &str, template: &str, unit: &UnitFacts, ordinal: u32) -> PointId {
    let key = point_key(template, unit, ordinal);
    PointId::of_key(namespace, &key).unwrap_or_else(|| panic!("BUG: \"{namespace}\" was let through as a uuid"))
}

fn filled(template: &str, unit: &UnitFacts, ordinal: u32) -> Option<String> {
    let mut names = UnitNames::of(unit);
    names.set("chunk.index", ordinal);
    names.set("chunk.key", format!("{ordinal:04}"));
    Template::parse(template).ok()?.fill_text(&names).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key is the one that the field publishes; the id was computed with Python's `uuid.uuid5`.
    #[test]
    fn the_id_of_a_chunk_is_uuid_5_of_its_key() {
        let unit = UnitFacts { address: "ICX-CONST/KT-B".to_owned(), ..UnitFacts::default() };
        let template = "iu.{unit.address}#chunk-{chunk.key}";
        assert_eq!(point_key(template, &unit, 1), "iu.ICX-CONST/KT-B#chunk-0001");
        let id = chunk_id("6ba7b811-9dad-11d1-80b4-00c04fd430c8", template, &unit, 1);
        assert_eq!(Some(id), PointId::from_text("01b5bdc7-d94e-525a-86d3-950a91ba9386"));
    }
}
