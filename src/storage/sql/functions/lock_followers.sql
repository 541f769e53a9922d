-- Locks what end_following is about to change, the membership of the parent first: whoever follows
-- one of its threads at this moment has either done so, and is found here, or will not.
-- Memberships are locked before the counters of preferences, which the end of one changes.
CREATE OR REPLACE FUNCTION lock_followers(p_parent bigint, p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM conversation_members m
  WHERE m.conversation_id = p_parent AND (p_user IS NULL OR m.user_id = p_user)
  ORDER BY m.user_id FOR UPDATE;
  PERFORM 1 FROM conversations c
  WHERE c.parent_id = p_parent AND (p_user IS NULL OR EXISTS (
    SELECT 1 FROM conversation_members m WHERE m.conversation_id = c.id AND m.user_id = p_user))
  ORDER BY c.id FOR NO KEY UPDATE;
  PERFORM 1 FROM conversation_members m
  JOIN conversations c ON c.id = m.conversation_id
  WHERE c.parent_id = p_parent AND (p_user IS NULL OR m.user_id = p_user)
  ORDER BY m.conversation_id, m.user_id FOR UPDATE OF m;
END
$$;
