//! The worlds that are broken: small, and with every kind of step.

use enact::local::schema;
use enact::plan::{RowAction, SavedPlan, TransitionBy, Work};

/// A world before its plan, and the plan.
pub struct Case {
    pub binding: &'static str,
    /// Makes the tables.
    pub schema: fn() -> String,
    /// Fills them.
    pub seed: &'static str,
    /// A first plan, applied without faults.
    pub first: &'static str,
    /// What happens afterwards, beside Enact.
    pub between: &'static str,
    /// The plan whose apply is broken.
    pub second: &'static str,
    /// The kinds of work that it has.
    pub work: &'static [&'static str],
}

/// Governed units with functions, gates, a refresh and a ledger.
pub const GOVERNED: Case = Case {
    binding: "iu-core",
    schema: || schema::iu_core_sql().iter().map(|(_, sql)| *sql).collect(),
    seed: "CREATE TABLE public.note (id integer PRIMARY KEY, about integer REFERENCES public.note, text text NOT NULL, \
             written_at timestamptz NOT NULL DEFAULT now()); \
           INSERT INTO public.note VALUES (1, NULL, 'changes'), (2, 1, 'goes'), (3, NULL, 'stays'); \
           SELECT fn_iu_create(a, 'About ' || a, 'The body of ' || a, 'seed') \
             FROM unnest(ARRAY['one/a', 'one/b', 'one/c', 'two/a', 'two/b', 'else/a']) a; \
           SELECT fn_iu_three_axis_envelope_refresh('seed');",
    first: r#"enact: v1
plan: first
units: { one: { where: { address_prefix: one/ } } }
promotions:
  one: { units: one, to: enacted, review: { decision: approve, reviewer: council, rationale: read, at: "2026-05-24T00:00:00Z" } }
chunk_policies: { short: { splitter: text, max_chars: 200, text: "{title}\n\n{chunk}", empty_body: skip } }
vector_sets:
  iu_core_iu_chunks:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine }, text: { sparse: bm25, language: english } }
    payload: [canonical_address, title]
    payload_indexes: { canonical_address: keyword }
  live:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine } }
    payload: [canonical_address, title]
    payload_indexes: { canonical_address: keyword }
"#,
    between: "SELECT fn_iu_amend('one/a', 'About one/a', 'Another body of one/a', 'somebody'); \
              SELECT fn_iu_retire('one/b', 'somebody', (SELECT review_decision_id FROM cutter_governance.review_decision)); \
              SELECT fn_iu_three_axis_envelope_refresh('somebody');",
    second: r#"enact: v1
plan: second
units: { two: { where: { address_prefix: two/ } } }
promotions:
  two: { units: two, to: enacted, review: { decision: approve, reviewer: council, rationale: read, at: "2026-05-25T00:00:00Z" } }
rows:
  public.note:
    - { key: { id: 1 }, values: { text: changed } }
    - { key: { id: 2 }, absent: true }
    - { key: { id: 4 }, values: { about: 5, text: child } }
    - { key: { id: 5 }, values: { about: 3, text: parent } }
chunk_policies: { short: { splitter: text, max_chars: 200, text: "{title}\n\n{chunk}", empty_body: skip } }
vector_sets:
  iu_core_iu_chunks:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine }, text: { sparse: bm25, language: english } }
    payload: [canonical_address, title]
    payload_indexes: { canonical_address: keyword }
    rollout: blue_green
  fresh:
    units: { address_prefix: two/, lifecycle: enacted }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine } }
    payload: [title]
  live:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors: { dense: { embedder: default, distance: cosine } }
    payload: [canonical_address, title]
    payload_indexes: { title: keyword }
    rollout: in_place
gates: { iu_core.composer_enabled: "true" }
checks: { kept: { query: "SELECT 1 FROM public.note WHERE id = 3", expect: { empty: false } } }
protect: { kept: { query: "SELECT id, text FROM public.note WHERE id = 3" } }
retention:
  command-log:
    table: public.dot_iu_command_run
    keep: 90d
    gate: iu_core.retention_enabled
    paired: { check: kept }
