-- Those of p_others between whom and p_user a block stands, either way round.
CREATE OR REPLACE FUNCTION apart_from(p_user bigint, p_others bigint[])
RETURNS TABLE (user_id bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY
  SELECT b.blocked_id FROM blocks b
  WHERE b.blocker_id = p_user AND b.blocked_id = ANY (p_others)
  UNION
  SELECT b.blocker_id FROM blocks b
  WHERE b.blocked_id = p_user AND b.blocker_id = ANY (p_others);
END
$$;
