-- Whether one of two users has blocked the other.
CREATE OR REPLACE FUNCTION is_apart(p_one bigint, p_other bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = p_one AND b.blocked_id = p_other)
    OR EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = p_other AND b.blocked_id = p_one);
END
$$;
