//! The register of codes. A code has one meaning for ever; a new meaning takes a new number.
//!
//! E001 to E009 are about reading a file at all, E010 to E022 about what it says, E023 to E030 about `enact.yaml`,
//! secrets and bindings, E032 to E034 about rows and data files.

use crate::model::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal $summary:literal;)+) => {
        $($(#[$doc])* pub const $name: Code = Code { id: $id, summary: $summary };)+
        /// Every code, by number.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// A file or directory is missing or may not be read.
    UNREADABLE = "E001" "file cannot be read";
    /// A file is not UTF-8.
    NOT_UTF8 = "E002" "file is not UTF-8 text";
    /// A file is not YAML.
    SYNTAX = "E003" "not valid YAML";
    /// A file says nothing.
    EMPTY = "E004" "nothing in the file";
    /// A file holds several documents.
    SEVERAL_DOCUMENTS = "E005" "more than one document in a file";
    /// A file uses a part of YAML that Enact does not read.
    YAML_FEATURE = "E006" "part of YAML that is not read here";
    /// A file is too large, too deep, or grows too large through aliases.
    BUDGET = "E007" "too large or too deep";
    /// A key is written twice in one mapping.
    DUPLICATE_KEY = "E008" "duplicate key";
    /// An unquoted number would not be kept as written, where a number or JSON is wanted.
    NUMBER = "E009" "number would not be kept as written";
    /// A key means nothing at its place.
    UNKNOWN_KEY = "E010" "unknown key";
    /// A key must be there.
    MISSING_KEY = "E011" "missing key";
    /// A value has the wrong type.
    WRONG_TYPE = "E012" "wrong type";
    /// A value is of the right type and still not allowed.
    INVALID_VALUE = "E013" "value not allowed";
    /// The file is of another format version.
    VERSION = "E014" "unknown format version";
    /// Two keys exclude each other.
    CONFLICT = "E016" "keys that exclude each other";
    /// A name refers to nothing.
    UNKNOWN_NAME = "E017" "unknown name";
    /// Two resources have the same name.
    NAME_TAKEN = "E018" "name used twice";
    /// Two rows have the same table and key.
    ROW_TAKEN = "E019" "row written twice";
    /// A template does not parse.
    TEMPLATE = "E020" "template cannot be read";
    /// A table is not named as `schema.table`.
    TABLE_NAME = "E021" "not the name of a table";
    /// A name has characters that names may not have.
    BAD_NAME = "E022" "not a usable name";
    /// No environment of this name.
    UNKNOWN_ENVIRONMENT = "E023" "unknown environment";
    /// A variable is not set.
    MISSING_VARIABLE = "E024" "variable is not set";
    /// A secret's file cannot be read.
    SECRET_FILE = "E025" "secret file cannot be read";
    /// A secret's command fails.
    SECRET_COMMAND = "E026" "secret command failed";
    /// A line of the env file cannot be read.
    ENV_FILE = "E027" "env file cannot be read";
    /// No binding of this name or under this path.
    UNKNOWN_BINDING = "E028" "unknown binding";
    /// A binding contradicts itself or does not parse.
    BAD_BINDING = "E029" "binding cannot be used";
    /// A directory without plan files.
    NO_PLANS = "E030" "no plan files";
    /// A plan file that `enact fmt` leaves as it is.
    FORMAT = "E031" "cannot be formatted";
    /// Rows are declared of a schema that belongs to Enact or to PostgreSQL.
    OWNED_SCHEMA = "E032" "schema that is not the author's";
    /// A data file does not have the form of CSV with a header, or of JSON Lines.
    DATA_FILE = "E033" "not a data file that can be read";
    /// A text under `!json`, or a line of a data file, is not JSON.
    NOT_JSON = "E034" "not JSON";
    /// A secret is written in place.
    LITERAL_SECRET = "W001" "secret written in a file";
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn a_code_has_one_meaning_and_a_summary_is_a_lowercase_fragment() {
        assert_eq!(ALL.iter().map(|c| c.id).collect::<BTreeSet<_>>().len(), ALL.len());
        assert_eq!(ALL.iter().map(|c| c.summary).collect::<BTreeSet<_>>().len(), ALL.len());
        assert!(ALL.iter().all(|c| !c.summary.ends_with('.') && !c.summary.is_empty()));
    }
}
