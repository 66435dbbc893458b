CREATE TABLE public.words (locale text NOT NULL, word text NOT NULL, meaning text, PRIMARY KEY (locale, word));
