-- The three-axis envelope: a view of where each unit stands (document order, tags, tree), its cache table, and the
-- functions that compare and refresh the cache. It is stale after every write until a refresh runs.

CREATE TABLE public.iu_metadata_tag (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,                    -- chosen
  unit_id uuid NOT NULL REFERENCES public.information_unit(id),          -- inferred: name
  tag_kind text NOT NULL, tag_key text NOT NULL,                         -- kinds: legal_document, section_type, unit_kind
  enrichment_source text NOT NULL DEFAULT 'derived',
  assigned_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (unit_id, tag_kind, tag_key)                                    -- inferred: upserts are idempotent
);
CREATE VIEW public.v_ui_iu_three_axis_envelope AS                        -- 16 columns; inferred: body
WITH RECURSIVE tree AS (
  SELECT id, 0 AS depth, ARRAY[]::uuid[] AS anc, ARRAY[]::text[] AS anc_addr
  FROM public.information_unit WHERE parent_or_container_ref IS NULL AND deleted_at IS NULL
  UNION ALL
  SELECT c.id, t.depth + 1, t.anc || p.id, t.anc_addr || p.canonical_address
  FROM public.information_unit c JOIN tree t ON t.id = c.parent_or_container_ref
  JOIN public.information_unit p ON p.id = c.parent_or_container_ref WHERE c.deleted_at IS NULL)
SELECT u.id AS unit_id, u.canonical_address, u.unit_kind, u.section_type, u.lifecycle_status,
       u.doc_code AS axis_a_doc_code, u.sort_order AS axis_a_sort_order, u.section_code AS axis_a_section_code,
       coalesce((SELECT jsonb_object_agg(k, keys) FROM (SELECT tag_kind k, jsonb_agg(tag_key ORDER BY tag_key) keys
                 FROM public.iu_metadata_tag WHERE unit_id = u.id GROUP BY tag_kind) a), '{}'::jsonb) AS axis_b_tags,
       coalesce((SELECT jsonb_object_agg(s, keys) FROM (SELECT enrichment_source s, jsonb_agg(tag_key ORDER BY tag_key) keys
                 FROM public.iu_metadata_tag WHERE unit_id = u.id GROUP BY enrichment_source) b), '{}'::jsonb) AS axis_b_tags_by_source,
       u.parent_or_container_ref AS axis_c_parent_id, t.depth AS axis_c_depth,
       t.anc AS axis_c_ancestors, t.anc_addr AS axis_c_ancestor_addresses, u.created_at, u.updated_at
FROM public.information_unit u JOIN tree t ON t.id = u.id;

CREATE TABLE public.iu_three_axis_envelope (                             -- the 16 columns of the view, and 2
  unit_id uuid PRIMARY KEY, canonical_address text, unit_kind text, section_type text, lifecycle_status text,
  axis_a_doc_code text, axis_a_sort_order integer, axis_a_section_code text,
  axis_b_tags jsonb, axis_b_tags_by_source jsonb,
  axis_c_parent_id uuid, axis_c_depth integer, axis_c_ancestors uuid[], axis_c_ancestor_addresses text[],
  created_at timestamptz, updated_at timestamptz,
  refreshed_at timestamptz NOT NULL DEFAULT now(), refreshed_by text NOT NULL
);
CREATE INDEX ON public.iu_three_axis_envelope (canonical_address);
CREATE INDEX ON public.iu_three_axis_envelope (lifecycle_status);
CREATE INDEX ON public.iu_three_axis_envelope (axis_a_doc_code, axis_a_sort_order);
CREATE INDEX ON public.iu_three_axis_envelope (axis_c_parent_id);
CREATE INDEX ON public.iu_three_axis_envelope USING gin (axis_b_tags);

CREATE VIEW public.v_iu_three_axis_envelope_drift AS                     -- four kinds of drift, by unit
SELECT coalesce(v.unit_id, t.unit_id) AS unit_id,
       CASE WHEN v.unit_id IS NULL THEN 'missing_in_view' WHEN t.unit_id IS NULL THEN 'missing_in_table'
            WHEN (v.*)::text IS DISTINCT FROM (ROW(t.unit_id,t.canonical_address,t.unit_kind,t.section_type,t.lifecycle_status,
                 t.axis_a_doc_code,t.axis_a_sort_order,t.axis_a_section_code,t.axis_b_tags,t.axis_b_tags_by_source,t.axis_c_parent_id,
                 t.axis_c_depth,t.axis_c_ancestors,t.axis_c_ancestor_addresses,t.created_at,t.updated_at))::text
            THEN 'content_diff' ELSE 'in_sync' END AS drift_kind,        -- chosen: which columns count; updated_at included
       t.refreshed_at, t.refreshed_by
