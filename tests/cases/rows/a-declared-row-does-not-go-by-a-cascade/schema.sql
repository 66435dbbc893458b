CREATE TABLE public.chapters (id int PRIMARY KEY, title text);
CREATE TABLE public.paragraphs (id int PRIMARY KEY, chapter int NOT NULL REFERENCES public.chapters ON DELETE CASCADE, body text);
INSERT INTO public.chapters VALUES (1, 'One');
INSERT INTO public.paragraphs SELECT n, 1, 'text' FROM generate_series(1, 5) n;
