-- The town's country lives when the plan is made, and will not live after it.
CREATE TABLE public.countries (id int PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE public.towns (id int PRIMARY KEY, country text NOT NULL REFERENCES public.countries (code));
INSERT INTO public.countries VALUES (1, 'vn');
