//! Units that a plan reads and changes itself, units that cannot be told apart, and names that choose none, on the embedded
//! stores.

mod roles;
mod settled;

use crate::support::project::Project;

const CONFIG: &str = "enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n    \
     binding: documents\n    actor: test\n    sweep_grace: 0s\n";
const OWN_BINDING: &str = "enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n    \
     binding: ./binding.yaml\n    actor: test\n    sweep_grace: 0s\n";

const TABLE: &str = "CREATE TABLE public.documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), slug text NOT NULL UNIQUE, \
     title text NOT NULL, body text NOT NULL DEFAULT '', status text NOT NULL DEFAULT 'draft', \
     updated_at timestamptz NOT NULL DEFAULT now());";
const TWO: &str = "INSERT INTO public.documents (id, slug, title, body, status) VALUES \
     ('00000000-0000-4000-8000-000000000001', 'rivers', 'Rivers', 'old text about rivers', 'published'), \
     ('00000000-0000-4000-8000-000000000002', 'forests', 'Forests', 'text about forests', 'published');";

/// A binding of documents with these fields and these columns set by a transition.
fn binding(fields: &str, set: &str) -> String {
    format!(
        "name: own\nunits:\n  from: public.documents d\n  id: d.id::text\n  address: d.slug\n  title: d.title\n  body: d.body\n  \
         content_hash: md5(d.body)\n  lifecycle: d.status\n  fields: {{ slug: d.slug{fields} }}\n  lock: [d]\n  \
         tables: [public.documents]\nlifecycle:\n  states: [draft, published, archived]\n  transitions:\n    \
         - {{ from: draft, to: published, update: &set {{ table: public.documents, key: {{ id: \"{{unit.id}}\" }}, set: {{ status: \"{{to}}\"{set} }} }} }}\n    \
         - {{ from: published, to: draft, update: *set }}\n\
         promotion:\n  set_hash: {{ line: \"{{unit.address}}|{{unit.content_hash}}\" }}\n"
    )
}

const PROMOTION: &str = "promotions:\n  edition:\n    units: { slug: rivers }\n    to: published\n    \
     review: { decision: approve, reviewer: council, rationale: read twice }\n";

/// A set over what is published; ids by what points are made of, or by key.
fn set(payload: &str, keyed: bool) -> String {
    let ids = match keyed {
        true => {
            "    ids: { scheme: key, namespace: 6ba7b810-9dad-11d1-80b4-00c04fd430c8, template: \"{unit.address}#{chunk.key}\" }\n"
        }
        false => "",
    };
    format!(
        "chunk_policies:\n  c: {{ splitter: text, max_chars: 500, empty_body: skip }}\nvector_sets:\n  texts:\n    \
         units: {{ lifecycle: published }}\n    chunk_policy: c\n    vectors: {{ words: {{ sparse: bm25 }} }}\n    \
         payload: [slug, text{payload}]\n{ids}"
    )
}

fn project(config: &str, sql: &str) -> Project {
    let project = Project::start(config);
    project.write("binding.yaml", &binding("", ""));
    project.sql(sql);
    project.ok(&["init"]);
    project
}

fn plan(project: &Project, parts: &[&str]) {
    project.write("plans/plan.yaml", &format!("enact: v1\nplan: p\n{}", parts.concat()));
}

/// Applies, and nothing is left: neither for a plan nor for a verification.
fn applied(project: &Project) {
    project.ok(&["apply", "--auto-approve"]);
    let (again, _) = project.exits(&["plan", "--detailed-exitcode"], 0);
    assert!(again.starts_with("No changes"), "{again}");
    project.ok(&["verify"]);
}

fn found(project: &Project, words: &str) -> String {
    project.ok(&["search", words, "--limit", "10"])
}

fn row(values: &str) -> String {
    format!("rows:\n  public.documents:\n    - key: {{ id: 00000000-0000-4000-8000-000000000003 }}\n      {values}\n")
}

#[test]
fn a_text_without_spaces_is_found_by_its_words() {
    let chinese = "INSERT INTO public.documents (slug, title, body, status) VALUES ('access', '指南', '员工提交访问申请后等待批准。', 'published');";
    let project = project(CONFIG, &format!("{TABLE}{TWO}{chinese}"));
    plan(&project, &[&set("", false)]);
    applied(&project);
    assert!(found(&project, "访问申请").contains("access"));
    assert!(found(&project, "批准").contains("access"));
    assert!(found(&project, "rivers").contains("rivers"));
}

