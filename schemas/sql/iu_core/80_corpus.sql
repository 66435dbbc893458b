-- Enact's own demo tooling, not a part of the field system: what `enact` needs to turn a folder of texts into units.
-- The field has no function that gives an enacted unit a new text in place (it supersedes), and none that sets the
-- placing columns. Nothing in the governance flow may call these; nobody but the owner may execute them.

-- Gives a unit another title or body. A new version is added and the unit is anchored to it; the versions before it
-- stay as they are. Draft and enacted units only.
-- status: amended | unchanged | iu_not_found | not_amendable | invalid_input
CREATE FUNCTION public.fn_iu_amend(p_canonical_address text, p_title text, p_body text, p_actor text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE u public.information_unit; v public.unit_version; v_new uuid := gen_random_uuid(); v_seq integer;
BEGIN
  IF coalesce(p_canonical_address,'') = '' OR coalesce(p_title,'') = '' OR coalesce(p_actor,'') = '' OR p_body IS NULL THEN
    RETURN jsonb_build_object('status','invalid_input');
  END IF;
  SELECT * INTO u FROM public.information_unit WHERE canonical_address = p_canonical_address AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN jsonb_build_object('status','iu_not_found','canonical_address',p_canonical_address); END IF;
  IF u.lifecycle_status NOT IN ('draft','enacted') THEN
    RETURN jsonb_build_object('status','not_amendable','canonical_address',p_canonical_address,'lifecycle_status',u.lifecycle_status); END IF;
  SELECT * INTO v FROM public.unit_version WHERE id = u.version_anchor_ref;
  IF v.body = p_body AND u.identity_profile->>'title' = p_title THEN
    RETURN jsonb_build_object('status','unchanged','canonical_address',p_canonical_address,'unit_id',u.id,'unit_version_id',v.id); END IF;
  SELECT coalesce(max(version_seq), 0) + 1 INTO v_seq FROM public.unit_version WHERE unit_id = u.id;

  -- An enacted row lets only the marker of a lifecycle function through.
  PERFORM set_config('app.canonical_writer', CASE u.lifecycle_status WHEN 'enacted' THEN 'fn_iu_enact' ELSE 'fn_iu_apply_edit_draft' END, true);
  INSERT INTO public.unit_version (id, unit_id, body, content_hash, version_seq, lifecycle_status, created_by, enacted_at)
  VALUES (v_new, u.id, p_body, public.fn_content_hash(p_body), v_seq, u.lifecycle_status, p_actor,
          CASE u.lifecycle_status WHEN 'enacted' THEN now() END);
  UPDATE public.information_unit
     SET version_anchor_ref = v_new, content_anchor_ref = v_new::text, updated_by = p_actor,
         identity_profile = jsonb_set(identity_profile, '{title}', to_jsonb(p_title))
   WHERE id = u.id;
  PERFORM set_config('app.canonical_writer', '', true);
  RETURN jsonb_build_object('status','amended','canonical_address',p_canonical_address,'unit_id',u.id,'unit_version_id',v_new,
         'version_seq',v_seq,'invariants_verified',(public.fn_iu_verify_invariants(p_canonical_address)->>'all_pass')::boolean);
END $$;

-- Says where a unit stands: document, position in it, section, parent. NULL clears. Used by the corpus loader only.
-- status: placed | unchanged | iu_not_found | parent_not_found | parent_is_descendant | invalid_input
CREATE FUNCTION public.fn_iu_place(p_canonical_address text, p_doc_code text, p_sort_order integer, p_section_code text,
  p_parent_address text, p_actor text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE u public.information_unit; v_parent uuid;
BEGIN
  IF coalesce(p_canonical_address,'') = '' OR coalesce(p_actor,'') = '' THEN RETURN jsonb_build_object('status','invalid_input'); END IF;
  SELECT * INTO u FROM public.information_unit WHERE canonical_address = p_canonical_address AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN jsonb_build_object('status','iu_not_found','canonical_address',p_canonical_address); END IF;
  IF p_parent_address IS NOT NULL THEN
    SELECT id INTO v_parent FROM public.information_unit WHERE canonical_address = p_parent_address AND deleted_at IS NULL;
    IF NOT FOUND THEN RETURN jsonb_build_object('status','parent_not_found','canonical_address',p_canonical_address,'parent_address',p_parent_address); END IF;
    IF EXISTS (WITH RECURSIVE up AS (
                 SELECT id, parent_or_container_ref FROM public.information_unit WHERE id = v_parent
                 UNION SELECT p.id, p.parent_or_container_ref FROM public.information_unit p JOIN up ON p.id = up.parent_or_container_ref)
               SELECT 1 FROM up WHERE id = u.id) THEN
      RETURN jsonb_build_object('status','parent_is_descendant','canonical_address',p_canonical_address,'parent_address',p_parent_address); END IF;
  END IF;
  IF (u.doc_code, u.sort_order, u.section_code, u.parent_or_container_ref) IS NOT DISTINCT FROM (p_doc_code, p_sort_order, p_section_code, v_parent) THEN
    RETURN jsonb_build_object('status','unchanged','canonical_address',p_canonical_address,'unit_id',u.id); END IF;

  PERFORM set_config('app.canonical_writer', CASE u.lifecycle_status WHEN 'enacted' THEN 'fn_iu_enact' ELSE 'fn_iu_create' END, true);
  UPDATE public.information_unit
     SET doc_code = p_doc_code, sort_order = p_sort_order, section_code = p_section_code, parent_or_container_ref = v_parent, updated_by = p_actor
   WHERE id = u.id;
  PERFORM set_config('app.canonical_writer', '', true);
  RETURN jsonb_build_object('status','placed','canonical_address',p_canonical_address,'unit_id',u.id);
END $$;

ALTER FUNCTION public.fn_iu_amend(text,text,text,text) OWNER TO directus;
ALTER FUNCTION public.fn_iu_place(text,text,integer,text,text,text) OWNER TO directus;
REVOKE ALL ON FUNCTION public.fn_iu_amend(text,text,text,text) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.fn_iu_place(text,text,integer,text,text,text) FROM PUBLIC;