FROM public.v_ui_iu_three_axis_envelope v FULL OUTER JOIN public.iu_three_axis_envelope t USING (unit_id);

CREATE FUNCTION public.fn_iu_three_axis_envelope_drift_check() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT jsonb_build_object(
    'view_count',  (SELECT count(*) FROM public.v_ui_iu_three_axis_envelope),
    'table_count', (SELECT count(*) FROM public.iu_three_axis_envelope),
    'missing_in_table',   count(*) FILTER (WHERE drift_kind = 'missing_in_table'),
    'missing_in_view',    count(*) FILTER (WHERE drift_kind = 'missing_in_view'),
    'content_diff_count', count(*) FILTER (WHERE drift_kind = 'content_diff'),
    'in_sync', coalesce(bool_and(drift_kind = 'in_sync'), true), 'checked_at', now())
  FROM public.v_iu_three_axis_envelope_drift $$;

CREATE FUNCTION public.fn_iu_three_axis_envelope_refresh(p_actor text, p_dry_run boolean DEFAULT false)
RETURNS TABLE (upserted_count integer, deleted_count integer, view_count integer, table_count integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE n_up int := 0; n_del int := 0;
BEGIN
  IF coalesce(p_actor,'') = '' THEN RAISE EXCEPTION 'actor required' USING ERRCODE = 'check_violation'; END IF;
  IF p_dry_run THEN
    SELECT count(*) FILTER (WHERE drift_kind IN ('missing_in_table','content_diff')), count(*) FILTER (WHERE drift_kind = 'missing_in_view')
      INTO n_up, n_del FROM public.v_iu_three_axis_envelope_drift;
  ELSE
    WITH stale AS (SELECT unit_id FROM public.v_iu_three_axis_envelope_drift WHERE drift_kind IN ('missing_in_table','content_diff')),
    up AS (
      INSERT INTO public.iu_three_axis_envelope
      SELECT v.*, now(), p_actor FROM public.v_ui_iu_three_axis_envelope v JOIN stale USING (unit_id)
      ON CONFLICT (unit_id) DO UPDATE SET canonical_address = excluded.canonical_address, unit_kind = excluded.unit_kind,
        section_type = excluded.section_type, lifecycle_status = excluded.lifecycle_status, axis_a_doc_code = excluded.axis_a_doc_code,
        axis_a_sort_order = excluded.axis_a_sort_order, axis_a_section_code = excluded.axis_a_section_code, axis_b_tags = excluded.axis_b_tags,
        axis_b_tags_by_source = excluded.axis_b_tags_by_source, axis_c_parent_id = excluded.axis_c_parent_id, axis_c_depth = excluded.axis_c_depth,
        axis_c_ancestors = excluded.axis_c_ancestors, axis_c_ancestor_addresses = excluded.axis_c_ancestor_addresses,
        created_at = excluded.created_at, updated_at = excluded.updated_at, refreshed_at = excluded.refreshed_at, refreshed_by = excluded.refreshed_by
      RETURNING 1)
    SELECT count(*) INTO n_up FROM up;                                   -- chosen: counts changed rows only
    DELETE FROM public.iu_three_axis_envelope t WHERE NOT EXISTS (SELECT 1 FROM public.v_ui_iu_three_axis_envelope v WHERE v.unit_id = t.unit_id);
    GET DIAGNOSTICS n_del = ROW_COUNT;
  END IF;
  RETURN QUERY SELECT n_up, n_del, (SELECT count(*)::int FROM public.v_ui_iu_three_axis_envelope), (SELECT count(*)::int FROM public.iu_three_axis_envelope);
END $$;

CREATE TABLE public.iu_three_axis_envelope_refresh_log (                 -- inferred: types
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, actor text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('refreshed','skipped_in_sync','dry_run')),
  dry_run boolean NOT NULL, forced boolean NOT NULL,
  view_count_pre integer, table_count_pre integer, table_count_post integer,
  upserted_count integer NOT NULL DEFAULT 0, deleted_count integer NOT NULL DEFAULT 0,
  drift_pre jsonb, drift_post jsonb, started_at timestamptz NOT NULL, finished_at timestamptz
);
CREATE INDEX ON public.iu_three_axis_envelope_refresh_log (started_at DESC);
CREATE INDEX ON public.iu_three_axis_envelope_refresh_log (actor, started_at DESC);

