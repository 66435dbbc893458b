CREATE TABLE public.events (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE public.events_first PARTITION OF public.events FOR VALUES FROM (0) TO (100);
INSERT INTO public.events VALUES (1, 'x');
