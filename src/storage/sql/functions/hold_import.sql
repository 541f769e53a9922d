-- Keeps the lines of an import until the transaction ends. It fails where they were given up: by somebody
-- who ran the same import beside this one, and has ended it.
CREATE OR REPLACE FUNCTION hold_import(p_import bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM imports i WHERE i.id = p_import AND i.is_good FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'import % was ended by another run of it', p_import;
  END IF;
END
$$;
