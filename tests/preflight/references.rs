//! Every reference that a plan can make and that is not there stops at plan, with its place and a way out.

use crate::support::project::Project;

const CONFIG: &str = r#"enact: v1
default: local
env_file: .env
environments:
  local:
    local: { directory: .enact }
    binding: ./binding.yaml
    embedders: { default: { kind: static } }
    actor: test
    roles: { gates: directus }
    collections: { allow: [iu_core_iu_chunks] }
    sweep_grace: 0s
"#;

const PLAN: &str = r#"enact: v1
plan: all
units:
  drafts: { where: { address_prefix: D38-, lifecycle: draft } }
promotions:
  d38:
    units: drafts
    to: enacted
    ids: { scheme: uuid-v5 }
    review: { decision: approve, reviewer: council, rationale: "read twice", at: "2026-05-24T00:00:00Z" }
rows:
  public.dot_config:
    - { key: { key: a }, values: { value: b } }
chunk_policies:
  short: { splitter: text, max_chars: 1800, text: "{title}\n\n{chunk}", empty_body: skip }
vector_sets:
  iu_core_iu_chunks:
    units: { lifecycle: enacted }
    chunk_policy: short
    vectors:
      dense: { embedder: default, distance: cosine }
      text: { sparse: bm25, language: none }
    payload: [unit_id, canonical_address]
    payload_indexes: { unit_id: uuid }
"#;

const BINDING: &str = include_str!("../../schemas/bindings/iu-core.yaml");

/// What is written instead of what, the code, the place and a part of the way out.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const IN_PLAN: &[Case] = &[
    ("units: drafts", "units: draftz", "E017", "plans/all.yaml:7", "did you mean \"drafts\"?"),
    ("chunk_policy: short", "chunk_policy: shrot", "E017", "plans/all.yaml:19", "did you mean \"short\"?"),
    ("to: enacted", "to: enactd", "E041", "plans/all.yaml:8", "did you mean \"enacted\"?"),
    ("scheme: uuid-v5", "scheme: uuid-v4", "E044", "plans/all.yaml:9", "did you mean \"uuid-v5\"?"),
    ("rationale:", "rationaly:", "E011", "plans/all.yaml:10", "rationale"),
    ("address_prefix", "adress_prefix", "E055", "plans/all.yaml:4", "did you mean \"address\"?"),
    ("public.dot_config", "public.dot_confg", "E045", "plans/all.yaml:13", "did you mean \"public.dot_config\"?"),
    ("values: { value: b }", "values: { valeu: b }", "E046", "plans/all.yaml:13", "did you mean \"value\"?"),
    ("{title}", "{titel}", "E055", "plans/all.yaml:15", "did you mean \"title\"?"),
    ("embedder: default", "embedder: defualt", "E063", "plans/all.yaml:21", "did you mean \"default\"?"),
    ("language: none", "language: klingon", "E066", "plans/all.yaml:22", "klingon"),
    ("payload: [unit_id", "payload: [unit_ix, unit_id", "E055", "plans/all.yaml:23", "there is:"),
    ("{ unit_id: uuid }", "{ unit_idd: uuid }", "E017", "plans/all.yaml:24", "did you mean \"unit_id\"?"),
    ("  iu_core_iu_chunks:", "  iu_core_chunks:", "E057", "plans/all.yaml:17", "collections.allow"),
    ("distance: cosine", "distance: cosin", "E013", "plans/all.yaml:21", "cosine"),
];

const IN_CONFIG: &[Case] = &[
    ("binding: ./binding.yaml", "binding: iu-cor", "E028", "enact.yaml:7", "did you mean \"iu-core\"?"),
    ("binding: ./binding.yaml", "binding: ./bindin.yaml", "E028", "enact.yaml:7", "relative to enact.yaml"),
    ("default: local", "default: locla", "E023", "enact.yaml:2", "did you mean \"local\"?"),
    ("env_file: .env", "env_file: .envv", "E027", "enact.yaml:3", "create it"),
    ("actor: test", "actor: \"${NO_SUCH_VARIABLE}\"", "E024", "enact.yaml:9", "NO_SUCH_VARIABLE"),
    ("kind: static }", "kind: static, directory: nowhere }", "E066", "enact.yaml:8", "model.safetensors"),
    ("gates: directus", "gates: directuss", "E100", "enact.yaml:10", "did you mean \"directus\"?"),
    ("roles: { gates", "roles: { gate", "E010", "enact.yaml:10", "did you mean \"gates\"?"),
    (
        "{ kind: static }",
        "{ kind: openai, model: m, dimensions: 3, api_key: \"${NO_SUCH_KEY}\" }",
        "E024",
        "enact.yaml:8",
        "NO_SUCH_KEY",
    ),
    (
        "{ kind: static }",
        "{ kind: openai, model: m, dimensions: 3, api_key: { file: nowhere } }",
        "E025",
        "enact.yaml:8",
        "nowhere",
    ),
    (
        "{ kind: static }",
        "{ kind: openai, model: m, dimensions: 3, api_key: { command: [no-such-program] } }",
        "E026",
        "enact.yaml:8",
        "no-such-program",
    ),
    (
        "{ kind: static }",
        "{ kind: openai, model: m, dimensions: 128, base_url: \"http://127.0.0.1:9/v1\" }",
        "E066",
        "plans/all.yaml:17",
        "check that a server listens",
    ),
];

