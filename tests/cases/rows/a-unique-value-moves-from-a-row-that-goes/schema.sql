CREATE TABLE public.pages (id int PRIMARY KEY, slug text NOT NULL UNIQUE);
INSERT INTO public.pages VALUES (1, 'home');
