CREATE TABLE public.labels (id int PRIMARY KEY, name text, colour text);
CREATE TABLE public.tags (id int PRIMARY KEY, name text);
