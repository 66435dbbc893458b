//! What a plan promises beside its changes, on the embedded stores: expectations, protections, checks, gates, retention.

mod checks;
mod expect;
mod gates;
mod protect;
mod retention;

use crate::support::project::Project;

/// A plan file with this body.
fn plan(body: &str) -> String {
    format!("enact: v1\nplan: field\n{body}")
}

/// Every row that an apply could change, in one digest.
fn world(project: &Project) -> String {
    project.value(
        "SELECT md5(concat((SELECT string_agg(t::text, '|' ORDER BY t::text) FROM information_unit t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM unit_version t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_lifecycle_log t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM iu_vector_sync_point t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM cutter_governance.manifest_unit_block t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM dot_config t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM enact.managed t), \
         (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM enact.managed_point t)))",
    )
}

/// A text on one line, whatever its lines were wrapped to.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row of settings for a plan to write.
const ROW: &str = "rows:\n  public.dot_config:\n    - { key: { key: a }, values: { value: one } }\n";

/// The first line of what went wrong.
fn first_error(stderr: &str) -> &str {
    stderr.lines().find(|line| line.starts_with("error")).unwrap_or(stderr)
}
