//! Expands changes into ordered steps, lint findings and the saved plan. Pure.
