-- The first rows of push_feed, and for whom they may be pushed: everybody with a device but the
-- sender. In a large channel these are only those whom a message names, and those who have chosen
-- every message, since nobody else's level lets one pass; its other members are not read.
-- ids: the rows. items: [{u, c, i, f, s, at: when the first came}], as push_facts has them.
-- reads: [{u, c}] of what was read.
CREATE OR REPLACE FUNCTION expand_push_feed(p_most int, p_large int)
RETURNS TABLE (ids bigint[], items json, reads json)
LANGUAGE sql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH taken AS MATERIALIZED (SELECT f.* FROM push_feed f ORDER BY f.id LIMIT p_most),
  sent AS MATERIALIZED (
    SELECT m.conversation_id AS c, m.seq, m.sender_id, m.extra->'mentions' AS named, f.at,
      c.kind = 'channel' AND c.member_count > p_large AS is_large
    FROM taken f
    JOIN messages m ON m.conversation_id = f.conversation_id AND m.seq = f.seq
    -- The members of a deleted one are there until a job has removed them.
    JOIN conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL
    WHERE f.kind = 'message'
  ), large AS MATERIALIZED (
    SELECT n.c, min(n.seq) AS f, max(n.seq) AS s, min(n.at) AS at,
      array_agg(DISTINCT n.sender_id) AS senders
    FROM sent n WHERE n.is_large GROUP BY n.c
  ), readers AS (
    SELECT k.user_id AS u, n.c, n.seq AS f, n.seq AS s, n.at
    FROM sent n
    JOIN conversation_members k
      ON k.conversation_id = n.c AND k.user_id IS DISTINCT FROM n.sender_id
    WHERE NOT n.is_large
    UNION ALL
    SELECT k.user_id, n.c, n.seq, n.seq, n.at
    FROM sent n
    CROSS JOIN jsonb_array_elements_text(n.named) AS x (id)
    JOIN conversation_members k ON k.conversation_id = n.c AND k.user_id = x.id::bigint
    WHERE n.is_large AND k.user_id IS DISTINCT FROM n.sender_id
    UNION ALL
    SELECT k.user_id, n.c, n.f, n.s, n.at
    FROM large n
    CROSS JOIN LATERAL (
      SELECT p.user_id FROM conversation_prefs p WHERE p.conversation_id = n.c AND p.level = 'all'
      UNION
      SELECT s.user_id FROM push_settings s WHERE s.level = 'all'
    ) x
    JOIN conversation_members k ON k.conversation_id = n.c AND k.user_id = x.user_id
    LEFT JOIN conversation_prefs p ON p.user_id = k.user_id AND p.conversation_id = k.conversation_id
    WHERE coalesce(p.level, 'all') = 'all' AND n.senders <> ARRAY[k.user_id]
  ), together AS (
    SELECT r.u, r.c, 0::bigint AS i, min(r.f) AS f, max(r.s) AS s, min(r.at) AS at
    FROM readers r
    WHERE EXISTS (SELECT 1 FROM push_devices d WHERE d.user_id = r.u)
    GROUP BY r.u, r.c
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
