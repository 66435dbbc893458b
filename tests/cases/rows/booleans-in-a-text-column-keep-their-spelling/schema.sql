CREATE TABLE public.flags (name text PRIMARY KEY, value text);
