-- What went with the row by a cascade does not come back, which the plan of the way back says.
CREATE TABLE public.teams (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, slug text NOT NULL UNIQUE, name text NOT NULL,
  loud text GENERATED ALWAYS AS (upper(name)) STORED);
INSERT INTO public.teams (slug, name) VALUES ('a', 'Alpha'), ('b', 'Beta');
CREATE TABLE public.seats (id int PRIMARY KEY, team bigint NOT NULL REFERENCES public.teams ON DELETE CASCADE);
INSERT INTO public.seats SELECT n, 2 FROM generate_series(1, 5) n;
