-- Blocks or unblocks a user; a block ends the follows of the pair both ways. apart: whether one of
-- the two blocks the other afterwards. direct_id: the direct conversation of the pair.
-- outcome: ok, user_not_found.
CREATE OR REPLACE FUNCTION block_user(p_by bigint, p_user bigint, p_blocked boolean)
RETURNS TABLE (outcome text, changed boolean, apart boolean, direct_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM lock_pair(p_by, p_user);
  IF NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p_user) THEN
    outcome := 'user_not_found';
    RETURN NEXT;
    RETURN;
  END IF;
  outcome := 'ok';
  -- Locked, before its members: sends under way commit first, and none once this block has.
  SELECT c.id INTO direct_id FROM conversations c
  WHERE c.kind = 'direct' AND c.direct_lo = least(p_by, p_user)
    AND c.direct_hi = greatest(p_by, p_user)
  FOR NO KEY UPDATE;
  IF p_blocked THEN
    INSERT INTO blocks (blocker_id, blocked_id) VALUES (p_by, p_user) ON CONFLICT DO NOTHING;
    changed := FOUND;
    DELETE FROM follows f
    WHERE (f.follower_id, f.followee_id) IN ((p_by, p_user), (p_user, p_by));
  ELSE
    DELETE FROM blocks b WHERE b.blocker_id = p_by AND b.blocked_id = p_user;
    changed := FOUND;
  END IF;
  IF changed THEN
    INSERT INTO user_changes (user_ids) VALUES (ARRAY[p_by, p_user]);
  END IF;
  apart := is_apart(p_by, p_user);
  UPDATE conversation_members m SET apart = block_user.apart
  WHERE m.conversation_id = direct_id AND m.apart <> block_user.apart;
  RETURN NEXT;
END
$$;
