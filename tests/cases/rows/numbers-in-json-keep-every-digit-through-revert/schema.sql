CREATE TABLE public.ledger (id int PRIMARY KEY, entry jsonb NOT NULL);
INSERT INTO public.ledger VALUES (1, '{"price": 0.1000000000000000055, "account": 12345678901234567890123}');
