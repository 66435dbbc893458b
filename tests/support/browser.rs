//! The browser that pages are opened in.

use std::path::PathBuf;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The first Chromium in `PATH`.
pub fn find() -> Option<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&places).collect();
    NAMES.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|path| path.is_file())
}
