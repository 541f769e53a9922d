-- Makes a webhook that begins at the end of the log; its id, or null where there are p_most already.
CREATE OR REPLACE FUNCTION create_webhook(
  p_url text, p_types text[], p_batch boolean, p_secret text, p_by text, p_most int
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  made bigint;
  last bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('webhooks', 0));
  last := sequence_events();
  INSERT INTO webhooks AS w (url, types, is_batch, secret, made_by, looked_pos)
  SELECT p_url, p_types, p_batch, p_secret, p_by, last
  WHERE (SELECT count(*) FROM webhooks) < p_most
  RETURNING w.id INTO made;
  RETURN made;
END
$$;
