//! The wish to stop, from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::ApplyError;

/// Asked once, it stays asked. A run looks at it between effects and between batches until the decision; after the
/// decision it only goes forward.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails when somebody asked.
    pub(super) fn check(&self) -> Result<(), ApplyError> {
        if self.asked() { Err(ApplyError::Interrupted) } else { Ok(()) }
    }
}
