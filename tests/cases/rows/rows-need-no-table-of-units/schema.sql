-- A database of plain tables: nothing that a binding reads units from.
DROP TABLE public.documents;
CREATE TABLE public.settings (name text PRIMARY KEY, value text NOT NULL);
