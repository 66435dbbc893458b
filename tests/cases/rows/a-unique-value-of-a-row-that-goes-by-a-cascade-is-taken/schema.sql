CREATE TABLE public.parents (id int PRIMARY KEY);
CREATE TABLE public.children (id int PRIMARY KEY, parent int REFERENCES public.parents ON DELETE CASCADE, slug text UNIQUE);
INSERT INTO public.parents VALUES (1), (2);
INSERT INTO public.children VALUES (1, 1, 'home');