const IN_BINDING: &[Case] = &[
    (
        "tables: [public.information_unit,",
        "tables: [public.information_units,",
        "E045",
        "binding.yaml:",
        "did you mean",
    ),
    (
        "title: u.identity_profile ->> 'title'",
        "title: u.identity_profil ->> 'title'",
        "E067",
        "binding.yaml:",
        "identity_profil",
    ),
    ("from: public.information_unit u", "from: public.informationunit u", "E067", "binding.yaml:", "informationunit"),
    (
        "function: public.fn_iu_enact",
        "function: public.fn_iu_enacts",
        "E047",
        "binding.yaml:",
        "did you mean \"public.fn_iu_enact\"?",
    ),
    (
        "p_tool_revision: \"{tool",
        "p_tool_revison: \"{tool",
        "E048",
        "binding.yaml:",
        "did you mean \"p_tool_revision\"?",
    ),
    (
        "        operation_kind: cut",
        "        operation_kin: cut",
        "E046",
        "binding.yaml:",
        "did you mean \"operation_kind\"?",
    ),
    (
        "{promotion.name}:{set.hash}",
        "{promotion.nam}:{set.hash}",
        "E029",
        "binding.yaml:",
        "did you mean \"promotion.name\"?",
    ),
    ("reviewer: \"{review.reviewer}\"", "reviewer: \"{review.who}\"", "E043", "plans/all.yaml:6", "review.who"),
    ("default_scheme: uuid-v5", "default_scheme: uuid-v6", "E029", "binding.yaml:", "did you mean \"uuid-v5\"?"),
    (
        "to: public.information_unit,",
        "to: public.information_unitt,",
        "E045",
        "binding.yaml:",
        "did you mean \"public.information_unit\"?",
    ),
    (
        "table: public.dot_config, key: key",
        "table: public.dot_confg, key: key",
        "E045",
        "binding.yaml:",
        "did you mean \"public.dot_config\"?",
    ),
    (
        "table: public.dot_config, key: key",
        "table: public.dot_config, key: kee",
        "E046",
        "binding.yaml:",
        "did you mean \"key\"?",
    ),
    ("gate: iu_core.vector_sync_enabled", "gate: iu_core.vector_sync_enable", "E062", "binding.yaml:", "add the row"),
    ("view: public.v_iu_three", "view: public.v_iu_thre", "E045", "binding.yaml:", "did you mean"),
    (
        "current_in_sync: \"true\"",
        "current_in_synch: \"true\"",
        "E046",
        "binding.yaml:",
        "did you mean \"current_in_sync\"?",
    ),
    (
        "table: public.iu_vector_sync_point",
        "table: public.iu_vector_sync_points",
        "E045",
        "binding.yaml:",
        "did you mean",
    ),
    (
        "status_column: sync_status",
        "status_column: sync_state",
        "E046",
        "binding.yaml:",
        "did you mean \"sync_status\"?",
    ),
    (
        "function: public.fn_iu_vector_sync_record_v2",
        "function: public.fn_iu_vector_sync_record",
        "E047",
        "binding.yaml:",
        "did you mean",
    ),
];

#[test]
fn every_reference_that_is_not_there_stops_at_plan_with_its_place() {
    let project =
        Project::with_fixture("enact: v1\ndefault: local\nenvironments:\n  local:\n    local: { directory: .enact }\n");
    project.write(".env", "");
    let texts =
        [("enact.yaml", CONFIG, IN_CONFIG), ("plans/all.yaml", PLAN, IN_PLAN), ("binding.yaml", BINDING, IN_BINDING)];
    for (file, text, _) in texts {
        project.write(file, text);
    }
    project.ok(&["plan"]);
    let mut wrong = Vec::new();
    for (file, text, cases) in texts {
        for (from, to, code, place, way_out) in cases {
            assert!(text.contains(from), "{file} has no \"{from}\"");
            project.write(file, &text.replacen(from, to, 1));
            let output = project.enact(&["plan"]);
            let shown = String::from_utf8_lossy(&output.stderr).into_owned();
            let good = shown.contains(&format!("error[{code}]")) && shown.contains(place) && shown.contains(way_out);
            if output.status.code() != Some(3) || !good {
                wrong.push(format!("--- {to}: {code} at {place}, {way_out}; exit {:?}\n{shown}", output.status.code()));
            }
        }
        project.write(file, text);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (arguments, code) in [(["plan", "--env", "locla"], "E023"), (["plan", "--file", "nowhere.yaml"], "E001")] {
        let (_, shown) = project.exits(&arguments, 3);
        assert!(shown.contains(code), "{shown}");
    }
}
