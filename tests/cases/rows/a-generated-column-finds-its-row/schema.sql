CREATE TABLE public.people (id int PRIMARY KEY, name text, folded text GENERATED ALWAYS AS (lower(name)) STORED UNIQUE, note text);
INSERT INTO public.people VALUES (1, 'Ann');
