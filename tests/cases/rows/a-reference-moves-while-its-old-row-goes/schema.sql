CREATE TABLE public.parents (id int PRIMARY KEY, handle text NOT NULL UNIQUE);
CREATE TABLE public.children (id int PRIMARY KEY, parent int REFERENCES public.parents);
INSERT INTO public.parents VALUES (1, 'a');
INSERT INTO public.children VALUES (1, 1);