#[test]
fn a_row_of_the_units_is_indexed_by_the_plan_that_writes_it() {
    for keyed in [false, true] {
        let project = project(CONFIG, &format!("{TABLE}{TWO}"));
        let set = set("", keyed);
        let values =
            |body: &str| row(&format!("values: {{ slug: hills, title: Hills, body: {body}, status: published }}"));
        plan(&project, &[&values("a text about mountains"), &set]);
        applied(&project);
        assert_eq!(project.points().len(), 3);
        assert!(found(&project, "mountains").contains("hills"));
        plan(&project, &[&values("another text about deserts"), &set]);
        applied(&project);
        assert_eq!(project.points().len(), 3);
        let deserts = found(&project, "deserts");
        assert!(deserts.contains("hills") && deserts.contains("deserts"), "{deserts}");
        plan(&project, &[&row("absent: true"), &set]);
        applied(&project);
        assert_eq!(project.points().len(), 2);
    }
}

#[test]
fn a_text_is_corrected_promoted_and_indexed_by_one_plan_and_goes_back_by_one() {
    // The collection before stays for a while, so that there is something to go back to.
    let project = project(
        &CONFIG.replace("sweep_grace: 0s", "sweep_grace: 1h"),
        &format!("{TABLE}{TWO}UPDATE public.documents SET status = 'draft' WHERE slug = 'rivers';"),
    );
    let corrected = "rows:\n  public.documents:\n    - { key: { slug: rivers }, values: { body: the sum is 200 } }\n";
    plan(&project, &[&set("", false)]);
    applied(&project);
    let before = project.aliased_points();
    plan(&project, &[corrected, PROMOTION, &set("", false)]);
    applied(&project);
    assert_eq!(
        project.value("SELECT body || '/' || status FROM public.documents WHERE slug = 'rivers'"),
        "the sum is 200/published"
    );
    assert!(found(&project, "sum").contains("200"));
    let run = project.value("SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1");
    project.ok(&["revert", &run, "--out", "back.json"]);
    project.ok(&["apply", "back.json", "--auto-approve"]);
    assert_eq!(
        project.value("SELECT body || '/' || status FROM public.documents WHERE slug = 'rivers'"),
        "old text about rivers/draft"
    );
    assert_eq!(project.aliased_points(), before);
    project.ok(&["verify"]);
}

#[test]
fn a_unit_that_the_plan_makes_is_promoted_and_counted_as_expected() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    let new = row("values: { slug: hills, title: Hills, body: a text about hills, status: draft }");
    let expected = "units:\n  drafts: { where: { lifecycle: draft }, expect: { count: 1 } }\n";
    let promotion = PROMOTION.replace("{ slug: rivers }", "drafts");
    plan(&project, &[&new.replace(", status: draft", ""), expected, &promotion, &set("", false)]);
    let planned = project.ok(&["plan"]);
    assert!(planned.contains("1 to promote"), "{planned}");
    applied(&project);
    assert!(found(&project, "hills").contains("hills"));
    assert_eq!(project.points().len(), 3);
}

#[test]
fn a_field_that_the_move_sets_is_indexed_as_the_move_leaves_it() {
    let project = project(OWN_BINDING, TABLE);
    project.sql("ALTER TABLE public.documents ADD visible text NOT NULL DEFAULT 'no'");
    project.sql(&format!("{TWO}UPDATE public.documents SET status = 'draft'"));
    project.write("binding.yaml", &binding(", visible: d.visible", ", visible: \"yes\""));
    plan(
        &project,
        &[
            &PROMOTION.replace("{ slug: rivers }", "{ lifecycle: draft }"),
            &set(", visible", false).replace("lifecycle: published", "visible: \"yes\""),
        ],
    );
    applied(&project);
    assert_eq!(project.points().len(), 2);
}

