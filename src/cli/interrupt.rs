//! Ctrl-C: the first asks the run to stop cleanly, the second ends the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Outcome;
use crate::apply::Stop;
use crate::store::qdrant::Qdrant;
use crate::store::{Pace, VectorStore};

/// A wish to stop that the first interrupt expresses; it ends long waits for a Qdrant that cannot answer, too. The second
/// ends the process with exit code 130; what the run had begun stays in its journal for `enact resume`.
pub fn stop_on_interrupt(qdrant: Qdrant) -> Stop {
    let stop = Stop::default();
    let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        // Without a handler the first signal ends the process, and `enact resume` goes on.
        return stop;
    };
    tokio::spawn(listen(interrupt, terminate, stop.clone(), qdrant));
    stop
}

async fn listen(mut interrupt: Signal, mut terminate: Signal, stop: Stop, qdrant: Qdrant) {
    let mut next = async || {
        tokio::select! {
            got = interrupt.recv() => got,
            got = terminate.recv() => got,
        }
    };
    if next().await.is_some() {
        stop.ask();
        qdrant.pace(Pace::Stopping);
        anstream::eprintln!(
            "\nInterrupted: the current step is finished, then the run goes back, or forward if it has decided. Ctrl-C \
             again stops now."
        );
    }
    if next().await.is_some() {
        anstream::eprintln!("\nStopped in the middle of the run. Next: enact resume");
        std::process::exit(i32::from(Outcome::Interrupted.code()));
    }
}
