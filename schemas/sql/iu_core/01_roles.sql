-- Who may do what, and the schema of the governance ledger. A role that exists already is left as it is.
-- In the field workflow_admin is a superuser; here it only owns the governance schema.

DO $roles$
DECLARE r record;
BEGIN
  FOR r IN SELECT * FROM (VALUES
      ('workflow_admin',        'LOGIN NOSUPERUSER'),
      ('directus',              'LOGIN NOSUPERUSER'),
      ('cutter_exec',           'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS CONNECTION LIMIT 2'),
      ('cutter_verify',         'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS CONNECTION LIMIT 2'),
      ('cutter_ro',             'NOLOGIN NOSUPERUSER'),
      ('context_pack_readonly', 'LOGIN NOSUPERUSER')) v(name, opts)
  LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r.name) THEN
      EXECUTE format('CREATE ROLE %I %s', r.name, r.opts);
    END IF;
  END LOOP;
END $roles$;

CREATE SCHEMA cutter_governance AUTHORIZATION workflow_admin;
