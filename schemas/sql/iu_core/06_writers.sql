-- The canonical writers. They answer a refusal as {"status": …} and raise nothing, so a caller must read the answer.

CREATE FUNCTION public.fn_iu_create(                                     -- makes a draft; chosen: a shorter body
  p_canonical_address text, p_title text, p_body text, p_actor text,
  p_unit_kind text DEFAULT NULL, p_section_type text DEFAULT NULL, p_owner_ref text DEFAULT NULL,
  p_publication_type text DEFAULT NULL, p_parent_ref uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE v_iu uuid := gen_random_uuid(); v_uv uuid := gen_random_uuid(); v_inv jsonb;
        v_owner text := coalesce(p_owner_ref, p_actor); v_kind text := coalesce(p_unit_kind, 'design_doc_section');
        v_sect text := coalesce(p_section_type, 'section');
BEGIN
  IF coalesce(p_canonical_address,'') = '' OR coalesce(p_title,'') = '' OR coalesce(p_actor,'') = '' OR p_body IS NULL THEN
    RETURN jsonb_build_object('status','invalid_input');                 -- the field refuses an empty body here too
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext(p_canonical_address));
  IF EXISTS (SELECT 1 FROM public.information_unit WHERE canonical_address = p_canonical_address) THEN
    v_inv := public.fn_iu_verify_invariants(p_canonical_address);
    RETURN jsonb_build_object('status', CASE WHEN (v_inv->>'all_pass')::boolean THEN 'exists_complete' ELSE 'exists_unknown_state' END);
  END IF;
  PERFORM set_config('app.canonical_writer', 'fn_iu_create', true);      -- transaction-local marker
  INSERT INTO public.information_unit (id, canonical_address, unit_kind, content_anchor_ref, version_anchor_ref, owner_ref,
      parent_or_container_ref, identity_profile, created_by, updated_by, section_type, publication_type)
  VALUES (v_iu, p_canonical_address, v_kind, v_uv::text, v_uv, v_owner, p_parent_ref,
      jsonb_build_object('title', p_title, 'owner_lookup_ref', v_owner, 'primary_section_type_ref', v_sect),
      p_actor, p_actor, v_sect, p_publication_type);
  INSERT INTO public.unit_version (id, unit_id, body, content_hash, version_seq, created_by)
  VALUES (v_uv, v_iu, p_body, public.fn_content_hash(p_body), 1, p_actor);
  PERFORM set_config('app.canonical_writer', '', true);                  -- inferred: the marker must not leak to later statements
  RETURN jsonb_build_object('status','created','unit_id',v_iu,'unit_version_id',v_uv,
         'invariants_verified', (public.fn_iu_verify_invariants(p_canonical_address)->>'all_pass')::boolean);
END $$;

CREATE FUNCTION public.fn_ref_iu_transition(                             -- chosen: the shared body of the three functions below
  p_writer text, p_addr text, p_actor text, p_rd uuid, p_target text, p_cs uuid,
  p_reason text, p_tool text, p_successor text, p_dry boolean) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE u public.information_unit; v_type text; v_n int;
