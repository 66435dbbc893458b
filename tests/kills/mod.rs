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
//! ENACT_KILL_ROUNDS=240 cargo test --release --test suite kills:: -- --nocapture
//! ```
//!
//! The seed of the random times is printed; `ENACT_KILL_SEED=…` takes it again.

/// One test for each way in which points come into the live collection: each has stores of its own, so both run at once.
macro_rules! for_each_rollout {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test(postgres)] fn blue_green() { super::$name(crate::kills::scene::Rollout::BlueGreen); }
            #[test(postgres)] fn in_place() { super::$name(crate::kills::scene::Rollout::InPlace); }
        })+
    };
}

mod another;
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
