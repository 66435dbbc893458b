//! Points whose ids are keys, and what becomes of them when their units change places.

use enact::local::schema;

use crate::support::project::Project;

const SET: &str = "enact: v1
plan: index
chunk_policies:
  short: { splitter: text, max_chars: 4000, overlap_chars: 0, empty_body: title }
vector_sets:
  handbook:
    units: { slug_prefix: handbook/ }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine } }
    payload: [slug, title, text]
    rollout: in_place
    ids:
      scheme: key
      namespace: 6ba7b811-9dad-11d1-80b4-00c04fd430c8
      template: \"{unit.address}#{chunk.key}\"
";

fn indexed() -> Project {
    let project = Project::start(include_str!("../examples/documents/enact.yaml"));
    project.write("plans/index.yaml", SET);
    project.sql(schema::documents_sql().1);
    project.sql(include_str!("../examples/documents/seed.sql"));
    project.ok(&["init"]);
    project.ok(&["apply", "--auto-approve"]);
    project
}

/// Applied, and then there is nothing to do.
fn applied(project: &Project) {
    project.ok(&["apply", "--auto-approve"]);
    project.ok(&["verify"]);
    let (text, _) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(text.contains("No changes."), "{text}");
}

#[test]
fn a_point_that_one_unit_gives_up_and_another_takes_stays() {
    let project = indexed();
    let before = project.points();
    project.sql(
        "UPDATE documents SET slug = 'handbook/between' WHERE slug = 'handbook/leave'; \
         UPDATE documents SET slug = 'handbook/leave' WHERE slug = 'handbook/expenses'; \
         UPDATE documents SET slug = 'handbook/expenses' WHERE slug = 'handbook/between'",
    );
    applied(&project);
    assert_eq!(project.points(), before);
    project.sql(
        "UPDATE documents SET slug = 'handbook/annual-leave' WHERE slug = 'handbook/leave'; \
         UPDATE documents SET slug = 'handbook/leave' WHERE slug = 'handbook/expenses'",
    );
    applied(&project);
    assert_eq!(project.points().len(), before.len());
    let run = project.value("SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1");
    project.ok(&["revert", &run, "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!(project.points(), before);
    project.ok(&["verify"]);
}
