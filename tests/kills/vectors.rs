//! The local Qdrant server in a process of its own, on one port for its whole life, so that a restart comes back at the
//! same address.
//!
//! The process is this test binary again: [`serve`] is a test that returns at once unless a directory is named in its
//! environment.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enact::local::qdrant::QdrantServer;

use super::process::poll;
use crate::harness::RUN;

const DIRECTORY: &str = "ENACT_TEST_QDRANT_DIRECTORY";
const ADDRESS: &str = "ENACT_TEST_QDRANT_ADDRESS";
const READY: &str = "ready";

/// Serves until it is killed, or until the test that started it is gone: its input ends then.
#[test]
async fn serve() {
    let (Some(directory), Ok(address)) = (std::env::var_os(DIRECTORY), std::env::var(ADDRESS)) else { return };
    let (directory, address) = (PathBuf::from(directory), address.parse().expect("an address"));
    let mut server = QdrantServer::start(&directory, address).await;
    // A connection of the server before it may still hold the port for a moment.
    for _ in 0..200 {
        if server.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        server = QdrantServer::start(&directory, address).await;
    }
    let _serving = server.expect("the vector server");
    File::create(directory.join(READY)).expect("the sign that it serves");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await.expect("a task").expect("an input");
}

/// A vector server, running or dead.
#[derive(Debug)]
pub struct VectorServer {
    address: SocketAddr,
    directory: PathBuf,
    child: Option<Child>,
}

impl VectorServer {
    /// Starts one over a directory.
    pub fn start(directory: &Path) -> VectorServer {
        // Taken and given back: nobody else binds it in the moment between, and connections never get it.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let mut server = VectorServer { address, directory: directory.to_owned(), child: None };
        server.restart();
        server
    }

    /// Where it serves, dead or alive.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("its end");
        }
    }

    /// Starts it again where it is dead, and returns when it serves.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            return;
        }
        let ready = self.directory.join(READY);
        let _none_yet = std::fs::remove_file(&ready);
        let child = Command::new(std::env::current_exe().expect("this test binary"))
            .args([RUN, "kills::vectors::serve"])
            .env(DIRECTORY, &self.directory)
            .env(ADDRESS, self.address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child process");
        self.child = Some(child);
        let serves = poll(Duration::from_secs(30), || ready.exists().then_some(()));
        assert!(serves.is_some(), "the vector server did not come up on {}", self.address);
    }

    /// Puts a saved copy in the place of everything it holds.
    pub fn restore(&mut self, from: &Path) {
        self.kill();
        std::fs::remove_dir_all(&self.directory).expect("the old data goes");
        copy(from, &self.directory);
        self.restart();
    }

    /// Saves a copy of everything it holds.
    pub fn save(&mut self, to: &Path) {
        self.kill();
        copy(&self.directory, to);
        self.restart();
    }
}

impl Drop for VectorServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Copies a directory; holes in a file stay holes, because a write-ahead log is made of them.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-a", "--sparse=always", "-T"]).arg(from).arg(to).status();
    assert!(copied.expect("cp runs").success(), "{} was not copied", from.display());
}
