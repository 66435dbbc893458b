CREATE TABLE public.flags (name text PRIMARY KEY, state text);
INSERT INTO public.flags VALUES ('a', 'off');
