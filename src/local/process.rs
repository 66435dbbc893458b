//! Which process this is: a pid together with the moment that it was born, so that a number which the kernel has given to
//! somebody else is never mistaken for the process that wrote it down.
//!
//! The birth is field 22 of `/proc/<pid>/stat` (proc(5): clock ticks after boot); where there is no `/proc` it is unknown
//! and the pid stands alone.

use std::io;

use serde::{Deserialize, Serialize};

/// One process, also after its pid was used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    pub pid: u32,
    pub birth: Option<u64>,
}

impl Process {
    /// Names the process that asks.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { pid, birth: birth(pid) }
    }

    /// Asks the process to end (SIGTERM). Refuses when the pid belongs to somebody else by now.
    pub fn terminate(self) -> io::Result<()> {
        if self.birth.is_some() && birth(self.pid) != self.birth {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
    }
}

fn birth(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold spaces, so count from the last parenthesis.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_with_another_birth_is_never_signalled() {
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = sleeper.id();
        let stranger = Process { pid, birth: Some(1) };
        assert_eq!(stranger.terminate().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(sleeper.try_wait().unwrap().is_none());
        Process { pid, birth: birth(pid) }.terminate().unwrap();
        assert!(!sleeper.wait().unwrap().success());
    }

    #[test]
    fn no_number_names_a_group_of_processes() {
        for pid in [0, u32::MAX, i32::MAX as u32 + 1] {
            assert_eq!(Process { pid, birth: None }.terminate().unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
