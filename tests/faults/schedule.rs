//! What goes wrong, and when.
//!
//! Every call of the runner to PostgreSQL, Qdrant and the embedder has a running number, over all processes of one
//! schedule. A schedule names calls and what happens there: `17:lost-reply,40:death-after`. Which kinds of fault a call
//! can have follows from what it is ([`Call::kinds`]):
//!
//! | kind | store | caller |
//! | --- | --- | --- |
//! | `refuse` | does nothing | is refused |
//! | `fail` | does nothing | may try again |
//! | `lost-request` | does nothing | does not know; the connection is gone |
//! | `lost-reply` | does it | does not know; the connection is gone |
//! | `half` | does half | does not know |
//! | `late` | does it a little later | does not know |
//! | `queued` | has taken it, and applies it with the next write of the collection | does not know |
//! | `repeat` | does it twice | notices nothing |
//! | `death-before`, `-half`, `-after`, `-late`, `-queued` | nothing, half, all, all but later, all with the next write | is dead |
//!
//! A statement inside a transaction that loses its connection is taken back whole, so there a lost request and a lost
//! reply are one. A commit's is in doubt, and both outcomes are tried. A late commit is done by the old session while a
//! new one asks for the lease, which it gets only afterwards.

use std::fmt;
use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Refuse,
    Fail,
    LostRequest,
    LostReply,
    Half,
    Late,
    Queued,
    Repeat,
    DeathBefore,
    DeathHalf,
    DeathAfter,
    DeathLate,
    DeathQueued,
}

const NAMES: [(Kind, &str); 13] = [
    (Kind::Refuse, "refuse"),
    (Kind::Fail, "fail"),
    (Kind::LostRequest, "lost-request"),
    (Kind::LostReply, "lost-reply"),
    (Kind::Half, "half"),
    (Kind::Late, "late"),
    (Kind::Queued, "queued"),
    (Kind::Repeat, "repeat"),
    (Kind::DeathBefore, "death-before"),
    (Kind::DeathHalf, "death-half"),
    (Kind::DeathAfter, "death-after"),
    (Kind::DeathLate, "death-late"),
    (Kind::DeathQueued, "death-queued"),
];

/// A fault at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    pub call: usize,
    pub kind: Kind,
}

/// Faults in the order of their calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule(pub Vec<Fault>);

impl Schedule {
    /// This schedule and one more fault after its last.
    pub fn and(&self, call: usize, kind: Kind) -> Schedule {
        let mut faults = self.0.clone();
        faults.push(Fault { call, kind });
        Schedule(faults)
    }

    /// The number of the last call that has a fault.
    pub fn last(&self) -> usize {
        self.0.last().map_or(0, |fault| fault.call)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Fault { call, kind }) in self.0.iter().enumerate() {
            let name = NAMES.iter().find(|(one, _)| one == kind).map_or("?", |(_, name)| name);
            write!(f, "{}{call}:{name}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let one = |part: &str| {
            let (call, name) = part.split_once(':').ok_or_else(|| format!("{part:?} is not CALL:KIND"))?;
            let call = call.trim().parse().map_err(|error| format!("{part:?}: {error}"))?;
            let kind = NAMES.iter().find(|(_, known)| *known == name.trim()).map(|(kind, _)| *kind);
            Ok(Fault { call, kind: kind.ok_or_else(|| format!("{name:?} is no kind of fault"))? })
        };
        text.split(',').filter(|part| !part.trim().is_empty()).map(one).collect::<Result<_, String>>().map(Schedule)
    }
}

/// What a call is, as far as faults differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// A statement in a transaction of its own.
    Alone,
    /// `BEGIN`, a statement in an open transaction, or `ROLLBACK`.
    InTransaction,
    /// `COMMIT`.
    Commit,
    /// Taking or giving back the lease.
    Lock,
    /// A new connection.
    Reconnect,
    /// A read of the vector store.
    Read,
    /// A write to the vector store, with parts that can be done alone or not; what is of points goes through a queue.
    Write { has_half: bool, of_points: bool },
    /// Texts to the embedder.
    Embed,
}

/// One call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its number, from 1.
    pub number: usize,
    /// The process, from 1: the apply, then each resume.
    pub process: usize,
    pub op: Op,
    /// What was asked, without what differs between runs.
    pub label: String,
    /// Digest of everything durable when it was made, and of whether the connection lives.
    pub state: u64,
    /// Whether the connection to PostgreSQL is lost: the call fails whatever the schedule says.
    pub is_cut: bool,
}

impl Call {
    /// The kinds of fault that this call can have.
    pub fn kinds(&self) -> Vec<Kind> {
        use Kind::{
            DeathAfter, DeathBefore, DeathHalf, DeathLate, DeathQueued, Fail, Half, Late, LostReply, LostRequest,
            Queued, Refuse, Repeat,
        };
        if self.is_cut {
            return vec![DeathBefore];
        }
        match self.op {
            Op::Alone => vec![Refuse, Fail, LostRequest, LostReply, Repeat, DeathBefore, DeathAfter],
            Op::InTransaction => vec![Refuse, Fail, LostRequest, DeathBefore, DeathAfter],
            Op::Commit => vec![Refuse, Fail, LostRequest, LostReply, Late, DeathBefore, DeathAfter, DeathLate],
            Op::Lock => vec![Refuse, Fail, LostRequest, LostReply, DeathBefore, DeathAfter],
            Op::Reconnect => vec![Fail, DeathBefore, DeathAfter],
            Op::Read => vec![Refuse, Fail, DeathBefore],
            Op::Write { has_half, of_points } => {
                let mut kinds =
                    vec![Refuse, Fail, LostRequest, LostReply, Late, Repeat, DeathBefore, DeathAfter, DeathLate];
                kinds.extend(has_half.then_some([Half, DeathHalf]).into_iter().flatten());
                kinds.extend(of_points.then_some([Queued, DeathQueued]).into_iter().flatten());
                kinds
            }
            Op::Embed => vec![Refuse, Fail, DeathBefore, DeathAfter],
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { number, process, op: _, label, state, is_cut } = self;
        let cut = if *is_cut { " (no connection)" } else { "" };
        write!(f, "{number:>3} process {process} {state:016x} {label}{cut}")
    }
}
