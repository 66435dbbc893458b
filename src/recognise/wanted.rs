//! Addresses as somebody types them.

use std::collections::BTreeSet;

use super::{RowsAsked, Wanted};
use crate::diff::codes;
use crate::model::{Address, Diagnostic, Diagnostics, TableName};

/// Kinds of resource that can be written out by name.
const KINDS: [&str; 5] = ["promotion.", "vector_set.", "gate.", "check.", "protect."];
const FORMS: &str = "write promotion.NAME, vector_set.NAME, gate.NAME, check.NAME, protect.NAME, row.SCHEMA.TABLE or \
                     'row.SCHEMA.TABLE[COLUMN=VALUE]'";

impl Wanted {
    /// Reads addresses; none means everything but rows.
    ///
    /// # Errors
    /// Texts that are no address of something that can be written.
    pub fn parse(addresses: &[String], namespaces: &[String]) -> Result<Wanted, Diagnostics> {
        let mut wanted = Wanted { namespaces: namespaces.to_vec(), ..Wanted::default() };
        let mut errors = Diagnostics::default();
        for text in addresses {
            if let Some(rest) = text.strip_prefix("row.") {
                match rows(rest) {
                    Some(asked) => wanted.rows.push(asked),
                    None => errors.push(no_address(text)),
                }
            } else if KINDS.iter().any(|kind| text.strip_prefix(kind).is_some_and(|name| !name.is_empty())) {
                wanted.only.insert(Address::from_text(text.clone()));
            } else if text.starts_with("lifecycle[") {
                let detail = format!("\"{text}\" is a state of one unit, and a plan file says it in a promotion");
                errors.push(Diagnostic::error(codes::NOTHING_THERE, detail).hint("name the promotion: promotion.NAME"));
            } else {
                errors.push(no_address(text));
            }
        }
        errors.into_result(wanted).map(|(wanted, _)| wanted)
    }

    /// The same without what plan files declare already.
    #[must_use]
    pub fn without(mut self, declared: BTreeSet<Address>) -> Wanted {
        self.declared = declared;
        self
    }

    /// The named resources that no plan file declares.
    pub fn undeclared(&self) -> impl Iterator<Item = &Address> {
        self.only.iter().filter(|address| !self.declared.contains(*address))
    }
}

/// `SCHEMA.TABLE`, or that with a key in brackets, as in an address or as a shell leaves it.
fn rows(text: &str) -> Option<RowsAsked> {
    // A bracket within quotes belongs to a name.
    let quoted = |at: usize| text[..at].matches('"').count() % 2 == 1;
    let Some(at) = text.match_indices('[').map(|(at, _)| at).find(|at| !quoted(*at)) else {
        return Some(RowsAsked { table: TableName::parse(text).ok()?, key: None });
    };
    let key = text[at + 1..].strip_suffix(']')?.to_owned();
    Some(RowsAsked { table: TableName::parse(&text[..at]).ok()?, key: Some(key) })
}

fn no_address(text: &str) -> Diagnostic {
    Diagnostic::error(codes::NOTHING_THERE, format!("\"{text}\" is no address of something that can be written"))
        .hint(FORMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_shown_and_as_a_shell_leaves_it() {
        let texts = ["promotion.a-1", "row.public.t", "row.public.t[\"a,b\"]", "row.public.t[a.b]"].map(str::to_owned);
        let wanted = Wanted::parse(&texts, &[]).unwrap();
        assert_eq!(wanted.only, BTreeSet::from([Address::promotion("a-1")]));
        let keys: Vec<Option<&str>> = wanted.rows.iter().map(|asked| asked.key.as_deref()).collect();
        assert_eq!(keys, [None, Some("\"a,b\""), Some("a.b")]);
        for text in ["promotion.", "row.t", "row.public.t[a", "lifecycle[\"x\"]", "unit.x", ""] {
            assert!(Wanted::parse(&[text.to_owned()], &[]).is_err(), "{text}");
        }
    }
}
