CREATE TABLE public.jobs (name text PRIMARY KEY, checked timestamptz, until timestamptz);
