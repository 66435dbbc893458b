-- Each value is written in an odd way that its type takes.
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION citext;
CREATE TYPE public.mood AS ENUM ('sad', 'so so', 'happy');
CREATE TYPE public.spot AS (x int, y text);
CREATE DOMAIN public.digits AS text CHECK (VALUE ~ '^[0-9]+$');
CREATE TABLE public.zoo (
  id uuid PRIMARY KEY, n numeric(12,4), n2 numeric, f real, d double precision, big bigint, b boolean, c char(8), v varchar(20),
  t text, ts timestamptz, tn timestamp, da date, ti time, tz timetz, iv interval, ba bytea, j json, jb jsonb, x xml, ip inet,
  ci cidr, mc macaddr, m money, bi bit(5), vb bit varying(9), p point, r int4range, nr numrange, mr int4multirange,
  ts_v tsvector, e public.mood, ea public.mood[], ta text[], ia int[][], co public.spot, dom public.digits, h hstore, l ltree,
  cit citext, g int GENERATED ALWAYS AS (3 + 4) STORED, oid_ oid, rc regclass, nm name);