"#,
    work: &[
        "calls",
        "delete_rows",
        "drop_collection",
        "finish_collection",
        "insert_rows",
        "open_gate",
        "open_paired",
        "record_managed",
        "record_managed: forget",
        "record_rows",
        "refresh",
        "set_gate",
        "shut_gate",
        "stage_vectors: new collection",
        "stage_vectors: spool",
        "switch_alias",
        "transitions by calls",
        "update_rows",
        "write_vectors",
    ],
};

/// Whoever writes a row here has documents refused, at the end of the transaction that moves them.
const VETO: &str = "CREATE TABLE public.veto (why text NOT NULL); \
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      IF EXISTS (SELECT FROM public.veto) THEN RAISE EXCEPTION 'refused at the end'; END IF; RETURN NULL; END $$; \
    CREATE CONSTRAINT TRIGGER veto AFTER UPDATE ON public.documents DEFERRABLE INITIALLY DEFERRED \
      FOR EACH ROW EXECUTE FUNCTION public.refuse();";

/// A plain table whose rows are moved by updates.
pub const PLAIN: Case = Case {
    binding: "documents",
    schema: || format!("{}{VETO}", schema::documents_sql().1),
    seed: "INSERT INTO public.documents (slug, title, body, status) VALUES ('a', 'A', 'The body of a', 'published'), \
           ('b', 'B', 'The body of b', 'draft'), ('c', 'C', 'The body of c', 'published');",
    first: r#"enact: v1
plan: first
chunk_policies: { whole: { splitter: text, max_chars: 200, empty_body: skip } }
vector_sets:
  texts: { units: { lifecycle: published }, chunk_policy: whole, vectors: { dense: {} }, payload: [title] }
"#,
    between: "UPDATE public.documents SET body = 'Another body of a' WHERE slug = 'a'; \
              UPDATE public.documents SET status = 'archived' WHERE slug = 'c';",
    second: r#"enact: v1
plan: second
units: { b: { where: { address: b } } }
promotions: { b: { units: b, to: published, review: { decision: approve, reviewer: editors, rationale: read, at: "2026-05-25T00:00:00Z" } } }
chunk_policies: { whole: { splitter: text, max_chars: 200, empty_body: skip } }
vector_sets:
  texts: { units: { lifecycle: published }, chunk_policy: whole, vectors: { dense: {} }, payload: [title], rollout: in_place }
"#,
    work: &["finish_collection", "record_managed", "stage_vectors: spool", "transitions by updates", "write_vectors"],
};

fn written(action: RowAction) -> &'static str {
    match action {
        RowAction::Create => "insert_rows",
        RowAction::Update => "update_rows",
        RowAction::Delete => "delete_rows",
    }
}

/// The kinds of work of a plan, sorted.
pub fn kinds_of_work(plan: &SavedPlan) -> Vec<&'static str> {
    let mut out: Vec<&str> = plan
        .steps
        .iter()
        .flat_map(|step| match &step.work {
            Work::StageVectors(work) if work.new_collection => vec!["stage_vectors: new collection"],
            Work::StageVectors(_) => vec!["stage_vectors: spool"],
            Work::WriteRows(work) => work.batches.iter().map(|batch| written(batch.action)).collect(),
            Work::RecordRows(_) => vec!["record_rows"],
            Work::Transitions(work) => match work.by {
                TransitionBy::Calls(_) => vec!["transitions by calls"],
                TransitionBy::Updates(_) => vec!["transitions by updates"],
            },
            Work::Calls(_) => vec!["calls"],
            Work::Refresh { .. } => vec!["refresh"],
            Work::OpenGate(_) => vec!["open_gate"],
            Work::ShutGate(_) => vec!["shut_gate"],
            Work::SetGate(_) => vec!["set_gate"],
            Work::OpenPaired(_) => vec!["open_paired"],
            Work::RecordManaged { forget, remember, .. } if !(forget.is_empty() && remember.is_empty()) => {
                vec!["record_managed", "record_managed: forget"]
            }
            Work::RecordManaged { .. } => vec!["record_managed"],
            Work::WriteVectors { .. } => vec!["write_vectors"],
            Work::FinishCollection { .. } => vec!["finish_collection"],
            Work::SwitchAlias { .. } => vec!["switch_alias"],
            Work::DropCollection { .. } => vec!["drop_collection"],
        })
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}