#[test]
fn what_the_time_of_the_apply_decides_is_refused_at_its_place() {
    let project =
        project(CONFIG, &format!("{TABLE}{TWO}UPDATE public.documents SET status = 'draft' WHERE slug = 'rivers';"));
    plan(&project, &[PROMOTION, &set(", updated_at", false)]);
    let (_, refused) = project.exits(&["plan"], 3);
    assert!(refused.contains("error[E075]") && refused.contains("updated_at of unit \"rivers\""), "{refused}");
    assert!(refused.contains("plans/plan.yaml:"), "{refused}");
    // In two plans it is no question.
    project.ok(&["apply", "--auto-approve", "--exclude", "vector_set.texts"]);
    applied(&project);
    let by_database = "rows:\n  public.documents:\n    - key: { slug: lakes }\n      values: { title: Lakes, body: about lakes, status: published }\n";
    plan(&project, &[by_database, PROMOTION, &set("", false)]);
    let (_, refused) = project.exits(&["plan"], 3);
    assert!(refused.contains("error[E075]") && refused.contains("unit \"lakes\" has the id"), "{refused}");
    assert_eq!(project.value("SELECT count(*) FROM public.documents"), "2");
}

#[test]
fn rows_that_change_units_by_a_trigger_or_a_key_are_seen() {
    let project = project(OWN_BINDING, &format!("{TABLE}{TWO}"));
    project.sql(
        "CREATE TABLE public.authors (id int PRIMARY KEY, handle text NOT NULL UNIQUE); \
         INSERT INTO public.authors VALUES (1, 'ann'); ALTER TABLE public.documents ADD author text \
         REFERENCES public.authors (handle) ON UPDATE CASCADE; UPDATE public.documents SET author = 'ann'; \
         CREATE TABLE public.corrections (slug text PRIMARY KEY, body text NOT NULL); \
         CREATE FUNCTION public.correct() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE public.documents SET body = NEW.body WHERE slug = NEW.slug; RETURN NEW; END $$; \
         CREATE TRIGGER correct AFTER INSERT OR UPDATE ON public.corrections FOR EACH ROW EXECUTE FUNCTION public.correct()",
    );
    project.write("binding.yaml", &binding(", author: d.author", ""));
    let rows = "rows:\n  public.authors:\n    - { key: { id: 1 }, values: { handle: anna } }\n  public.corrections:\n    \
                - { key: { slug: forests }, values: { body: all about woods } }\n";
    plan(&project, &[rows, &set(", author", false)]);
    applied(&project);
    assert!(found(&project, "woods").contains("forests"));
}

/// A trigger whose statement is put together at run time is not seen when planning.
#[test]
fn what_a_plan_could_not_see_of_its_own_writes_stops_the_apply() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    project.sql(
        "CREATE TABLE public.corrections (slug text PRIMARY KEY, body text NOT NULL); \
         CREATE FUNCTION public.correct() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         EXECUTE format('UP' || 'DATE public.documents SET body = %L WHERE slug = %L', NEW.body, NEW.slug); RETURN NEW; END $$; \
         CREATE TRIGGER correct AFTER INSERT OR UPDATE ON public.corrections FOR EACH ROW EXECUTE FUNCTION public.correct()",
    );
    let rows = "rows:\n  public.corrections:\n    - { key: { slug: forests }, values: { body: all about woods } }\n";
    plan(&project, &[rows, &set("", false)]);
    project.ok(&["plan", "--out", "plan.json"]);
    let (_, refused) = project.exits(&["apply", "plan.json", "--auto-approve"], 5);
    assert!(refused.contains("unit \"forests\" changed"), "{refused}");
    assert_eq!(project.value("SELECT body FROM public.documents WHERE slug = 'forests'"), "text about forests");
    assert_eq!(project.points(), Vec::<String>::new());
    project.ok(&["apply", "--auto-approve", "--exclude", "vector_set.texts"]);
    applied(&project);
    assert!(found(&project, "woods").contains("forests"));
}

