-- The function names its table without a schema.
CREATE TABLE public.audit (what text);
CREATE TABLE public.settings (name text PRIMARY KEY, value text);
CREATE FUNCTION public.audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.name); RETURN NEW; END $$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE ON public.settings FOR EACH ROW EXECUTE FUNCTION public.audited();
