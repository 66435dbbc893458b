CREATE TABLE public.configs (id int PRIMARY KEY, body jsonb);
INSERT INTO public.configs VALUES (1, '{"a": 1}');
