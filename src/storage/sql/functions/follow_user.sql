-- Follows or stops following a user. outcome: ok, user_not_found, apart (one has blocked the
-- other).
CREATE OR REPLACE FUNCTION follow_user(p_by bigint, p_user bigint, p_following boolean)
RETURNS TABLE (outcome text, changed boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM lock_pair(p_by, p_user);
  outcome := CASE
    WHEN NOT EXISTS (SELECT 1 FROM users u WHERE u.id = p_user) THEN 'user_not_found'
    WHEN p_following AND is_apart(p_by, p_user) THEN 'apart'
    ELSE 'ok'
  END;
  IF outcome = 'ok' THEN
    IF p_following THEN
      INSERT INTO follows (follower_id, followee_id) VALUES (p_by, p_user) ON CONFLICT DO NOTHING;
    ELSE
      DELETE FROM follows f WHERE f.follower_id = p_by AND f.followee_id = p_user;
    END IF;
    changed := FOUND;
    IF changed THEN
      INSERT INTO user_changes (user_ids) VALUES (ARRAY[p_by]);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;
