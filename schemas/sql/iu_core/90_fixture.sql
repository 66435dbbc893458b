-- 163 units of the field's shape, made through the canonical functions: 60 drafts of the first set (42 articles,
-- 15 principles, 3 KT sections), the 86 of three documents (27 + 23 + 36; 5 with an empty body, 8 long enough for two
-- chunks, counting KT-B), 5 pilot drafts, 12 deprecated pilots. Every unit is left as a draft but those 12.

DO $f$
DECLARE i int; a text; d text; n int; body text; r jsonb;
BEGIN
  FOR i IN 1..60 LOOP
    a := CASE WHEN i<=42 THEN 'ICX-CONST/DIEU-'||(i+1) WHEN i<=57 THEN 'ICX-CONST/NT-'||(i-42) ELSE 'ICX-CONST/KT-'||chr(64+i-57) END;
    body := CASE WHEN a='ICX-CONST/KT-B' THEN repeat('x',997)||E'\n'||repeat('y',997) ELSE 'body '||i END;
    r := fn_iu_create(a,a,body,'fixture','law_unit','article');
    IF r->>'status' <> 'created' THEN RAISE EXCEPTION '%', r; END IF;
  END LOOP;
  FOREACH d IN ARRAY ARRAY['DIEU-28','DIEU-32','DIEU-35'] LOOP
    n := CASE d WHEN 'DIEU-28' THEN 27 WHEN 'DIEU-32' THEN 23 ELSE 36 END;
    FOR i IN 1..n LOOP
      a := 'D38-'||replace(d,'-','')||CASE WHEN i=1 THEN '-ROOT' ELSE '-S'||i END;
      body := CASE WHEN d='DIEU-28' AND i>22 THEN '' WHEN d='DIEU-35' AND i<=7 THEN repeat('z',1700)||E'\n'||repeat('w',1700) ELSE 'text '||a END;
      r := fn_iu_create(a,a,body,'fixture','law_unit','article',NULL,NULL,(SELECT id FROM information_unit WHERE canonical_address='D38-'||replace(d,'-','')||'-ROOT'));
      IF r->>'status' <> 'created' THEN RAISE EXCEPTION '%', r; END IF;
      PERFORM set_config('app.canonical_writer','fn_iu_create',true);
      UPDATE information_unit SET doc_code=d, sort_order=i-1 WHERE canonical_address=a;
      PERFORM set_config('app.canonical_writer','',true);
    END LOOP;
  END LOOP;
  FOR i IN 1..17 LOOP
    a := 'pilot.'||i; r := fn_iu_create(a,a,'p','fixture');
    IF i>5 THEN PERFORM set_config('app.canonical_writer','fn_iu_create',true);
      UPDATE information_unit SET lifecycle_status='deprecated' WHERE canonical_address=a; PERFORM set_config('app.canonical_writer','',true); END IF;
  END LOOP;
END $f$;
