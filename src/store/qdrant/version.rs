//! Which servers can be used, and what they keep.
//!
//! | since | what for |
//! | --- | --- |
//! | 1.13 | points carry their vectors in the form that is sent (`Vector.vector`); older servers drop that field in silence |
//! | 1.16 | collections keep metadata (`CreateCollection.metadata`); older servers drop that in silence, too |
//!
//! A version that is no version, such as that of a build from source, is taken for a new one.

use crate::store::{Fault, StoreError};

/// The oldest server that can be used: major and minor version.
pub const OLDEST: (u64, u64) = (1, 13);
/// The first server that keeps metadata of collections.
const METADATA_SINCE: (u64, u64) = (1, 16);

/// Refuses a server that is too old.
pub(super) fn check(version: &str, url: &str) -> Result<(), StoreError> {
    if parts(version).is_none_or(|found| found >= OLDEST) {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let message = format!("Qdrant at \"{url}\" is {version}, and Enact needs {major}.{minor} or newer");
    Err(StoreError::new(Fault::Refused, message).hint("upgrade Qdrant, one minor version after the other"))
}

/// Whether a server of this version keeps metadata of collections.
pub(super) fn keeps_metadata(version: &str) -> bool {
    parts(version).is_none_or(|found| found >= METADATA_SINCE)
}

fn parts(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_refused_by_name() {
        for version in ["1.13.0", "1.16.3-dev", "2.0.0", "v1.17", "dev", ""] {
            assert!(check(version, "http://kb:6334").is_ok(), "{version}");
        }
        for version in ["1.12.6", "1.9.0", "0.11.7", "v1.12"] {
            let error = check(version, "http://kb:6334").expect_err(version);
            let said = format!("Qdrant at \"http://kb:6334\" is {version}, and Enact needs 1.13 or newer");
            assert_eq!((error.fault, error.message), (Fault::Refused, said));
        }
    }

    #[test]
    fn metadata_is_kept_since_1_16() {
        let kept = ["1.13.6", "1.15.5", "1.16.0", "1.18.2", "dev"].map(keeps_metadata);
        assert_eq!(kept, [false, false, true, true, true]);
    }

    #[test]
    fn the_readme_names_the_oldest_server() {
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(&format!("Qdrant {}.{} or newer", OLDEST.0, OLDEST.1)));
    }
}