CREATE FUNCTION public.fn_iu_three_axis_envelope_refresh_if_stale(p_actor text, p_dry_run boolean DEFAULT false, p_force boolean DEFAULT false)
RETURNS SETOF public.iu_three_axis_envelope_refresh_log                  -- one log row for each call; inferred: return type
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE pre jsonb; r record; v_out text; v_t0 timestamptz := clock_timestamp(); v_id bigint; n_up int := 0; n_del int := 0;
BEGIN
  IF coalesce(p_actor,'') = '' THEN RAISE EXCEPTION 'actor required' USING ERRCODE = 'check_violation'; END IF;
  pre := public.fn_iu_three_axis_envelope_drift_check();
  v_out := CASE WHEN p_dry_run THEN 'dry_run' WHEN p_force OR NOT (pre->>'in_sync')::boolean THEN 'refreshed' ELSE 'skipped_in_sync' END;
  IF v_out <> 'skipped_in_sync' THEN
    SELECT * INTO r FROM public.fn_iu_three_axis_envelope_refresh(p_actor, p_dry_run); n_up := r.upserted_count; n_del := r.deleted_count;
  END IF;
  INSERT INTO public.iu_three_axis_envelope_refresh_log (actor, outcome, dry_run, forced, view_count_pre, table_count_pre, table_count_post,
      upserted_count, deleted_count, drift_pre, drift_post, started_at, finished_at)
  VALUES (p_actor, v_out, p_dry_run, p_force, (pre->>'view_count')::int, (pre->>'table_count')::int,
      (SELECT count(*)::int FROM public.iu_three_axis_envelope), n_up, n_del, pre, public.fn_iu_three_axis_envelope_drift_check(), v_t0, clock_timestamp())
  RETURNING id INTO v_id;
  RETURN QUERY SELECT * FROM public.iu_three_axis_envelope_refresh_log WHERE id = v_id;
END $$;

CREATE VIEW public.v_iu_three_axis_envelope_refresh_status AS            -- one row; chosen: the rule of cache_healthy
SELECT l.actor AS last_actor, l.outcome AS last_outcome, l.started_at AS last_started_at, l.finished_at AS last_finished_at,
       l.upserted_count AS last_upserted_count, l.deleted_count AS last_deleted_count, l.table_count_post AS last_table_count,
       extract(epoch FROM now() - l.started_at)::bigint AS seconds_since_last_refresh,
       d.j AS current_drift, (d.j->>'in_sync')::boolean AS current_in_sync,
       (d.j->>'view_count')::int AS current_view_count, (d.j->>'table_count')::int AS current_table_count,
       (d.j->>'in_sync')::boolean AND (d.j->>'table_count')::int > 0 AS cache_healthy
FROM (SELECT public.fn_iu_three_axis_envelope_drift_check() AS j) d
LEFT JOIN LATERAL (SELECT * FROM public.iu_three_axis_envelope_refresh_log ORDER BY started_at DESC, id DESC LIMIT 1) l ON true;

CREATE TABLE public.iu_three_axis_envelope_trigger_error_log (           -- chosen: sqlstate, message, tg_table
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, captured_at timestamptz NOT NULL DEFAULT now(),
  tg_table text, tg_op text CHECK (tg_op IN ('INSERT','UPDATE','DELETE','TRUNCATE')), sqlstate text, message text);
CREATE FUNCTION public.fn_iu_three_axis_envelope_auto_refresh_trigger() RETURNS trigger   -- never fails the statement that fired it
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF NOT public.fn_ref_gate('iu_core.three_axis_auto_refresh_enabled') THEN RETURN NULL; END IF;
  BEGIN
    PERFORM public.fn_iu_three_axis_envelope_refresh_if_stale('iu_lifecycle_trigger', false, false);
  EXCEPTION WHEN OTHERS THEN
    INSERT INTO public.iu_three_axis_envelope_trigger_error_log (tg_table, tg_op, sqlstate, message) VALUES (TG_TABLE_NAME, TG_OP, SQLSTATE, SQLERRM);
  END;
  RETURN NULL;
END $$;
CREATE TRIGGER trg_iu_three_axis_envelope_auto_refresh_iu AFTER INSERT OR UPDATE OR DELETE ON public.information_unit
  FOR EACH STATEMENT EXECUTE FUNCTION public.fn_iu_three_axis_envelope_auto_refresh_trigger();
CREATE TRIGGER trg_iu_three_axis_envelope_auto_refresh_tag AFTER INSERT OR UPDATE OR DELETE ON public.iu_metadata_tag
  FOR EACH STATEMENT EXECUTE FUNCTION public.fn_iu_three_axis_envelope_auto_refresh_trigger();
