//! Who may read, lock and write units, on a real PostgreSQL.

use super::{PROMOTION, TABLE, TWO, binding, set};
use crate::preflight::world::World;

/// A folder with a binding that joins a table of settings, and the plan; the roles of the environment are these.
fn world(roles: &str, parts: &[&str]) -> World {
    let world = World::start();
    world.sql(&format!(
        "{TABLE}{TWO} UPDATE public.documents SET status = 'draft' WHERE slug = 'rivers'; \
         CREATE TABLE public.settings (key text PRIMARY KEY, value text); GRANT USAGE ON SCHEMA public TO planner, workflow_admin; \
         GRANT SELECT ON public.documents, public.settings TO planner, workflow_admin"
    ));
    let own = binding(", note: s.value, updated_at: d.updated_at::text", ", updated_at: \"{apply.time}\"");
    let joined = own.replace("documents d\n", "documents d LEFT JOIN public.settings s ON s.key = d.slug\n");
    world.write(
        "binding.yaml",
        &joined.replace("tables: [public.documents]", "tables: [public.documents, public.settings]"),
    );
    let config = world.config.replace("binding: iu-core", "binding: ./binding.yaml");
    let (before, _) = config.split_once("    roles:").expect("the roles of the environment");
    world.write("enact.yaml", &format!("{before}{roles}"));
    world.write("plans/plan.yaml", &format!("enact: v1\nplan: p\n{}", parts.concat()));
    world
}

fn applied(world: &World) {
    world.exits(&["apply", "--auto-approve"], 0);
    world.exits(&["plan", "--detailed-exitcode"], 0);
    world.exits(&["verify"], 0);
}

#[test(postgres)]
fn only_what_the_binding_locks_has_to_be_lockable() {
    let world = world("", &[PROMOTION, &set("", false)]);
    world.sql("GRANT UPDATE ON public.documents TO planner");
    applied(&world);
}

#[test(postgres)]
fn a_role_that_may_not_lock_promotes_what_nobody_else_touches() {
    let world = world("    roles: { lifecycle: workflow_admin }\n", &[PROMOTION, &set("", false)]);
    world.sql("GRANT UPDATE (status, updated_at) ON public.documents TO workflow_admin");
    world.exits(&["plan", "--out", "plan.json"], 0);
    world.sql("UPDATE public.documents SET body = 'changed after the review' WHERE slug = 'rivers'");
    let (_, stale) = world.exits(&["apply", "plan.json", "--auto-approve"], 4);
    assert!(stale.contains("rivers"), "{stale}");
    applied(&world);
}

#[test(postgres)]
fn a_role_that_may_only_read_makes_a_plan_and_applies_none() {
    let world = world("", &[PROMOTION, &set("", false)]);
    world.sql(
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA public, enact TO reader; \
         GRANT SELECT ON ALL TABLES IN SCHEMA public, enact TO reader",
    );
    let config = world.config.replace("binding: iu-core", "binding: ./binding.yaml");
    let (before, _) = config.split_once("    roles:").expect("the roles of the environment");
    world.write("enact.yaml", &before.replace("user=planner", "user=reader"));
    let (text, said) = world.exits(&["plan", "--detailed-exitcode"], 2);
    assert!(text.contains("1 to promote"), "{text}");
    assert!(said.contains("\"reader\" may make this plan, and not apply it"), "{said}");
    let (_, refused) = world.exits(&["apply", "--auto-approve"], 3);
    assert!(refused.contains("error[E105]") && refused.contains("table enact.run: no INSERT"), "{refused}");
}

#[test(postgres)]
fn a_planner_that_may_not_write_is_told_what_to_do() {
    let row = "rows:\n  public.documents:\n    - { key: { slug: forests }, values: { body: all about woods } }\n";
    let world = world("", &[row, &set("", false)]);
    let (_, refused) = world.exits(&["plan"], 3);
    assert!(refused.contains("error[E074]") && refused.contains("--exclude vector_set.texts"), "{refused}");
    assert!(refused.contains("plans/plan.yaml:"), "{refused}");
    let config = world.config.replace("binding: iu-core", "binding: ./binding.yaml");
    let (before, _) = config.split_once("    roles:").expect("the roles of the environment");
    world.write("enact.yaml", &format!("{before}    roles: {{ rows: workflow_admin }}\n"));
    world.sql("GRANT UPDATE ON public.documents TO workflow_admin");
    applied(&world);
}
