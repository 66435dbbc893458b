//! Connection service files: `[name]` and `key=value` lines.

use std::path::{Path, PathBuf};

use super::conninfo::{ConninfoError, Settings, known};

/// Reads a service from the first file that exists and defines it.
pub(super) fn look_up(service: &str, files: &[PathBuf]) -> Result<Settings, ConninfoError> {
    for file in files.iter().filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(file).map_err(|error| ConninfoError::Unreadable {
            file: file.display().to_string(),
            reason: error.to_string(),
        })?;
        if let Some(settings) = section(service, &text, file)? {
            return Ok(settings);
        }
    }
    Err(ConninfoError::NoService {
        service: service.to_owned(),
        files: files.iter().map(|file| file.display().to_string()).collect(),
    })
}

fn section(service: &str, text: &str, file: &Path) -> Result<Option<Settings>, ConninfoError> {
    let mut found: Option<Settings> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.strip_suffix(']') == Some(service) {
                found = Some(Settings::new());
            }
            continue;
        }
        let Some(settings) = &mut found else { continue };
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| ConninfoError::ServiceLine { file: file.display().to_string(), line: index + 1 })?;
        settings.entry(known(key.trim())?).or_insert_with(|| value.trim().to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_section_is_read() {
        let text = "[a]\nhost=one\n[b]\n# no\nhost = two\nport=5433\n[c]\nhost=three\n";
        let found = section("b", text, Path::new("f")).expect("read").expect("defined");
        assert_eq!(found.get("host").map(String::as_str), Some("two"));
        assert_eq!(found.get("port").map(String::as_str), Some("5433"));
        assert_eq!(section("x", text, Path::new("f")), Ok(None));
    }
}
