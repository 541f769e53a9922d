-- Memberships ended: the preferences of each that had some say so, with the next number of the
-- user's stream. It runs in the transaction of what ended them (the trigger membership_ended).
CREATE OR REPLACE FUNCTION forget_prefs() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  users bigint[];
BEGIN
  SELECT array_agg(DISTINCT p.user_id) INTO users
  FROM gone g JOIN conversation_prefs p
    ON p.user_id = g.user_id AND p.conversation_id = g.conversation_id AND NOT p.is_removed;
  IF users IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM lock_prefs_counters(users);
  WITH numbered AS MATERIALIZED (
    SELECT p.user_id, p.conversation_id,
      k.last_rev + row_number() OVER (PARTITION BY p.user_id ORDER BY p.conversation_id) AS rev
    FROM gone g
    JOIN conversation_prefs p
      ON p.user_id = g.user_id AND p.conversation_id = g.conversation_id AND NOT p.is_removed
    JOIN prefs_counters k ON k.user_id = p.user_id
  ), forgotten AS (
    UPDATE conversation_prefs p
    SET prefs_rev = n.rev, is_removed = true, set_by = '', muted_until = NULL, level = NULL,
      pinned_at = NULL, archived_n = NULL, hidden_n = NULL, draft = NULL, draft_by = ''
    FROM numbered n WHERE p.user_id = n.user_id AND p.conversation_id = n.conversation_id
  )
  UPDATE prefs_counters k SET last_rev = n.rev
  FROM (SELECT user_id, max(rev) AS rev FROM numbered GROUP BY user_id) n
  WHERE k.user_id = n.user_id;
  RETURN NULL;
END
$$;
