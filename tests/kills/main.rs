//! Whatever dies, both stores are exactly before or exactly after, and one `resume` is enough.
//!
//! Real processes: a PostgreSQL of the test's own, the local Qdrant server in a process, and the binary. They are killed with
//! SIGKILL, stopped with SIGSTOP, and cut off from each other; then what died is started again, `enact resume` runs once, and
//! every row and every point is compared with what was there before and with what an undisturbed run made.
//!
//! The short form runs with all other tests. The long form does as many rounds as are asked for, and all kinds of death at each
//! boundary of the journal:
//!
//! ```text
//! ENACT_KILL_ROUNDS=240 cargo test --release --test kills -- --nocapture
//! ```
//!
//! The seed of the random times is printed; `ENACT_KILL_SEED=…` takes it again.
#![cfg(all(feature = "embedded", target_os = "linux"))]

#[path = "../support/postgres.rs"]
mod postgres;

mod cuts;
mod gate;
mod late;
mod paused;
mod process;
mod proxy;
mod random;
mod rounds;
mod scene;
mod state;
mod stores;
mod together;
mod vectors;
