-- Gates and settings: one row each. A gate is shut unless its value is 'true'.

CREATE TABLE public.dot_config (
  key         text PRIMARY KEY,                                          -- inferred: primary key
  value       text,
  description text,                                                      -- chosen
  updated_at  timestamptz NOT NULL DEFAULT now()                         -- chosen: default
);
INSERT INTO public.dot_config(key, value) VALUES
  ('iu_create.gateway.mode',                  'enforced'),
  ('iu_create.gateway.allowed_marker_values',                            -- inferred: the last two
   'fn_iu_create,fn_iu_apply_edit_draft,fn_iu_enact,fn_iu_supersede,fn_iu_retire'),
  ('iu_enact.allow_no_review_decision',       'false'),                  -- never flip
  ('iu_core.three_axis_auto_refresh_enabled', 'false'),
  ('iu_core.vector_sync_enabled',             'false'),                  -- never flip outside a governed window
  ('iu_core.retention_enabled',               'false'),
  ('iu_core.operator_runtime_enabled',        'false'),
  ('iu_core.composer_enabled',                'false'),
  ('iu_core.delivery_enabled',                'false'),
  ('iu_core.structure_ops_enabled',           'false'),
  ('iu_core.auto_instantiate_enabled',        'false'),
  ('iu_core.routes_master_enabled',           'true'),                   -- allowed default
  ('iu_core.route_worker_enabled',            'true'),                   -- allowed default
  ('iu_core.delivery_live_routes',            '');                       -- empty list

CREATE FUNCTION public.fn_ref_gate(p_key text) RETURNS boolean           -- chosen: reads one gate
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS
$$ SELECT coalesce((SELECT lower(value) = 'true' FROM public.dot_config WHERE key = p_key), false) $$;
