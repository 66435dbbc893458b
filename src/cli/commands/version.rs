//! `enact version`: which Enact this is, what it was built with, and which saved plans it reads.

use serde_json::json;

use crate::cli::args::{DataFormat, VersionArgs};
use crate::cli::{Outcome, Output};
use crate::plan::FORMAT_VERSION;

/// The version of this command's JSON.
const JSON_VERSION: &str = "1.0";

/// Writes the version.
pub fn run(args: &VersionArgs, output: &Output) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let features: &[&str] = if cfg!(feature = "embedded") { &["embedded"] } else { &[] };
    let text = match args.format {
        DataFormat::Text => {
            let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
            format!("enact {version}\nfeatures: {features}\nsaved plan format: {FORMAT_VERSION}\n")
        }
        DataFormat::Json => {
            let answer = json!({
                "format_version": JSON_VERSION,
                "version": version,
                "features": features,
                "saved_plan_format": FORMAT_VERSION,
            });
            format!("{answer:#}\n")
        }
    };
    output.result(&text);
    Outcome::Success
}
