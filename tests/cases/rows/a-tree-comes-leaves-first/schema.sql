-- The root is its own parent.
CREATE TABLE public.nodes (id text PRIMARY KEY, parent text NOT NULL REFERENCES public.nodes);
