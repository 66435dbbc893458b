CREATE TABLE public.desks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE public.people (id int PRIMARY KEY, desk bigint UNIQUE REFERENCES public.desks);
