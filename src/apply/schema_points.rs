//! The tables of what vector sets own, and how they are filled from the records of earlier versions.
//!
//! A point's buckets are 12 bits each of its digest. In the id scheme `content` the id begins with the digest; bits that
//! a UUID fixes come later.

/// What the version that has these tables adds. Every statement can be run again.
pub(super) const STATEMENTS: [&str; 11] = [
    "CREATE TABLE IF NOT EXISTS enact.managed_unit (set_name text NOT NULL, unit text NOT NULL, address text NOT NULL, \
     input bytea NOT NULL, run_id text NOT NULL, PRIMARY KEY (set_name, unit))",
    "CREATE TABLE IF NOT EXISTS enact.managed_point (set_name text NOT NULL, id uuid NOT NULL, unit text NOT NULL, \
     ordinal integer NOT NULL, text_digest bytea NOT NULL, sha256 bytea NOT NULL, digest bytea, adopted boolean NOT NULL, \
     bucket_a smallint GENERATED ALWAYS AS ((pg_catalog.get_byte(coalesce(digest, pg_catalog.uuid_send(id)), 0) * 16 + \
     pg_catalog.get_byte(coalesce(digest, pg_catalog.uuid_send(id)), 1) / 16)::smallint) STORED, \
     bucket_b smallint GENERATED ALWAYS AS ((pg_catalog.get_byte(coalesce(digest, pg_catalog.uuid_send(id)), 1) % 16 * 256 + \
     pg_catalog.get_byte(coalesce(digest, pg_catalog.uuid_send(id)), 2))::smallint) STORED, PRIMARY KEY (set_name, id))",
    "CREATE INDEX IF NOT EXISTS managed_point_unit_idx ON enact.managed_point (set_name, unit)",
    "CREATE INDEX IF NOT EXISTS managed_point_bucket_idx ON enact.managed_point (set_name, bucket_a, bucket_b)",
    "CREATE TABLE IF NOT EXISTS enact.unit_before (run_id text NOT NULL, set_name text NOT NULL, unit text NOT NULL, \
     address text NOT NULL, input bytea NOT NULL, PRIMARY KEY (run_id, set_name, unit))",
    "CREATE TABLE IF NOT EXISTS enact.point_before (run_id text NOT NULL, set_name text NOT NULL, id uuid NOT NULL, \
     unit text NOT NULL, ordinal integer NOT NULL, text_digest bytea NOT NULL, sha256 bytea NOT NULL, digest bytea, \
     adopted boolean NOT NULL, PRIMARY KEY (run_id, set_name, id))",
    "INSERT INTO enact.managed_unit (set_name, unit, address, input, run_id) \
     SELECT pg_catalog.substring(m.address, '^vector_set\\.([^[]*)\\['), \
     pg_catalog.substring(m.address, '^vector_set\\.[^[]*\\[(.*)\\]$')::jsonb #>> '{}', m.attributes ->> 'address', \
     pg_catalog.decode(m.digest, 'hex'), m.run_id FROM enact.managed m \
     WHERE m.address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$' ON CONFLICT DO NOTHING",
    "INSERT INTO enact.managed_point (set_name, id, unit, ordinal, text_digest, sha256, digest, adopted) \
     SELECT pg_catalog.substring(m.address, '^vector_set\\.([^[]*)\\['), (c.v ->> 'id')::uuid, \
     pg_catalog.substring(m.address, '^vector_set\\.[^[]*\\[(.*)\\]$')::jsonb #>> '{}', c.at - 1, \
     pg_catalog.decode(c.v ->> 'text', 'hex'), pg_catalog.decode(c.v ->> 'sha256', 'hex'), \
     pg_catalog.decode(c.v ->> 'digest', 'hex'), coalesce((c.v ->> 'adopted')::boolean, false) FROM enact.managed m, \
     pg_catalog.jsonb_array_elements(m.attributes -> 'chunks') WITH ORDINALITY c(v, at) \
     WHERE m.address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$' ON CONFLICT DO NOTHING",
    "INSERT INTO enact.unit_before (run_id, set_name, unit, address, input) \
     SELECT m.run_id, pg_catalog.substring(m.address, '^vector_set\\.([^[]*)\\['), \
     pg_catalog.substring(m.address, '^vector_set\\.[^[]*\\[(.*)\\]$')::jsonb #>> '{}', m.attributes ->> 'address', \
     pg_catalog.decode(m.digest, 'hex') FROM enact.managed_before m \
     WHERE m.address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$' ON CONFLICT DO NOTHING",
    "INSERT INTO enact.point_before (run_id, set_name, id, unit, ordinal, text_digest, sha256, digest, adopted) \
     SELECT m.run_id, pg_catalog.substring(m.address, '^vector_set\\.([^[]*)\\['), (c.v ->> 'id')::uuid, \
     pg_catalog.substring(m.address, '^vector_set\\.[^[]*\\[(.*)\\]$')::jsonb #>> '{}', c.at - 1, \
     pg_catalog.decode(c.v ->> 'text', 'hex'), pg_catalog.decode(c.v ->> 'sha256', 'hex'), \
     pg_catalog.decode(c.v ->> 'digest', 'hex'), coalesce((c.v ->> 'adopted')::boolean, false) FROM enact.managed_before m, \
     pg_catalog.jsonb_array_elements(m.attributes -> 'chunks') WITH ORDINALITY c(v, at) \
     WHERE m.address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$' ON CONFLICT DO NOTHING",
    "WITH gone AS (DELETE FROM enact.managed_before WHERE address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$') \
     DELETE FROM enact.managed WHERE address ~ '^vector_set\\.[^[]*\\[\".*\"\\]$'",
];
