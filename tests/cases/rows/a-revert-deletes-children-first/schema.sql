CREATE TABLE public.a_parents (id int PRIMARY KEY, name text);
CREATE TABLE public.b_children (id int PRIMARY KEY, parent int NOT NULL REFERENCES public.a_parents);
