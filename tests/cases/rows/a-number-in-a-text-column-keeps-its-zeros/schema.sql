CREATE TABLE public.releases (name text PRIMARY KEY, version text);
