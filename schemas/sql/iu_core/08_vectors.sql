-- Which collections exist, and the ledger of the points that should be in them.

CREATE TABLE public.iu_qdrant_collection_registry (                      -- inferred: types, CHECK
  collection_name text PRIMARY KEY, vector_dim integer NOT NULL, distance_metric text NOT NULL, embedder_model_ref text NOT NULL,
  purpose text, status text NOT NULL CHECK (status IN ('planned','active','retired')), notes text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), retired_at timestamptz);
INSERT INTO public.iu_qdrant_collection_registry (collection_name, vector_dim, distance_metric, embedder_model_ref, purpose, status)
VALUES ('iu_core_iu_chunks', 1536, 'Cosine', 'openai:text-embedding-3-small', 'iu_core_per_iu_chunks', 'active');
CREATE VIEW public.v_iu_qdrant_collection_active AS SELECT * FROM public.iu_qdrant_collection_registry WHERE status IN ('planned','active');

CREATE TABLE public.iu_vector_sync_point (
  point_key       text PRIMARY KEY,                                      -- inferred: primary key
  source_kind     text NOT NULL CHECK (source_kind IN ('iu','collection','corpus')),
  source_path     text,                                                  -- inferred: as in the payload of the point
  collection_name text NOT NULL DEFAULT 'iu_core_iu_chunks',             -- chosen: which store the row speaks of
  unit_id         uuid,
  parent_piece_id uuid,
  chunk_index     integer,
  chunk_count     integer,
  summary_marker  boolean NOT NULL DEFAULT false,
  axis_refs       jsonb NOT NULL DEFAULT '{}'::jsonb,
  content_digest  text NOT NULL,                                         -- sha256 hex of the chunk's own text
  indexed_digest  text,                                                  -- what the store last acknowledged
  sync_status     text NOT NULL CHECK (sync_status IN ('planned','dryrun','indexed','drift','disabled')),
  point_count     integer NOT NULL DEFAULT 1,
  last_actor      text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),                    -- chosen
  last_synced_at  timestamptz                                            -- chosen
);
ALTER TABLE public.iu_vector_sync_point ADD CONSTRAINT iu_vector_sync_point_boundary_chk CHECK (
  CASE WHEN source_kind = 'iu'
       THEN unit_id IS NOT NULL AND chunk_index IS NOT NULL AND chunk_count IS NOT NULL
            AND chunk_index >= 0 AND chunk_index < chunk_count AND NOT summary_marker
       ELSE summary_marker AND unit_id IS NULL END) NOT VALID;
CREATE UNIQUE INDEX iu_vector_sync_point_unit_chunk_uq ON public.iu_vector_sync_point (collection_name, unit_id, chunk_index)
  WHERE source_kind = 'iu';                                              -- chosen: one owner for each chunk
CREATE VIEW public.v_iu_vector_sync_status AS
SELECT *, (indexed_digest IS DISTINCT FROM content_digest) AS drifted, (indexed_digest IS NOT DISTINCT FROM content_digest) AS in_sync
FROM public.iu_vector_sync_point;
CREATE FUNCTION public.fn_iu_vector_sync_enabled() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, public AS
$$ SELECT public.fn_ref_gate('iu_core.vector_sync_enabled') $$;
CREATE FUNCTION public.fn_iu_vector_sync_record_v2(                      -- chosen: argument list
  p_point_key text, p_source_kind text, p_unit_id uuid, p_chunk_index integer, p_chunk_count integer, p_content_digest text,
  p_status text, p_actor text, p_axis_refs jsonb DEFAULT '{}'::jsonb, p_summary_marker boolean DEFAULT false,
  p_parent_piece_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF p_status = 'indexed' AND NOT public.fn_iu_vector_sync_enabled() THEN
    RAISE EXCEPTION 'vector sync gate is shut: an indexed row is refused' USING ERRCODE = 'check_violation'; END IF;   -- inferred: code
  IF p_source_kind = 'iu' AND (p_unit_id IS NULL OR p_chunk_index IS NULL OR p_chunk_count IS NULL OR p_summary_marker
       OR p_chunk_index < 0 OR p_chunk_index >= p_chunk_count) THEN
    RAISE EXCEPTION 'per-unit point breaks the boundary rule: %', p_point_key USING ERRCODE = 'check_violation'; END IF;
  IF p_source_kind IN ('collection','corpus') AND (NOT p_summary_marker OR p_unit_id IS NOT NULL) THEN
    RAISE EXCEPTION 'summary point breaks the boundary rule: %', p_point_key USING ERRCODE = 'check_violation'; END IF;
  INSERT INTO public.iu_vector_sync_point AS s (point_key, source_kind, source_path, unit_id, parent_piece_id, chunk_index, chunk_count,
      summary_marker, axis_refs, content_digest, indexed_digest, sync_status, last_actor, last_synced_at)
  VALUES (p_point_key, p_source_kind, CASE WHEN p_source_kind = 'iu' THEN 'information_unit/' || p_unit_id END, p_unit_id, p_parent_piece_id,
      p_chunk_index, p_chunk_count, p_summary_marker, p_axis_refs, p_content_digest,
      CASE WHEN p_status = 'indexed' THEN p_content_digest END, p_status, p_actor, CASE WHEN p_status = 'indexed' THEN now() END)
  ON CONFLICT (point_key) DO UPDATE SET unit_id = excluded.unit_id, chunk_index = excluded.chunk_index, chunk_count = excluded.chunk_count,
      axis_refs = excluded.axis_refs, content_digest = excluded.content_digest,
      indexed_digest = coalesce(excluded.indexed_digest, s.indexed_digest), sync_status = excluded.sync_status,
      last_actor = excluded.last_actor, last_synced_at = coalesce(excluded.last_synced_at, s.last_synced_at);
  RETURN jsonb_build_object('status','recorded','point_key',p_point_key,'sync_status',p_status);
END $$;
