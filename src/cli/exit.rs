//! How a command ended: one value from which both the verdict and the exit code come.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or nothing to do.
    Success,
    /// The plan has changes; only where `--detailed-exitcode` asks for it.
    ChangesPresent,
    /// It failed for a reason that has no code of its own.
    Error,
    /// It did what it should, and what it wrote to stdout is lost.
    OutputLost,
    /// A file or a value that the user gave is not valid.
    InvalidInput,
    /// The plan no longer fits what it was made for.
    Stale,
    /// The apply failed and everything is as before.
    Undone,
    /// PostgreSQL has decided, Qdrant does not show it yet.
    DecidedNotSettled,
    /// A commit was sent and nobody could say what became of it.
    InDoubt,
    /// A run stopped before it had finished or gone back.
    Unfinished,
    /// Another run holds the lock.
    Locked,
    /// A run of another plan is not closed.
    AnotherUnfinished,
    /// Nobody approved.
    ApprovalMissing,
    /// A check found a difference.
    DifferenceFound,
    /// The command line is not one of ours.
    Usage,
    /// Stopped by the user, and gone back.
    Interrupted,
    /// Our own mistake.
    Bug,
}

impl Outcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Outcome; 17] = [
        Outcome::Success,
        Outcome::Error,
        Outcome::OutputLost,
        Outcome::ChangesPresent,
        Outcome::InvalidInput,
        Outcome::Stale,
        Outcome::Undone,
        Outcome::DecidedNotSettled,
        Outcome::InDoubt,
        Outcome::Unfinished,
        Outcome::Locked,
        Outcome::AnotherUnfinished,
        Outcome::ApprovalMissing,
        Outcome::DifferenceFound,
        Outcome::Usage,
        Outcome::Bug,
        Outcome::Interrupted,
    ];

    /// The exit code. 2 means changes as with Terraform; 64 and 70 are those of `sysexits.h`; 130 is 128 + SIGINT.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Success => 0,
            Outcome::Error | Outcome::OutputLost | Outcome::Unfinished => 1,
            Outcome::ChangesPresent => 2,
            Outcome::InvalidInput => 3,
            Outcome::Stale => 4,
            Outcome::Undone => 5,
            Outcome::DecidedNotSettled | Outcome::InDoubt => 6,
            Outcome::Locked | Outcome::AnotherUnfinished => 7,
            Outcome::ApprovalMissing => 8,
            Outcome::DifferenceFound => 9,
            Outcome::Usage => 64,
            Outcome::Bug => 70,
            Outcome::Interrupted => 130,
        }
    }

    /// The code's name, for machines.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::ChangesPresent => "changes_present",
            Outcome::Error => "error",
            Outcome::OutputLost => "output_lost",
            Outcome::InvalidInput => "invalid_input",
            Outcome::Stale => "stale",
            Outcome::Undone => "undone",
            Outcome::InDoubt => "in_doubt",
            Outcome::Unfinished => "unfinished",
            Outcome::DecidedNotSettled => "decided_not_settled",
            Outcome::Locked => "locked",
            Outcome::AnotherUnfinished => "another_unfinished",
            Outcome::ApprovalMissing => "approval_missing",
            Outcome::DifferenceFound => "difference_found",
            Outcome::Usage => "usage",
            Outcome::Interrupted => "interrupted",
            Outcome::Bug => "bug",
        }
    }

    /// The same where stdout did not take what was written: no longer a success.
    #[must_use]
    pub fn without_output(self) -> Outcome {
        match self {
            Outcome::Success | Outcome::ChangesPresent => Outcome::OutputLost,
            failed => failed,
        }
    }

    /// The code as `main` returns it.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The last line: which world this is, and what to type next. Absent where the command's own output says it
    /// already.
    pub fn verdict(self) -> Option<&'static str> {
        match self {
            Outcome::Success
            | Outcome::ChangesPresent
            | Outcome::Error
            | Outcome::OutputLost
            | Outcome::Usage
            | Outcome::Bug => None,
            Outcome::InvalidInput => Some("Invalid input. Nothing was changed."),
            Outcome::Stale => Some("Stale plan: what it stands on has moved. Nothing was changed. Next: enact plan"),
            Outcome::Undone => {
                Some("Failed and undone: both stores are as they were before. Next: mend the cause, then enact plan")
            }
            Outcome::DecidedNotSettled => {
                Some("Decided, not yet settled: PostgreSQL has the change, Qdrant will follow. Next: enact resume")
            }
            Outcome::InDoubt => Some(
                "In doubt: the commit was sent, and whether it took effect is in the run's journal. Next: enact resume",
            ),
            Outcome::Unfinished => {
                Some("Stopped in the middle of a run, which had not decided when it was last seen. Next: enact resume")
            }
            Outcome::AnotherUnfinished => {
                Some("Another run is unfinished. Nothing was changed. Next: enact resume, or enact resume --abort")
            }
            Outcome::Locked => Some("Locked by another run. Nothing was changed. Next: wait with --lock-timeout SECS"),
            Outcome::ApprovalMissing => Some("Not approved. Nothing was changed."),
            Outcome::DifferenceFound => Some("A difference was found. Nothing was changed."),
            Outcome::Interrupted => {
                Some("Interrupted and undone: both stores are as they were before. Next: enact plan")
            }
        }
    }
}
