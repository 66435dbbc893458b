//! Plain data shared by every part: names, desired state, observed state, changes, canonical encoding and digests.
