-- Takes away what these users have marked unread in these conversations, as changes of their own
-- preferences: each takes the next number of its user's stream, and no acknowledgement carries it.
-- The rows of the memberships are locked by the caller; counters are locked after them (see
-- lock_prefs_counters). A pair may be named twice.
-- Answers [{c: conversation, u: user, p: the preferences}] by rising number.
CREATE OR REPLACE FUNCTION lift_unread_marks(p_ids bigint[], p_users bigint[]) RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  lifted json;
BEGIN
  PERFORM lock_prefs_counters(p_users);
  WITH pairs AS MATERIALIZED (
    SELECT DISTINCT i.c, i.u FROM unnest(p_ids, p_users) AS i (c, u)
  ), unmarked AS (
    UPDATE conversation_members m SET unread_from_seq = NULL, unread_from_n = NULL
    FROM pairs i WHERE m.conversation_id = i.c AND m.user_id = i.u
    RETURNING m.*
  ), numbered AS MATERIALIZED (
    SELECT i.c, i.u, k.last_rev + row_number() OVER (PARTITION BY i.u ORDER BY i.c) AS rev
    FROM pairs i JOIN prefs_counters k ON k.user_id = i.u
  ), changed AS (
    UPDATE conversation_prefs p SET prefs_rev = n.rev, set_by = ''
    FROM numbered n WHERE p.user_id = n.u AND p.conversation_id = n.c
    RETURNING p.*
  ), counted AS (
    UPDATE prefs_counters k SET last_rev = n.rev
    FROM (SELECT u, max(rev) AS rev FROM numbered GROUP BY u) n WHERE k.user_id = n.u
  )
  SELECT json_agg(json_build_object('c', n.c::text, 'u', n.u::text, 'p', prefs_text(p, m)::json)
    ORDER BY n.u, n.rev)
  INTO lifted
  FROM numbered n
  JOIN changed p ON p.user_id = n.u AND p.conversation_id = n.c
  JOIN unmarked m ON m.user_id = n.u AND m.conversation_id = n.c;
  RETURN lifted;
END
$$;
