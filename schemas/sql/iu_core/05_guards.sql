-- What refuses a wrong write: units and versions change only through canonical functions, enacted rows only
-- through lifecycle functions, and a unit is born whole or not at all.

CREATE FUNCTION public.fn_content_hash(p_text text) RETURNS text         -- sha256, hex, of the UTF-8 text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public AS
$$ SELECT encode(sha256(convert_to(p_text, 'UTF8')), 'hex') $$;

CREATE FUNCTION public.fn_iu_gateway_write_guard() RETURNS trigger       -- inferred: body
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE v_mode text; v_allowed text; v_marker text := coalesce(current_setting('app.canonical_writer', true), '');
BEGIN
  SELECT value INTO v_mode    FROM public.dot_config WHERE key = 'iu_create.gateway.mode';
  SELECT value INTO v_allowed FROM public.dot_config WHERE key = 'iu_create.gateway.allowed_marker_values';
  IF coalesce(v_mode, 'enforced') = 'enforced'
     AND NOT (v_marker <> '' AND v_marker = ANY (string_to_array(coalesce(v_allowed, ''), ','))) THEN
    RAISE EXCEPTION 'IU Gateway blocked: direct write to % not allowed. Use canonical functions (%).',
      TG_TABLE_NAME, v_allowed USING ERRCODE = 'P0001';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trg_aa_iu_gateway_write_guard BEFORE INSERT OR UPDATE ON public.information_unit
  FOR EACH ROW EXECUTE FUNCTION public.fn_iu_gateway_write_guard();
CREATE TRIGGER trg_aa_uv_gateway_write_guard BEFORE INSERT OR UPDATE ON public.unit_version
  FOR EACH ROW EXECUTE FUNCTION public.fn_iu_gateway_write_guard();

CREATE FUNCTION public.fn_iu_birth_gate_layer1() RETURNS trigger         -- inferred: body
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF coalesce(NEW.identity_profile->>'title','') = '' OR coalesce(NEW.identity_profile->>'owner_lookup_ref','') = ''
     OR coalesce(NEW.identity_profile->>'primary_section_type_ref','') = '' THEN
    RAISE EXCEPTION 'birth gate L1: identity_profile needs title, owner_lookup_ref, primary_section_type_ref';
  END IF;
  IF NEW.unit_kind NOT IN ('law_unit','design_doc_section') THEN
    RAISE EXCEPTION 'birth gate L1: unit_kind % not in vocabulary', NEW.unit_kind;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER trg_iu_birth_gate_layer1 BEFORE INSERT ON public.information_unit
  FOR EACH ROW EXECUTE FUNCTION public.fn_iu_birth_gate_layer1();
CREATE FUNCTION public.fn_iu_birth_gate_layer2() RETURNS trigger         -- runs at COMMIT; inferred: body
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM public.information_unit u JOIN public.unit_version v ON v.id = u.version_anchor_ref AND v.unit_id = u.id
                 WHERE u.id = NEW.id AND u.content_anchor_ref = v.id::text) THEN
    RAISE EXCEPTION 'birth gate L2: % has no exact version and content anchor', NEW.canonical_address;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER trg_iu_birth_gate_layer2 AFTER INSERT ON public.information_unit
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fn_iu_birth_gate_layer2();

CREATE FUNCTION public.fn_iu_updated_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER trg_iu_updated_at BEFORE UPDATE ON public.information_unit
  FOR EACH ROW EXECUTE FUNCTION public.fn_iu_updated_at();

CREATE FUNCTION public.fn_iu_enacted_immut() RETURNS trigger             -- the marker of a lifecycle function lets through; inferred: body
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE v_marker text := coalesce(current_setting('app.canonical_writer', true), '');
BEGIN
  IF OLD.lifecycle_status <> 'enacted' OR v_marker IN ('fn_iu_enact','fn_iu_supersede','fn_iu_retire') THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  RAISE EXCEPTION '% row is enacted and cannot be changed', TG_TABLE_NAME USING ERRCODE = 'P0001';
END $$;
CREATE FUNCTION public.fn_uv_enacted_immut() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE v_marker text := coalesce(current_setting('app.canonical_writer', true), '');
BEGIN
  IF OLD.lifecycle_status <> 'enacted' OR v_marker IN ('fn_iu_enact','fn_iu_supersede','fn_iu_retire') THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  RAISE EXCEPTION '% row is enacted and cannot be changed', TG_TABLE_NAME USING ERRCODE = 'P0001';
END $$;
CREATE TRIGGER trg_iu_enacted_immut BEFORE UPDATE OR DELETE ON public.information_unit
  FOR EACH ROW EXECUTE FUNCTION public.fn_iu_enacted_immut();
CREATE TRIGGER trg_uv_enacted_immut BEFORE UPDATE OR DELETE ON public.unit_version
  FOR EACH ROW EXECUTE FUNCTION public.fn_uv_enacted_immut();

CREATE FUNCTION public.fn_iu_verify_invariants(p_canonical_address text) RETURNS jsonb  -- inferred: which checks
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT coalesce((
    SELECT jsonb_build_object('all_pass', a AND b AND c AND d, 'i1_unit', true, 'i2_version', a,
                              'i3_anchors', b, 'i4_hash', c, 'i5_profile', d)
    FROM (SELECT v.id IS NOT NULL AS a,
                 coalesce(v.unit_id = u.id AND u.content_anchor_ref = v.id::text, false) AS b,
                 coalesce(v.content_hash = public.fn_content_hash(v.body), false) AS c,
                 (u.identity_profile ? 'title') AS d
          FROM public.information_unit u LEFT JOIN public.unit_version v ON v.id = u.version_anchor_ref
          WHERE u.canonical_address = p_canonical_address AND u.deleted_at IS NULL) q),
    jsonb_build_object('all_pass', false, 'i1_unit', false)) $$;
