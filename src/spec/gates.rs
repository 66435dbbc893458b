//! Gates: the value that each is to have.

use super::tree::Node;
use super::walk::wrong_type;
use crate::model::{Diagnostics, GateResource, Spot};

/// Reads one entry of `gates`. An empty text is a value too.
pub(super) fn gate(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<GateResource> {
    let what = format!("the gate \"{}\"", name.value);
    match node.scalar_text() {
        Some(value) => {
            Some(GateResource { value: Spot { value, place: node.place.clone() }, place: name.place.clone() })
        }
        None => wrong_type(node, &what, "a text", out),
    }
}
