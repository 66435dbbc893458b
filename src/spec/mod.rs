//! Reads plan files and `enact.yaml` into the model, with a place for everything and every mistake in one go.
