//! Executes a saved plan: a pure machine decides, an executor acts, a journal remembers.
