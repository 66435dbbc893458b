-- Brings the fixture of 163 units to where the field stood before its two packages: 60 units of the first set enacted,
-- 64 ledger rows, of which 61 are indexed and 3 are dry runs older than the boundary rule. The 61 points themselves are
-- in Qdrant. Run after the reference schema and its fixture, as the owner, in one transaction.

INSERT INTO cutter_governance.manifest_envelope (envelope_id, operation_kind, status, source_doc_ref, created_by, created_at)
VALUES ('0c000000-0000-4000-8000-000000000001', 'cut', 'applied', 'icxconst-first-cut', 'fixture', '2026-05-20T00:00:00Z');
INSERT INTO cutter_governance.review_decision (review_decision_id, governance_event_kind, manifest_id, manifest_version, review_scope,
  status, verdict, findings, reviewer_class, reviewer_identity, risk_class_assessment, decision_at, decided_by,
  cross_signed_by_dot_verifier, version, created_at, updated_at)
VALUES ('0c000000-0000-4000-8000-000000000002', 'lifecycle_phase7_enactment', '0c000000-0000-4000-8000-000000000001', 'first-cut',
  'phase7_lifecycle_enactment:ICX-CONST', 'decided', 'approve', '[]', 'sovereign', '{"name": "council"}', 'standard',
  '2026-05-20T00:00:00Z', 'council', false, '1.0.0', '2026-05-20T00:00:00Z', '2026-05-20T00:00:00Z');

DO $$
DECLARE u record; r jsonb; n integer; c integer;
BEGIN
  FOR u IN SELECT i.id, i.canonical_address a, v.body FROM public.information_unit i JOIN public.unit_version v ON v.id = i.version_anchor_ref
           WHERE i.canonical_address LIKE 'ICX-CONST/%' ORDER BY 2 LOOP
    r := public.fn_iu_enact(u.a, 'iu-core-first-cut', '0c000000-0000-4000-8000-000000000002');
    IF r->>'status' <> 'enacted' THEN RAISE EXCEPTION '%', r; END IF;
  END LOOP;
  UPDATE public.dot_config SET value = 'true' WHERE key = 'iu_core.vector_sync_enabled';
  FOR u IN SELECT i.id, i.canonical_address a, v.body FROM public.information_unit i JOIN public.unit_version v ON v.id = i.version_anchor_ref
           WHERE i.lifecycle_status = 'enacted' ORDER BY 2 LOOP
    n := array_length(string_to_array(u.body, E'\n'), 1);
    FOR c IN 0 .. n - 1 LOOP
      PERFORM public.fn_iu_vector_sync_record_v2('iu.' || u.a || '#chunk-' || lpad(c::text, 4, '0'), 'iu', u.id, c, n,
        public.fn_content_hash(split_part(u.body, E'\n', c + 1)), 'indexed', 'iu_core_2400x_full_reindex');
    END LOOP;
  END LOOP;
  UPDATE public.dot_config SET value = 'false' WHERE key = 'iu_core.vector_sync_enabled';
END $$;

-- The rule came after these three rows; it was added without looking at what was there.
ALTER TABLE public.iu_vector_sync_point DROP CONSTRAINT iu_vector_sync_point_boundary_chk;
INSERT INTO public.iu_vector_sync_point (point_key, source_kind, content_digest, sync_status, last_actor)
SELECT 'dryrun.' || i, 'iu', public.fn_content_hash('dryrun ' || i), 'dryrun', 'iu_core_1000x_dryrun' FROM generate_series(1, 3) i;
ALTER TABLE public.iu_vector_sync_point ADD CONSTRAINT iu_vector_sync_point_boundary_chk CHECK (
  CASE WHEN source_kind = 'iu'
       THEN unit_id IS NOT NULL AND chunk_index IS NOT NULL AND chunk_count IS NOT NULL
            AND chunk_index >= 0 AND chunk_index < chunk_count AND NOT summary_marker
       ELSE summary_marker AND unit_id IS NULL END) NOT VALID;
SELECT public.fn_iu_three_axis_envelope_refresh('fixture');
