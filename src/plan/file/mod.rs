//! The plan file: lines of JSON, written and read as a stream.
//!
//! ```text
//! {"format_version":"2.0", …}          the header: what the verdict counts, findings, what the plan stands on
//! {"moves": …}                         a head: what the lines after it have in common
//! ["@id","address","title","~hash"]    a line: one unit that moves, or row, or unit whose points change
//! {"change": …}                        any other change
//! {"end":{"lines":4,"digest":"…"}}     the digest of the bytes of all lines before
//! ```
//!
//! - Each fact stands once. A value that all lines of a head share, or that follows from the unit which the line is about, is
//!   in none of them; ids of points and digests of their input are made again. The writer compares what will be made with what
//!   was planned, and writes down what differs.
//! - Ids and digests are base64url of their bytes ([`text`]).
//! - There is nothing of steps in it: they are derived from what it says.
//!
//! Not here: what a plan means ([`super::saved`]), and how steps are derived ([`super::derive`]).

mod derived;
mod head;
mod points;
mod read;
mod rows;
mod rule;
mod slot;
#[cfg(test)]
mod tests;
mod text;
mod units;
mod write;

pub(super) use head::{Head, Header};
pub(super) use read::read_plan;
pub(super) use write::write_plan;
