//! Enact over Qdrant servers that are not the local one: older, strict, limited, or unable to answer for a while. All on the real
//! wire, with the local server behind a front that changes what the case is about.
#![cfg(feature = "embedded")]

mod handbook;
mod older;
mod other;
#[path = "../support/project.rs"]
mod project;
mod reading;
mod retries;
