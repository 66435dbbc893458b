CREATE EXTENSION citext;
CREATE TABLE public.members (email citext PRIMARY KEY, role text NOT NULL);
INSERT INTO public.members VALUES ('Ada@Example.org', 'reader');
