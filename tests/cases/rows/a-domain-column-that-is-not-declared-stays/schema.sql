-- The domain refuses NULL, so a statement that wrote the whole row would fail.
CREATE DOMAIN public.size AS real[] NOT NULL CHECK (cardinality(VALUE) = 3);
CREATE TABLE public.parcels (code text PRIMARY KEY, size public.size, archived boolean NOT NULL DEFAULT false);
INSERT INTO public.parcels VALUES ('p-1', ARRAY[1, 2, 3], false);
