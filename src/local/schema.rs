//! The SQL that ships with Enact, compiled in: the reference schema, its fixture, and the plain documents table.
//!
//! Each list is in load order and is meant for one transaction of a superuser. Roles are of the whole cluster and
//! survive: loading into a second database of the same cluster leaves them as they are.

/// Lists the files of the reference schema, and the demo tooling on top of it.
pub fn iu_core_sql() -> &'static [(&'static str, &'static str)] {
    macro_rules! files {
        ($($name:literal),+ $(,)?) => {
            &[$(($name, include_str!(concat!("../../schemas/sql/iu_core/", $name)))),+]
        };
    }
    files![
        "01_roles.sql",
        "02_config.sql",
        "03_units.sql",
        "04_governance.sql",
        "05_guards.sql",
        "06_writers.sql",
        "07_three_axis.sql",
        "08_vectors.sql",
        "09_runtime.sql",
        "10_grants.sql",
        "80_corpus.sql",
    ]
}

/// Fills the reference schema with 163 units of the field's shape.
pub fn fixture_sql() -> (&'static str, &'static str) {
    ("90_fixture.sql", include_str!("../../schemas/sql/iu_core/90_fixture.sql"))
}

/// Makes the one table of the documents binding.
pub fn documents_sql() -> (&'static str, &'static str) {
    ("documents.sql", include_str!("../../schemas/sql/documents.sql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_schema_is_compiled_in_and_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/sql/iu_core");
        let mut on_disk: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        on_disk.sort();
        let mut compiled: Vec<_> = iu_core_sql().iter().map(|(name, _)| (*name).to_owned()).collect();
        compiled.push(fixture_sql().0.to_owned());
        assert_eq!(compiled, on_disk);
    }
}
