//! Enact over Qdrant servers that are not the local one: older, strict, limited, or unable to answer for a while. All on the real
//! wire, with the local server behind a front that changes what the case is about.

mod handbook;
mod older;
mod other;
mod reading;
mod retries;
