CREATE TABLE public.teams (tenant int, id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL UNIQUE, PRIMARY KEY (tenant, id));
CREATE TABLE public.seats (id int PRIMARY KEY, tenant int NOT NULL, team bigint, FOREIGN KEY (tenant, team) REFERENCES public.teams);
