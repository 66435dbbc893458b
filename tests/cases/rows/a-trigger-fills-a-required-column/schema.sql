-- The column is NOT NULL, has no default, and the declared row leaves it out.
CREATE TABLE public.assets (id int PRIMARY KEY, title text NOT NULL, made_by text NOT NULL);
CREATE FUNCTION public.made_by() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.made_by := 'a trigger'; RETURN NEW; END $$;
CREATE TRIGGER made_by BEFORE INSERT ON public.assets FOR EACH ROW EXECUTE FUNCTION public.made_by();
