//! Enact as a process that can be watched, stopped and killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take before it counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Looks again and again until there is an answer; `None` when the deadline passed first.
pub fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal to a process.
pub fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id");
    // It may have ended by itself a moment ago.
    let _gone = kill_process(pid, signal);
}

impl Ended {
    /// The exit code and what was written after the plan, to be shown where a test fails.
    pub fn told(&self) -> String {
        let after_plan = self.text.find("\nRun ").or_else(|| self.text.find("\nGoing on with")).unwrap_or_default();
        format!("exit {:?}\n{}", self.code, self.text[after_plan..].trim())
    }
}

/// A running command. Killed when dropped.
#[derive(Debug)]
pub struct Enact {
    child: Child,
    output: PathBuf,
    began: Instant,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything that it wrote.
    pub text: String,
}

impl Enact {
    /// Starts the binary in a project folder.
    pub fn start(folder: &Path, arguments: &[&str]) -> Enact {
        let number = std::sync::atomic::AtomicU64::fetch_add(&NEXT, 1, std::sync::atomic::Ordering::Relaxed);
        let output = folder.join(format!("output-{number}"));
        let file = File::create(&output).expect("an output file");
        let child = Command::new(env!("CARGO_BIN_EXE_enact"))
            .args(arguments)
            .args(["--no-input", "--no-color"])
            .current_dir(folder)
            .env_remove("ENACT_ENV")
            .env("USER", "tester")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the output file again"))
            .stderr(file)
            .spawn()
            .expect("the binary runs");
        Enact { child, output, began: Instant::now() }
    }

    /// Runs the binary to its end.
    pub fn run(folder: &Path, arguments: &[&str]) -> Ended {
        Enact::start(folder, arguments).wait()
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits until a time after its start, or until it ended.
    pub fn until(&mut self, after: Duration) {
        let left = after.saturating_sub(self.began.elapsed());
        let _ended = poll(left, || (!self.runs()).then_some(()));
    }

    /// Waits for the end. What takes longer than [`LIMIT`] is killed and has no code.
    pub fn wait(&mut self) -> Ended {
        self.wait_up_to(LIMIT)
    }

    /// The same with another limit.
    pub fn wait_up_to(&mut self, limit: Duration) -> Ended {
        let status = poll(limit, || self.child.try_wait().expect("a child"));
        if status.is_none() {
            return self.kill();
        }
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        Ended { code: status.and_then(|status| status.code()), text }
    }

    /// Kills it (SIGKILL), unless it ended already.
    pub fn kill(&mut self) -> Ended {
        let _ended_already = self.child.kill();
        let status = self.child.wait().expect("the child is gone");
        let text = std::fs::read_to_string(&self.output).unwrap_or_default();
        Ended { code: status.code(), text }
    }
}

impl Drop for Enact {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
        let _gone = std::fs::remove_file(&self.output);
    }
}

static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
