CREATE TYPE public.point_of AS (x int, y int);
CREATE TABLE public.readings (id int PRIMARY KEY, amount numeric(5,2), since date, ratings int[], at public.point_of, share real);
