//! Secrets: whether each can be had. Names only, never values.

use super::found::{Area, Found};
use crate::model::{EmbedderConfig, Environment, SecretSource, Stores};
use crate::spec::{EnvFile, secret};

/// Probes every secret of an environment. A secret's command is run.
pub fn probe_secrets(environment: &Environment, env_file: &EnvFile) -> Vec<Found> {
    sources(environment).into_iter().filter_map(|(what, source)| probe(what, source, env_file)).collect()
}

fn sources(environment: &Environment) -> Vec<(String, &SecretSource)> {
    let mut out = Vec::new();
    if let Stores::Remote { postgres, qdrant } = &environment.stores {
        out.push(("postgres connection".to_owned(), &postgres.conninfo));
        out.extend(postgres.password.iter().map(|source| ("postgres.password".to_owned(), source)));
        out.push(("qdrant.url".to_owned(), &qdrant.url));
        out.extend(qdrant.api_key.iter().map(|source| ("qdrant.api_key".to_owned(), source)));
    }
    for (name, config) in &environment.embedders {
        match config {
            EmbedderConfig::Static { .. } => {}
            EmbedderConfig::OpenAi { api_key, .. } => {
                out.extend(api_key.iter().map(|source| (format!("embedders.{name}.api_key"), source)));
            }
        }
    }
    out
}

fn probe(what: String, source: &SecretSource, env_file: &EnvFile) -> Option<Found> {
    let (from, place) = match source {
        SecretSource::Literal(_) => return None,
        SecretSource::Variables { template: _, place } => ("from variables".to_owned(), place),
        SecretSource::File { path, place } => (format!("from the file {}", path.display()), place),
        SecretSource::Command { arguments, place } => {
            (format!("from the command {}", arguments.first().map_or("", String::as_str)), place)
        }
    };
    let found = match secret::resolve(source, env_file) {
        Ok(_) => Found::ok(Area::Secrets, what, format!("present, {from}")),
        Err(diagnostic) => {
            let found = Found::failed(Area::Secrets, diagnostic.code, what, diagnostic.detail);
            match diagnostic.hint {
                Some(hint) => found.change(hint),
                None => found,
            }
        }
    };
    Some(found.at(Some(place)))
}
