-- Memberships ended: the preferences of each that had some say so, with the next number of the
-- user's stream; so do those of threads there, which the user may have set without following. It runs in
-- the transaction of what ended them (the trigger membership_ended).
CREATE OR REPLACE FUNCTION forget_prefs() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  ended_users bigint[];
  ended_ids bigint[];
BEGIN
  SELECT array_agg(p.user_id), array_agg(p.conversation_id) INTO ended_users, ended_ids
  FROM gone g JOIN conversation_prefs p
    ON p.user_id = g.user_id AND p.conversation_id = g.conversation_id AND NOT p.is_removed;
  IF EXISTS (
    SELECT FROM conversations c
    WHERE c.parent_id IN (SELECT DISTINCT g.conversation_id FROM gone g)
  ) THEN
    SELECT ended_users || array_agg(p.user_id), ended_ids || array_agg(p.conversation_id)
    INTO ended_users, ended_ids
    FROM gone g
    JOIN conversation_prefs p ON p.user_id = g.user_id AND NOT p.is_removed
    JOIN conversations c ON c.id = p.conversation_id AND c.parent_id = g.conversation_id;
  END IF;
  IF ended_users IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM lock_prefs_counters(ended_users);
  WITH numbered AS MATERIALIZED (
    SELECT e.user_id, e.conversation_id,
      k.last_rev + row_number() OVER (PARTITION BY e.user_id ORDER BY e.conversation_id) AS rev
    FROM (
      SELECT DISTINCT u.user_id, u.conversation_id
      FROM unnest(ended_users, ended_ids) u (user_id, conversation_id)
    ) e
    JOIN prefs_counters k ON k.user_id = e.user_id
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
