-- The third row has values that the first two are found by, in other columns.
CREATE TABLE public.topics (id int PRIMARY KEY, slug text NOT NULL UNIQUE, code text NOT NULL UNIQUE, title text);
INSERT INTO public.topics VALUES (1, 'alpha', 'A', 'old'), (2, 'beta', 'zz', 'old'), (3, 'zz', 'alpha', 'not declared');
