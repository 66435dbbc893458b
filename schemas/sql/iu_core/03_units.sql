-- Units, their versions, and the log of their lifecycle.
-- A unit points at its current version twice (content_anchor_ref, version_anchor_ref); both must be right at COMMIT.

CREATE TABLE public.iu_lifecycle_vocab (
  code        text NOT NULL PRIMARY KEY,
  name        text NOT NULL,
  description text,
  sort_order  integer
);
INSERT INTO public.iu_lifecycle_vocab VALUES
  ('draft','Draft',NULL,10), ('enacted','Enacted',NULL,20),
  ('superseded','Superseded',NULL,30), ('retired','Retired',NULL,40);    -- chosen: names, order

CREATE TABLE public.information_unit (
  id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  canonical_address       text NOT NULL UNIQUE,
  unit_kind               text NOT NULL,                                 -- vocabulary: law_unit, design_doc_section
  lifecycle_status        text NOT NULL DEFAULT 'draft',                 -- no CHECK: the vocabulary is soft; live data also holds 'deprecated'
  content_anchor_ref      text,                                          -- required at COMMIT; = version id as text
  version_anchor_ref      uuid,                                          -- required at COMMIT; = version id
  owner_ref               text NOT NULL,
  parent_or_container_ref uuid,
  conformance_status      text NOT NULL DEFAULT 'open',
  identity_profile        jsonb NOT NULL DEFAULT '{}'::jsonb,            -- title, owner_lookup_ref, primary_section_type_ref
  created_at              timestamptz NOT NULL DEFAULT now(),
  updated_at              timestamptz NOT NULL DEFAULT now(),
  created_by              text NOT NULL,
  updated_by              text NOT NULL,
  deleted_at              timestamptz,
  doc_code                text,                                          -- inferred: type, nullability
  sort_order              integer,
  section_type            text,                                          -- article, principle, section, heading, ...
  section_code            text,
  publication_type        text                                           -- inferred: a column, not a key of identity_profile
);
CREATE TABLE public.unit_version (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  unit_id          uuid NOT NULL REFERENCES public.information_unit(id),
  body             text NOT NULL,                                        -- may be the empty string
  content_hash     text NOT NULL,
  version_seq      integer NOT NULL,
  lifecycle_status text NOT NULL DEFAULT 'draft',
  content_profile  jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at       timestamptz NOT NULL DEFAULT now(),
  created_by       text NOT NULL,
  enacted_at       timestamptz,
  review_state     text,                                                 -- never populated
  UNIQUE (unit_id, version_seq)
);
ALTER TABLE public.information_unit
  ADD CONSTRAINT fk_iu_version_anchor FOREIGN KEY (version_anchor_ref)   -- checked at COMMIT
  REFERENCES public.unit_version(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.information_unit
  ADD FOREIGN KEY (parent_or_container_ref) REFERENCES public.information_unit(id);   -- chosen

CREATE TABLE public.iu_lifecycle_log (                                   -- append-only
  log_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,    -- chosen
  unit_id            uuid NOT NULL REFERENCES public.information_unit(id),  -- inferred: foreign key
  unit_version_id    uuid,                                               -- chosen
  canonical_address  text NOT NULL,
  transition_type    text NOT NULL,                                      -- enact, supersede, retire_from_draft|enacted|superseded
  from_status        text NOT NULL,
  to_status          text NOT NULL,
  review_decision_id uuid NOT NULL,
  change_set_id      uuid,                                               -- NULL on the first 60
  superseded_by      text,                                               -- inferred: address of the successor
  reason             text,                                               -- inferred
  tool_revision      text,
  performed_by       text NOT NULL,
  performed_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON public.iu_lifecycle_log (unit_id, performed_at DESC);    -- chosen: which columns
CREATE INDEX ON public.iu_lifecycle_log (review_decision_id);
CREATE INDEX ON public.iu_lifecycle_log (change_set_id);
