-- The first rows of push_feed, and for whom they may be pushed: everybody with a device but the
-- sender. In a large channel these are only those whom the message mentions, or who have chosen its
-- messages, since nobody else's level lets it pass.
-- ids: the rows. items: [{u, c, i, f, s, at: the age of the first in milliseconds}], as push_facts
-- has them. reads: [{u, c}] of what was read.
CREATE OR REPLACE FUNCTION expand_push_feed(p_most int, p_large int)
RETURNS TABLE (ids bigint[], items json, reads json)
LANGUAGE sql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH taken AS MATERIALIZED (SELECT f.* FROM push_feed f ORDER BY f.id LIMIT p_most),
  readers AS (
    SELECT k.user_id AS u, m.conversation_id AS c, m.seq, f.at
    FROM taken f
    JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
    JOIN conversations c ON c.id = m.conversation_id
    JOIN conversation_members k
      ON k.conversation_id = m.conversation_id AND k.user_id IS DISTINCT FROM m.sender_id
    LEFT JOIN conversation_prefs p ON p.user_id = k.user_id AND p.conversation_id = k.conversation_id
    LEFT JOIN push_settings s ON s.user_id = k.user_id
    WHERE f.kind = 'message'
      AND EXISTS (SELECT 1 FROM push_devices d WHERE d.user_id = k.user_id)
      AND (c.kind <> 'channel' OR c.member_count <= p_large OR is_push_mention(m, k.user_id)
        OR coalesce(p.level, s.level) = 'all')
  ), together AS (
    SELECT r.u, r.c, 0::bigint AS i, min(r.seq) AS f, max(r.seq) AS s, min(r.at) AS at
    FROM readers r GROUP BY r.u, r.c
    UNION ALL
    SELECT f.user_id, 0, f.seq, 0, 0, f.at FROM taken f
    WHERE f.kind = 'notification'
      AND EXISTS (SELECT 1 FROM push_devices d WHERE d.user_id = f.user_id)
  )
  SELECT (SELECT array_agg(f.id) FROM taken f),
    (SELECT json_agg(json_build_object('u', t.u::text, 'c', t.c::text, 'i', t.i::text, 'f', t.f,
      's', t.s, 'at', iso_time(t.at)) ORDER BY t.u, t.c, t.i) FROM together t),
    (SELECT json_agg(DISTINCT jsonb_build_object('u', f.user_id::text, 'c', f.conversation_id::text))
      FROM taken f WHERE f.kind = 'read')
$$;