#[test]
fn units_that_cannot_be_told_apart_are_refused_with_both() {
    let project = project(OWN_BINDING, &format!("{TABLE}{TWO}"));
    project.sql(
        "CREATE TABLE public.tags (slug text, name text); INSERT INTO public.tags VALUES ('rivers', 'red'), ('rivers', 'blue')",
    );
    let own = binding("", "");
    let joined =
        own.replace("from: public.documents d", "from: public.documents d LEFT JOIN public.tags t USING (slug)");
    project.write("binding.yaml", &joined.replace("slug: d.slug }", "slug: d.slug, tag: t.name }"));
    plan(&project, &[&set(", tag", false)]);
    let (_, twice) = project.exits(&["plan"], 3);
    assert!(twice.contains("error[E070]") && twice.contains("unit \"rivers\""), "{twice}");
    assert!(twice.contains("\"red\"") && twice.contains("\"blue\"") && twice.contains("binding.yaml:"), "{twice}");
    // One tag is asked for, and one row is read.
    plan(&project, &[&set(", tag", false).replace("{ lifecycle: published }", "{ tag: red }")]);
    project.ok(&["plan"]);
    project.write("binding.yaml", &own.replace("address: d.slug", "address: d.status"));
    plan(&project, &[&set("", false)]);
    let (_, shared) = project.exits(&["plan"], 3);
    assert!(shared.contains("error[E071]") && shared.contains("\"published\" is the address of"), "{shared}");
    assert!(shared.contains("000000000001") && shared.contains("000000000002"), "{shared}");
    plan(&project, &[&set("", false).replace("{ lifecycle: published }", "{ slug: rivers }")]);
    applied(&project);
}

#[test]
fn a_binding_that_locks_what_is_not_there_is_refused_at_plan() {
    let project = project(OWN_BINDING, &format!("{TABLE}{TWO}"));
    let refused = |binding: &str, words: &str| {
        project.write("binding.yaml", binding);
        let (_, text) = project.exits(&["plan"], 3);
        assert!(text.contains("error[E067]") && text.contains("lock of the binding") && text.contains(words), "{text}");
    };
    plan(&project, &[&set("", false)]);
    let own = binding("", "");
    refused(&own.replace("lock: [d]", "lock: [d, x]"), "\"x\"");
    let outer =
        own.replace("public.documents d", "public.documents d LEFT JOIN public.documents e ON e.id = d.id AND false");
    refused(&outer.replace("lock: [d]", "lock: [d, e]"), "outer join");
    project.write("binding.yaml", &own.replace("lock: [d]", "lock: []"));
    applied(&project);
}

#[test]
fn a_misspelled_name_never_empties_an_index() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    let set = set("", false);
    plan(&project, &[&set]);
    applied(&project);
    for (written, code, hint) in [
        ("{ lifecycle: publishd }", "E072", "did you mean \"published\"?"),
        ("{ lifecycle: [published, archved] }", "E072", "did you mean \"archived\"?"),
        ("{ lifecycle_prefix: pubb }", "E072", "published"),
        ("{ lifecycel: published }", "E055", "did you mean \"lifecycle\"?"),
    ] {
        plan(&project, &[&set.replace("{ lifecycle: published }", written)]);
        for command in ["validate", "plan"] {
            let (_, refused) = project.exits(&[command], 3);
            assert!(refused.contains(&format!("error[{code}]")) && refused.contains(hint), "{command}: {refused}");
            assert!(refused.contains("plans/plan.yaml:"), "{refused}");
        }
    }
    project.write("enact.yaml", OWN_BINDING);
    project.write("binding.yaml", "name: x\n");
    project.exits(&["validate"], 3);
}

#[test]
fn most_points_of_a_set_go_only_where_its_file_says_so() {
    let project = project(CONFIG, &format!("{TABLE}{TWO}"));
    let set = set("", false);
    plan(&project, &[&set]);
    applied(&project);
    let archived = set.replace("{ lifecycle: published }", "{ lifecycle: archived }");
    plan(&project, &[&archived]);
    let (_, refused) = project.exits(&["plan"], 3);
    let words = "2 of 2 points of \"texts\" would be deleted with 2 units, and max_delete is 50%";
    assert!(refused.contains("error[E073]") && refused.contains(words), "{refused}");
    assert!(refused.contains("plans/plan.yaml:") && refused.contains("max_delete: 100%"), "{refused}");
    for allowed in ["1", "99%"] {
        plan(&project, &[&archived, &format!("    max_delete: {allowed}\n")]);
        project.exits(&["plan"], 3);
    }
    plan(&project, &[&archived, "    max_delete: 101%\n"]);
    project.exits(&["validate"], 3);
    plan(&project, &[&archived, "    max_delete: 100%\n"]);
    applied(&project);
    assert_eq!(project.points(), Vec::<String>::new());
}
