-- Command log, lease, retention, and the check that every gate is shut.

CREATE TABLE public.dot_iu_command_catalog (
  command_name text PRIMARY KEY, category text NOT NULL CHECK (category IN ('collection','piece','lifecycle','read','health')),
  mutating boolean NOT NULL, reversible boolean NOT NULL, target_functions text[] NOT NULL DEFAULT '{}', registered_at timestamptz NOT NULL DEFAULT now());
INSERT INTO public.dot_iu_command_catalog VALUES ('dot_iu_supersede_piece','lifecycle',true,true,'{fn_iu_supersede}',now());
CREATE TABLE public.dot_iu_command_run (
  run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),                     -- chosen
  command_name text NOT NULL,
  run_mode text NOT NULL CHECK (run_mode IN ('plan','apply','verify')),
  run_status text NOT NULL CHECK (run_status IN ('planned','applied','verified','refused','failed')),
  mutating boolean NOT NULL DEFAULT false,
  actor text NOT NULL,                                                   -- inferred: retention filters by it
  params_digest text,                                                    -- md5, never raw parameters
  gate_snapshot jsonb, evidence jsonb,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON public.dot_iu_command_run (command_name, created_at DESC);
CREATE INDEX ON public.dot_iu_command_run (run_status, created_at DESC);

CREATE TABLE public.dot_iu_runtime_lease (                               -- chosen: acquired_at
  lease_name text PRIMARY KEY, lease_holder text NOT NULL, token uuid NOT NULL DEFAULT gen_random_uuid(),
  acquired_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL);
CREATE FUNCTION public.fn_dot_iu_runtime_lease_acquire(p_lease_name text, p_holder text, p_ttl_seconds integer) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  INSERT INTO public.dot_iu_runtime_lease AS l (lease_name, lease_holder, expires_at)
  VALUES (p_lease_name, p_holder, now() + make_interval(secs => p_ttl_seconds))
  ON CONFLICT (lease_name) DO UPDATE SET lease_holder = excluded.lease_holder, token = gen_random_uuid(), acquired_at = now(), expires_at = excluded.expires_at
   WHERE l.expires_at < now() OR l.lease_holder = excluded.lease_holder
  RETURNING token $$;
CREATE FUNCTION public.fn_dot_iu_runtime_lease_release(p_lease_name text, p_holder text, p_token uuid) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
  WITH d AS (DELETE FROM public.dot_iu_runtime_lease WHERE lease_name = p_lease_name AND lease_holder = p_holder AND token = p_token RETURNING 1)
  SELECT EXISTS (SELECT 1 FROM d) $$;

CREATE TABLE public.iu_core_retention_policy (
  target_table text PRIMARY KEY, age_column text NOT NULL, keep_days integer NOT NULL, actor_scope text[], reason text);
INSERT INTO public.iu_core_retention_policy VALUES
  ('dot_iu_command_run','created_at',90,'{runtime_500x_op_proof,iu_core_2400x_full_reindex,iu_core_3000x_runtime_330_smoke,iu_5000x_pilot}',NULL),
  ('iu_three_axis_envelope_refresh_log','started_at',30,'{iu_lifecycle_trigger,iu_5000x_pilot}',NULL),
  ('iu_three_axis_envelope_trigger_error_log','captured_at',90,NULL,NULL);
CREATE FUNCTION public.fn_iu_core_retention_cleanup(p_actor text, p_dry_run boolean DEFAULT true)   -- inferred: body
RETURNS TABLE (target_table text, cutoff date, rows_eligible bigint, rows_deleted bigint, dry_run boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE p record; v_where text;
BEGIN
  IF coalesce(p_actor,'') = '' THEN RAISE EXCEPTION 'actor required' USING ERRCODE = 'check_violation'; END IF;
  IF NOT p_dry_run AND NOT public.fn_ref_gate('iu_core.retention_enabled') THEN
    RAISE EXCEPTION 'retention gate is shut' USING ERRCODE = 'check_violation'; END IF;        -- inferred: refused while shut
  FOR p IN SELECT * FROM public.iu_core_retention_policy r ORDER BY r.target_table LOOP
    target_table := p.target_table; cutoff := (now() - make_interval(days => p.keep_days))::date; dry_run := p_dry_run; rows_deleted := 0;
    v_where := format('%I < %L', p.age_column, cutoff);
    IF p.actor_scope IS NOT NULL THEN v_where := v_where || format(' AND actor = ANY (%L::text[])', p.actor_scope); END IF;
    EXECUTE format('SELECT count(*) FROM public.%I WHERE %s', p.target_table, v_where) INTO rows_eligible;
    IF NOT p_dry_run THEN EXECUTE format('DELETE FROM public.%I WHERE %s', p.target_table, v_where); GET DIAGNOSTICS rows_deleted = ROW_COUNT; END IF;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION public.fn_iu_gate_verify_closed() RETURNS jsonb          -- chosen: rule
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  SELECT jsonb_build_object('never_flip_intact', nf, 'all_governed_closed', gc, 'all_safe', nf AND gc) FROM (SELECT
    NOT public.fn_ref_gate('iu_enact.allow_no_review_decision') AND NOT public.fn_ref_gate('iu_core.vector_sync_enabled') AS nf,
    NOT EXISTS (SELECT 1 FROM public.dot_config WHERE key LIKE 'iu\_core.%\_enabled' AND value = 'true'
                AND key NOT IN ('iu_core.routes_master_enabled','iu_core.route_worker_enabled')) AS gc) q $$;
