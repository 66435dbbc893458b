CREATE TABLE public.parents (id int PRIMARY KEY);
CREATE TABLE public.children (id int PRIMARY KEY, parent int REFERENCES public.parents ON DELETE CASCADE);
CREATE TABLE public.toys (id int PRIMARY KEY, child int REFERENCES public.children);
INSERT INTO public.parents VALUES (1);
INSERT INTO public.children VALUES (7, 1);
