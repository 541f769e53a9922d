-- A user has left the parent, and follows none of its threads any more. With null everybody has:
-- the parent is deleted, and its threads with it (end_threads).
CREATE OR REPLACE FUNCTION end_following(p_parent bigint, p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (
    DELETE FROM conversation_members m USING conversations c
    WHERE c.parent_id = p_parent AND m.conversation_id = c.id
      AND (p_user IS NULL OR m.user_id = p_user)
    RETURNING m.conversation_id
  )
  UPDATE conversations c SET member_count = c.member_count - x.n
  FROM (SELECT g.conversation_id, count(*) AS n FROM gone g GROUP BY 1) x
  WHERE c.id = x.conversation_id;
  IF p_user IS NULL THEN
    PERFORM end_threads(p_parent);
  END IF;
END
$$;
