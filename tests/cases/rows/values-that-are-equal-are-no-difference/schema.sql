CREATE EXTENSION citext;
CREATE TABLE public.prices (sku citext PRIMARY KEY, price numeric, terms jsonb, raw json, seen timestamptz);
