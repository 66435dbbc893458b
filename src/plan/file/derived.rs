//! What a point's line need not say, because it follows from the unit and from how the set's points are made.
//!
//! Whoever writes a plan compares what this gives with what was planned, and writes down what differs: a plan says what its
//! changes say, whatever this version of Enact makes of a unit.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Binding, Digest, PointId, PointIds, UnitFacts, digest_of, unit_value};
use crate::plan::pins::SetPin;
use crate::points::{Asked, ChunkView, PointIdentity, ledger_key, payload, point_key, text_stand_in, with_state};

/// How the points of one set are made.
pub(super) struct Making<'a> {
    pub set: &'a str,
    pub recipe: &'a Digest,
    pub pin: &'a SetPin,
    pub binding: &'a Binding,
}

/// A unit in the state that the plan makes.
pub(super) struct Made<'a> {
    making: &'a Making<'a>,
    unit: UnitFacts,
}

impl<'a> Making<'a> {
    /// The unit as its points show it.
    pub fn of(&'a self, unit: &UnitFacts, to: &str) -> Made<'a> {
        Made { making: self, unit: with_state(unit, &BTreeMap::from([(unit.id.clone(), to.to_owned())])) }
    }
}

impl Made<'_> {
    /// Digest of everything that the unit's points are made from.
    pub fn input(&self) -> Digest {
        let Making { set, recipe, pin, .. } = self.making;
        let unit = &self.unit;
        let values: BTreeMap<&str, Option<Value>> =
            pin.fields.iter().map(|field| (field.as_str(), unit_value(unit, field))).collect();
        digest_of(&(set, &unit.id, &unit.address, &unit.content_hash, recipe, values))
    }

    /// The id of one chunk's point, and what stands in it where points may change under their ids.
    pub fn point(&self, ordinal: u32, count: u32, text: &Digest, sha256: &str) -> Option<(PointId, Option<Digest>)> {
        let Making { set, pin, binding, .. } = self.making;
        let key = self.key(ordinal).unwrap_or_default();
        let view = ChunkView { ordinal, count, sha256, key: &key };
        let asked = Asked { fields: &pin.payload, templates: &binding.payload };
        let payload = payload(&asked, &self.unit, &view, text_stand_in(sha256));
        let identity = PointIdentity {
            set: (*set).to_owned(),
            unit: self.unit.id.clone(),
            ordinal,
            text: *text,
            payload: digest_of(&payload),
            policy: pin.policy,
            embedders: pin.embedders,
        };
        match &pin.ids {
            PointIds::Content => Some((identity.id(), None)),
            PointIds::Key { namespace, template } => {
                let key = point_key(template, &self.unit, ordinal);
                Some((PointId::of_key(namespace, &key)?, Some(identity.digest())))
            }
        }
    }

    /// The ledger's key of one chunk.
    pub fn key(&self, ordinal: u32) -> Option<String> {
        ledger_key(self.making.binding, self.making.set, &self.unit, ordinal)
    }
}
