-- put_user for several of the application's users, in order: p_users is a list of
-- {external_id, change}. The names are locked first, in rising order, so that two batches do not wait
-- for each other.
CREATE FUNCTION put_users(p_users jsonb, p_reserved interval)
RETURNS TABLE (n integer, outcome text, user_id bigint, created boolean, changed boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  item jsonb;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('external ' || x.name, 0)) FROM (
    SELECT DISTINCT a.value->>'external_id' AS name FROM jsonb_array_elements(p_users) a ORDER BY 1
  ) x;
  n := 0;
  FOR item IN SELECT a.value FROM jsonb_array_elements(p_users) WITH ORDINALITY a (value, place)
    ORDER BY a.place
  LOOP
    n := n + 1;
    SELECT p.outcome, p.user_id, p.created, p.changed INTO outcome, user_id, created, changed
    FROM put_user(NULL, item->>'external_id', item->'change', NULL, p_reserved) p;
    RETURN NEXT;
  END LOOP;
END
$$;
