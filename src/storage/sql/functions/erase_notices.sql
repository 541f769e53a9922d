-- Others' notifications of what an erased user did, whose words name them, among the p_most users who
-- follow p_after. last: the last of these users; null: there are no more.
CREATE OR REPLACE FUNCTION erase_notices(p_user bigint, p_after bigint, p_most int)
RETURNS TABLE (last bigint)
LANGUAGE plpgsql AS $$
DECLARE
  chunk bigint[];
  gone bigint;
BEGIN
  SELECT array_agg(x.id) INTO chunk
  FROM (SELECT u.id FROM users u WHERE u.id > p_after ORDER BY u.id LIMIT p_most) x;
  IF chunk IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  DELETE FROM notifications n WHERE n.user_id = ANY (chunk) AND n.actor_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'notices', gone);
  last := chunk[cardinality(chunk)];
  RETURN NEXT;
END
$$;
