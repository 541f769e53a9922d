-- Locks the counters of these users' preferences, in rising order, and makes those that are not
-- there. A transaction that also locks memberships or conversations locks them before.
CREATE OR REPLACE FUNCTION lock_prefs_counters(p_users bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO prefs_counters (user_id)
  SELECT u.id FROM users u LEFT JOIN prefs_counters k ON k.user_id = u.id
  WHERE u.id = ANY (p_users) AND k.user_id IS NULL ORDER BY u.id
  ON CONFLICT DO NOTHING;
  PERFORM 1 FROM prefs_counters k WHERE k.user_id = ANY (p_users) ORDER BY k.user_id
  FOR NO KEY UPDATE;
END
$$;
