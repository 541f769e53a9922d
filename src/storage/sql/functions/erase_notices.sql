-- Takes the words out of others' notifications of what an erased user did, for they name the user,
-- among the p_most users who follow p_after. The rows stay: their numbers are counted. last: the last
-- of these users; null: there are no more.
CREATE OR REPLACE FUNCTION erase_notices(p_user bigint, p_after bigint, p_most int)
RETURNS TABLE (last bigint)
LANGUAGE plpgsql AS $$
DECLARE
  nameless constant text := 'From a user who was erased';
  chunk bigint[];
  gone bigint;
BEGIN
  SELECT array_agg(x.id) INTO chunk
  FROM (SELECT u.id FROM users u WHERE u.id > p_after ORDER BY u.id LIMIT p_most) x;
  IF chunk IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  UPDATE notifications n SET message = nameless, data = NULL
  WHERE n.user_id = ANY (chunk) AND n.actor_id = p_user AND n.message <> nameless;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'notices', gone);
  last := chunk[cardinality(chunk)];
  RETURN NEXT;
END
$$;
