//! Renders plans, runs and errors for people and machines. The only place with styles.
