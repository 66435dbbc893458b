-- Neither values of rows nor titles and bodies that are indexed.
CREATE TABLE public.letters (id int PRIMARY KEY, body text);
INSERT INTO public.documents (id, slug, title, body, status, updated_at) VALUES ('5b0c7a10-0000-4000-8000-000000000001', 'braces',
  '{chunk} {title} {{x}} ${HOME}', 'body with {chunk} and {unit.id} and {', 'published', '2026-02-01Z');
