-- Rows of a partitioned table are those of its partitions; rows of a table that inherits are not those of its parent.
CREATE TABLE public.visits (id int, year int NOT NULL, note text, PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
CREATE TABLE public.visits_old PARTITION OF public.visits FOR VALUES FROM (2000) TO (2025);
CREATE TABLE public.visits_new PARTITION OF public.visits FOR VALUES FROM (2025) TO (2050);
CREATE TABLE public.places (id int PRIMARY KEY, note text);
CREATE TABLE public.castles (towers int, PRIMARY KEY (id)) INHERITS (public.places);
INSERT INTO public.castles VALUES (1, 'of a castle', 4);
