-- Owners and grants, after everything they name.

DO $own$ DECLARE r record; BEGIN                                         -- directus owns everything in public
  FOR r IN SELECT format('ALTER %s public.%I OWNER TO directus', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname) q
           FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r','v') LOOP EXECUTE r.q; END LOOP;
  FOR r IN SELECT oid::regprocedure f FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND (proname LIKE 'fn\_%') LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO directus', r.f);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', r.f);        -- inferred: for all but fn_iu_create and fn_iu_enact
  END LOOP;
END $own$;
GRANT USAGE ON SCHEMA cutter_governance TO directus, cutter_exec, cutter_verify, cutter_ro;
GRANT SELECT ON cutter_governance.review_decision, cutter_governance.cut_change_set TO directus;         -- inferred: cut_change_set
GRANT SELECT ON cutter_governance.manifest_envelope, cutter_governance.manifest_unit_block TO directus;  -- inferred
GRANT SELECT, INSERT ON cutter_governance.manifest_envelope, cutter_governance.manifest_unit_block,
      cutter_governance.review_decision, cutter_governance.cut_change_set TO cutter_exec;
GRANT INSERT ON cutter_governance.cut_change_set_affected_row TO cutter_exec;
GRANT SELECT ON cutter_governance.manifest_envelope, cutter_governance.manifest_unit_block, cutter_governance.review_decision TO cutter_verify;
GRANT SELECT, INSERT ON cutter_governance.cut_change_set, cutter_governance.cut_change_set_affected_row TO cutter_verify;
GRANT SELECT ON public.information_unit, public.unit_version, public.dot_config, public.iu_lifecycle_vocab, public.iu_lifecycle_log TO cutter_exec, cutter_verify;   -- inferred: all but the first two
GRANT EXECUTE ON FUNCTION public.fn_iu_create(text,text,text,text,text,text,text,text,uuid),
      public.fn_iu_enact(text,text,uuid,text,uuid,text,text,boolean) TO cutter_exec;
GRANT EXECUTE ON FUNCTION public.fn_iu_enact(text,text,uuid,text,uuid,text,text,boolean),
      public.fn_iu_supersede(text,text,uuid,uuid,text,text,text,boolean), public.fn_iu_retire(text,text,uuid,uuid,text,text,boolean) TO workflow_admin;   -- inferred
GRANT SELECT ON ALL TABLES IN SCHEMA public TO context_pack_readonly;                                    -- and nothing of cutter_governance
