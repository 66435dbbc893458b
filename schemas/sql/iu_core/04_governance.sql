-- The governance ledger: which review approved what. Append-only by grant; ids are given, never made here.
-- References between these tables are partly soft: a column holds an id and no foreign key checks it.

CREATE TABLE cutter_governance.manifest_envelope (                       -- 12 columns when it was made; three later ones unseen
  envelope_id               uuid PRIMARY KEY,
  operation_kind            text NOT NULL,                               -- live 'cut'; designed first_cut|split|merge
  status                    text NOT NULL,                               -- live 'proposed','applied'
  source_doc_ref            text NOT NULL,
  escalation_ref            uuid,                                        -- soft reference
  cut_change_set_ref        uuid,                                        -- soft reference, no FK
  created_by                text NOT NULL,
  created_at                timestamptz NOT NULL,                        -- no DEFAULT anywhere in this table
  reviewer                  text,
  reviewed_at               timestamptz,                                 -- inferred: type
  rationale                 text,                                        -- inferred: type
  superseded_by_envelope_id uuid                                         -- soft self reference
);
CREATE TABLE cutter_governance.manifest_unit_block (                     -- 13 columns
  envelope_id                uuid NOT NULL REFERENCES cutter_governance.manifest_envelope(envelope_id),
  unit_local_id              text NOT NULL,                              -- live value = the canonical address
  block_role                 text NOT NULL,                              -- origin | result
  source_span                jsonb NOT NULL,                             -- inferred: jsonb chosen over range
  render_order               integer,                                    -- inferred: type
  target_unit_id             uuid,
  decision_backlog_ref       uuid,
  proposed_canonical_address text,
  proposed_authority         text,
  block_status               text,                                       -- chosen, as the three below: their names were not visible
  block_payload              jsonb,                                      -- chosen
  created_by                 text,                                       -- chosen
  created_at                 timestamptz,                                -- chosen
  PRIMARY KEY (envelope_id, unit_local_id)
);
CREATE TABLE cutter_governance.review_decision (                         -- 25 columns; inferred: most types
  review_decision_id               uuid PRIMARY KEY,
  governance_event_kind            text NOT NULL,
  manifest_id                      uuid NOT NULL,
  manifest_version                 text NOT NULL,
  manifest_unit_local_id           text,
  review_scope                     text NOT NULL,
  status                           text NOT NULL,                        -- live 'decided'
  verdict                          text NOT NULL,                        -- live 'approve'; designed 'PASS'
  findings                         jsonb NOT NULL,
  reviewer_class                   text NOT NULL,                        -- live 'sovereign','automated_agent'
  reviewer_identity                jsonb NOT NULL,
  reviewer_independence_evidence   jsonb,                                -- inferred
  risk_class_assessment            text NOT NULL,
  escalation_ref                   uuid,
  cut_change_set_ref               uuid,                                 -- soft reference
  decision_at                      timestamptz NOT NULL,
  decided_by                       text NOT NULL,
  cross_signed_by_dot_verifier     boolean NOT NULL,                     -- inferred: boolean or text
  prior_review_decision_id         uuid,
  superseded_by_review_decision_id uuid,
  tool_revision                    text,
  review_duration_ms               bigint,                               -- inferred
  version                          text NOT NULL,                        -- live '1.0.0'
  created_at                       timestamptz NOT NULL,
  updated_at                       timestamptz NOT NULL,
  CONSTRAINT review_decision_manifest_fk   FOREIGN KEY (manifest_id)
    REFERENCES cutter_governance.manifest_envelope(envelope_id),
  CONSTRAINT review_decision_unit_block_fk FOREIGN KEY (manifest_id, manifest_unit_local_id)
    REFERENCES cutter_governance.manifest_unit_block(envelope_id, unit_local_id),
  CONSTRAINT review_decision_prior_fk      FOREIGN KEY (prior_review_decision_id)
    REFERENCES cutter_governance.review_decision(review_decision_id),
  CONSTRAINT review_decision_superseded_fk FOREIGN KEY (superseded_by_review_decision_id)
    REFERENCES cutter_governance.review_decision(review_decision_id)
);
CREATE TABLE cutter_governance.cut_change_set (                          -- the columns whose names are known
  change_set_id             uuid PRIMARY KEY,
  rollback_key              text NOT NULL UNIQUE,
  manifest_id               uuid NOT NULL,                               -- soft reference
  manifest_version          text NOT NULL,
  review_decision_id        uuid NOT NULL,                               -- soft reference
  decision_backlog_entry_id uuid,
  executor_signature_id     uuid,                                        -- a foreign key in the field; inferred: nullable
  verifier_signature_id     uuid,
  executor_tool_revision    text NOT NULL,
  verifier_tool_revision    text NOT NULL,                               -- 'pending' before a verify run
  state                     text NOT NULL DEFAULT 'open',                -- live 'committed'; chosen: default
  affected_unit_count       integer,
  payload_summary           jsonb NOT NULL DEFAULT '{}'::jsonb,          -- carries the content digest
  scenario_ref              text,
  emitted_by                text NOT NULL,
  emitted_at                timestamptz NOT NULL DEFAULT now()           -- chosen: name
);
CREATE TABLE cutter_governance.cut_change_set_affected_row (             -- what one change set touched
  affected_row_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  change_set_id   uuid NOT NULL REFERENCES cutter_governance.cut_change_set(change_set_id),   -- inferred: FK
  target_table    text NOT NULL,                                         -- e.g. 'public.information_unit'
  target_row_id   text NOT NULL,                                         -- inferred: type
  operation_kind  text NOT NULL,                                         -- live 'insert'
  before_state    jsonb,                                                 -- chosen
  after_state     jsonb,                                                 -- chosen
  recorded_at     timestamptz NOT NULL DEFAULT now()                     -- chosen
);
DO $own$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['manifest_envelope','manifest_unit_block','review_decision','cut_change_set','cut_change_set_affected_row']
  LOOP EXECUTE format('ALTER TABLE cutter_governance.%I OWNER TO workflow_admin', t); END LOOP;
END $own$;
