CREATE TABLE public.authors (id int PRIMARY KEY, name text);
CREATE TABLE public.books (id int PRIMARY KEY, author int NOT NULL REFERENCES public.authors);
INSERT INTO public.authors VALUES (1, 'Ada');
INSERT INTO public.books VALUES (10, 1);
