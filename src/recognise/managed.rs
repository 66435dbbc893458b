//! What Enact applied, as its author declared it then.

use super::{Live, Recognised, Wanted};
use crate::model::{Address, DECLARED_KEY, Desired};
use crate::spec::parse_plan;

pub(super) fn add(live: &Live, wanted: &Wanted, out: &mut Recognised) {
    let resources = live.managed.iter().filter(|(address, _)| !address.as_str().contains('['));
    for (address, managed) in resources.filter(|(address, _)| wanted.wants(address)) {
        let declared = managed.attributes.get(DECLARED_KEY).and_then(|text| text.as_str());
        let parsed = declared.and_then(|text| parse_plan(address.as_str(), text).ok());
        match parsed {
            Some((declared, _)) => merge(address, declared, out),
            // Its rows say what it was: `promotions` reads them.
            None if address.as_str().starts_with(Address::promotion("").as_str()) => {}
            None => {
                let why = "it was applied by a version of Enact that did not keep what was declared";
                out.leave_out(address.clone(), why, Some("apply it once more from its plan file"));
            }
        }
    }
}

fn merge(address: &Address, declared: Desired, out: &mut Recognised) {
    let Desired { promotions, chunk_policies, mut vector_sets, protect, checks, .. } = declared;
    for (name, policy) in chunk_policies {
        // One name may have stood for two policies in files that were applied one by one.
        let taken = out.desired.chunk_policies.get(&name).is_some_and(|other| other.value != policy.value);
        let own = if taken { format!("{name}-{}", address.as_str().replace('.', "-")) } else { name.clone() };
        for set in vector_sets.values_mut().filter(|set| set.chunk_policy.value == name) {
            set.chunk_policy.value.clone_from(&own);
        }
        out.desired.chunk_policies.insert(own, policy);
    }
    out.desired.promotions.extend(promotions);
    out.desired.vector_sets.extend(vector_sets);
    out.desired.protect.extend(protect);
    out.desired.checks.extend(checks);
}
