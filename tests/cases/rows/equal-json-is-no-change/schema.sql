-- jsonb compares numbers by value and objects without order; json has no equality, and is compared by what it says.
CREATE TABLE public.widgets (id int PRIMARY KEY, spec jsonb NOT NULL, raw json NOT NULL);
INSERT INTO public.widgets VALUES (1, '{"b": [1, 2], "a": {"y": 2, "x": 100, "n": null}}', '{"b": 1,  "a": 2}');
