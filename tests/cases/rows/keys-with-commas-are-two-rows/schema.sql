CREATE TABLE public.words (a text, b text, meaning text NOT NULL, PRIMARY KEY (a, b));
