-- These users are members of a channel from now on: their preferences of it say so with the next
-- number of each user's stream, by which their other devices find out. Memberships end likewise,
-- see forget_prefs.
CREATE OR REPLACE FUNCTION begin_prefs(p_id bigint, p_users bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM lock_prefs_counters(p_users);
  WITH numbered AS (
    UPDATE prefs_counters k SET last_rev = k.last_rev + 1
    WHERE k.user_id = ANY (p_users)
    RETURNING k.user_id, k.last_rev
  )
  INSERT INTO conversation_prefs AS p (user_id, conversation_id, prefs_rev, set_by)
  SELECT n.user_id, p_id, n.last_rev, '' FROM numbered n
  ON CONFLICT (user_id, conversation_id) DO UPDATE
  SET prefs_rev = excluded.prefs_rev, set_by = '', is_removed = false;
END
$$;