BEGIN
  -- 1 input: a missing address, actor or review decision is refused in this shape
  IF coalesce(p_addr,'') = '' THEN RETURN jsonb_build_object('status','invalid_input','field','canonical_address'); END IF;
  IF coalesce(p_actor,'') = '' THEN RETURN jsonb_build_object('status','invalid_input','field','actor'); END IF;
  IF p_rd IS NULL THEN RETURN jsonb_build_object('status','invalid_input','field','review_decision_id',
      'guidance','must reference a cutter_governance.review_decision row','next_action','record_review_decision_first'); END IF;
  IF NOT EXISTS (SELECT 1 FROM public.iu_lifecycle_vocab WHERE code = p_target) THEN
    RETURN jsonb_build_object('status','invalid_target_lifecycle','field','target_lifecycle','value',p_target); END IF;
  -- 2 row lock
  SELECT * INTO u FROM public.information_unit WHERE canonical_address = p_addr AND deleted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN jsonb_build_object('status','iu_not_found','canonical_address',p_addr); END IF;
  -- 3 state machine; inferred: that it comes before 4 and 5
  IF u.lifecycle_status = p_target THEN
    RETURN jsonb_build_object('status','already_in_target','canonical_address',p_addr,'lifecycle_status',p_target); END IF;  -- chosen: code
  v_type := CASE u.lifecycle_status || '>' || p_target
      WHEN 'draft>enacted' THEN 'enact'                WHEN 'enacted>superseded' THEN 'supersede'
      WHEN 'enacted>retired' THEN 'retire_from_enacted' WHEN 'draft>retired' THEN 'retire_from_draft'
      WHEN 'superseded>retired' THEN 'retire_from_superseded' END;
  IF v_type IS NULL THEN
    RETURN jsonb_build_object('status','fsm_denied','from_status',u.lifecycle_status,'to_status',p_target); END IF;
  IF p_writer = 'fn_iu_enact' AND v_type <> 'enact' THEN
    RETURN jsonb_build_object('status','transition_not_yet_implemented','transition_type',v_type); END IF;
  -- 4 governance rows
  IF NOT EXISTS (SELECT 1 FROM cutter_governance.review_decision WHERE review_decision_id = p_rd) THEN
    RETURN jsonb_build_object('status','review_decision_not_found','review_decision_id',p_rd); END IF;
  IF p_cs IS NOT NULL AND NOT EXISTS (SELECT 1 FROM cutter_governance.cut_change_set WHERE change_set_id = p_cs) THEN
    RETURN jsonb_build_object('status','change_set_not_found','change_set_id',p_cs); END IF;
  -- 5 invariants are run again; chosen: code
  IF p_writer = 'fn_iu_enact' AND NOT (public.fn_iu_verify_invariants(p_addr)->>'all_pass')::boolean THEN
    RETURN jsonb_build_object('status','invariants_failed','canonical_address',p_addr,'invariants',public.fn_iu_verify_invariants(p_addr)); END IF;
  IF p_dry THEN
    RETURN jsonb_build_object('status','plan_ok','canonical_address',p_addr,'transition_type',v_type,
      'would_write_rows', jsonb_build_object('information_unit',1,'unit_version',1,'iu_lifecycle_log',1)); END IF;
  -- 6 three tables in one transaction
  PERFORM set_config('app.canonical_writer', p_writer, true);
  UPDATE public.information_unit SET lifecycle_status = p_target, updated_by = p_actor WHERE id = u.id;
  UPDATE public.unit_version SET lifecycle_status = p_target,
         enacted_at = CASE WHEN p_target = 'enacted' THEN now() ELSE enacted_at END WHERE id = u.version_anchor_ref;
  INSERT INTO public.iu_lifecycle_log (unit_id, unit_version_id, canonical_address, transition_type, from_status, to_status,
         review_decision_id, change_set_id, superseded_by, reason, tool_revision, performed_by)
  VALUES (u.id, u.version_anchor_ref, p_addr, v_type, u.lifecycle_status, p_target, p_rd, p_cs, p_successor, p_reason, p_tool, p_actor);
  PERFORM set_config('app.canonical_writer', '', true);                  -- inferred
  -- 7 read-back
  SELECT count(*) INTO v_n FROM public.information_unit i JOIN public.unit_version v ON v.id = i.version_anchor_ref
   WHERE i.id = u.id AND i.lifecycle_status = p_target AND v.lifecycle_status = p_target;
  IF v_n <> 1 THEN RAISE EXCEPTION 'read-back failed for %', p_addr; END IF;
  RETURN jsonb_build_object('status', p_target, 'canonical_address', p_addr, 'unit_id', u.id, 'transition_type', v_type,  -- chosen: the success code is the target
         'from_status', u.lifecycle_status, 'to_status', p_target, 'review_decision_id', p_rd, 'change_set_id', p_cs);
END $$;

CREATE FUNCTION public.fn_iu_enact(
  p_canonical_address text, p_actor text, p_review_decision_id uuid, p_target_lifecycle text DEFAULT 'enacted',
  p_change_set_id uuid DEFAULT NULL, p_reason text DEFAULT NULL, p_tool_revision text DEFAULT NULL,
  p_dry_run boolean DEFAULT false) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS
$$ SELECT public.fn_ref_iu_transition('fn_iu_enact',$1,$2,$3,$4,$5,$6,$7,NULL,$8) $$;
CREATE FUNCTION public.fn_iu_supersede(
  p_canonical_address text, p_actor text, p_review_decision_id uuid, p_change_set_id uuid DEFAULT NULL,
  p_reason text DEFAULT NULL, p_tool_revision text DEFAULT NULL, p_superseded_by_canonical_address text DEFAULT NULL,
  p_dry_run boolean DEFAULT false) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS
$$ SELECT public.fn_ref_iu_transition('fn_iu_supersede',$1,$2,$3,'superseded',$4,$5,$6,$7,$8) $$;
CREATE FUNCTION public.fn_iu_retire(
  p_canonical_address text, p_actor text, p_review_decision_id uuid, p_change_set_id uuid DEFAULT NULL,
  p_reason text DEFAULT NULL, p_tool_revision text DEFAULT NULL, p_dry_run boolean DEFAULT false) RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS
$$ SELECT public.fn_ref_iu_transition('fn_iu_retire',$1,$2,$3,'retired',$4,$5,$6,NULL,$7) $$;
