-- What is wrong with the lines of an import beyond the form of each, by rising line, at most p_most.
-- is_conflict: it is about what is there already, and not about the file.
CREATE OR REPLACE FUNCTION import_problems(p_import bigint, p_most int)
RETURNS TABLE (n bigint, problem text, is_conflict boolean)
LANGUAGE sql STABLE
SET enable_nestloop = off
AS $$
  WITH l AS NOT MATERIALIZED (SELECT * FROM import_lines x WHERE x.import_id = p_import),
  named AS (
    SELECT l.n, l.usr AS name FROM l WHERE l.usr IS NOT NULL
    UNION ALL SELECT l.n, l.ref FROM l WHERE l.type IN ('follow', 'block')
    UNION ALL SELECT l.n, l.line->>'owner' FROM l
      WHERE l.type = 'conversation' AND l.line->>'owner' IS NOT NULL
    UNION ALL SELECT l.n, m.name FROM l, json_array_elements_text(l.line->'members') m (name)
      WHERE l.type = 'conversation'
  ),
  pairs AS (
    SELECT l.ref, count(DISTINCT m.usr) AS members, min(u.id) AS lo, max(u.id) AS hi, l.n
    FROM l
    LEFT JOIN (
      SELECT k.ref, k.usr FROM l k WHERE k.type = 'member'
      UNION SELECT k.ref, m.name FROM l k, json_array_elements_text(k.line->'members') m (name)
        WHERE k.type = 'conversation'
    ) m ON m.ref = l.ref
    LEFT JOIN users u ON u.external_id = m.usr
    WHERE l.type = 'conversation' AND l.line->>'kind' = 'direct' GROUP BY l.ref, l.n
  ),
  places AS (
    SELECT y.ref, coalesce(y.seq, row_number() OVER (PARTITION BY y.ref ORDER BY y.n)) AS seq, y.n
    FROM l y WHERE y.type = 'message'
  ),
  wrong AS (
    SELECT l.n, 'names ' || l.type || ' ' || l.ref || ' for a second time' AS problem, false AS there
    FROM (SELECT x.*, row_number() OVER (PARTITION BY x.type, x.ref ORDER BY x.n) AS k FROM l x
      WHERE x.type IN ('user', 'conversation', 'post')) l WHERE l.k > 1
    UNION ALL
    SELECT l.n, 'username ' || lower(l.line->>'username') || ' is that of another line', false
    FROM (SELECT x.*, row_number() OVER (PARTITION BY lower(x.line->>'username') ORDER BY x.n) AS k
      FROM l x WHERE x.type = 'user' AND x.line->>'username' IS NOT NULL) l WHERE l.k > 1
    UNION ALL
    SELECT l.n, 'username ' || lower(l.line->>'username') || ' is taken', true
    FROM l JOIN users u ON u.username = lower(l.line->>'username')
    WHERE l.type = 'user' AND u.external_id IS DISTINCT FROM l.ref
    UNION ALL
    SELECT x.n, 'names user ' || x.name || ', who is neither in the file nor here', false
    FROM named x
    WHERE NOT EXISTS (SELECT 1 FROM l u WHERE u.type = 'user' AND u.ref = x.name)
      AND NOT EXISTS (SELECT 1 FROM users u WHERE u.external_id = x.name)
    UNION ALL
    SELECT l.n, 'names conversation ' || l.ref || ', which is neither in the file nor here', false
    FROM l
    WHERE l.type IN ('member', 'message', 'reaction')
      AND NOT EXISTS (SELECT 1 FROM l c WHERE c.type = 'conversation' AND c.ref = l.ref)
      AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.external_id = l.ref)
    UNION ALL
    SELECT min(l.n), 'conversation ' || l.ref || ' has been written by others than imports', true
    FROM l
    JOIN conversations c ON c.external_id = l.ref
    LEFT JOIN imported_conversations i ON i.conversation_id = c.id
    WHERE l.type IN ('conversation', 'member', 'message', 'reaction')
      AND i.rev IS DISTINCT FROM c.rev
    GROUP BY l.ref
    UNION ALL
    -- Where others of the file's messages are new, it is not the file of before: then a message without a
    -- name and a time may be the one that is here, or another one that says the same.
    SELECT l.n, 'has neither an external_id nor a created_at, and conversation ' || l.ref
      || ' has a message of the same sender that says the same: give it one of them', true
    FROM (
      SELECT c.id, c.external_id AS ref FROM conversations c
      WHERE c.external_id IN (SELECT x.ref FROM l x WHERE x.type = 'message'
        AND x.client_id IS NULL AND x.line->>'created_at' IS NULL)
    ) c
    CROSS JOIN LATERAL (
      SELECT p.*, bool_or(p.seq IS NULL) OVER () AS is_another
      FROM import_places(p_import, c.ref, c.id) p
    ) p
    JOIN l ON l.n = p.n
    WHERE p.is_another AND p.seq IS NOT NULL
      AND l.client_id IS NULL AND l.line->>'created_at' IS NULL
    UNION ALL
    SELECT l.n, 'conversation ' || l.ref || ' is a ' || c.kind || ' here', true
    FROM l JOIN conversations c ON c.external_id = l.ref
    WHERE l.type = 'conversation' AND c.kind <> l.line->>'kind'
    UNION ALL
    SELECT p.n, 'a direct conversation has two members, and this one has ' || p.members, false
    FROM pairs p WHERE p.members <> 2
    UNION ALL
    SELECT p.n, 'these two have a direct conversation already', true
    FROM pairs p JOIN conversations c ON c.direct_lo = p.lo AND c.direct_hi = p.hi
    WHERE p.members = 2 AND p.lo < p.hi AND c.external_id IS DISTINCT FROM p.ref
    UNION ALL
    SELECT l.n, 'a thread has a parent_id and a parent_seq, of lines of the file', false
    FROM l
    WHERE l.type = 'conversation' AND l.line->>'kind' = 'thread' AND NOT EXISTS (
      SELECT 1 FROM l p JOIN places y ON y.ref = p.ref AND y.seq = (l.line->>'parent_seq')::bigint
      WHERE p.type = 'conversation' AND p.line->>'id' = l.line->>'parent_id'
        AND p.line->>'kind' <> 'thread')
    UNION ALL
    SELECT l.n, 'reply_to_seq ' || (l.line->>'reply_to_seq') || ' is no earlier message of the conversation', false
    FROM l
    WHERE l.type = 'message' AND l.line->>'reply_to_seq' IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM places y
      WHERE y.ref = l.ref AND y.seq = (l.line->>'reply_to_seq')::bigint AND y.n < l.n)
      AND l.line->>'id' IS NULL
    UNION ALL
    SELECT l.n, 'seq ' || l.seq || ' is no message of the conversation', false
    FROM l
    WHERE l.type = 'reaction' AND NOT EXISTS (
      SELECT 1 FROM places y WHERE y.ref = l.ref AND y.seq = l.seq)
    UNION ALL
    SELECT y.n, 'seq ' || y.seq || ' is that of an earlier message of the conversation', false
    FROM (SELECT x.*, row_number() OVER (PARTITION BY x.ref, x.seq ORDER BY x.n) AS k FROM places x) y
    WHERE y.k > 1
    UNION ALL
    SELECT l.n, 'names post ' || l.ref || ', which is not in the file', false
    FROM l
    WHERE l.type IN ('comment', 'like')
      AND NOT EXISTS (SELECT 1 FROM l p WHERE p.type = 'post' AND p.ref = l.ref)
    UNION ALL
    SELECT l.n, 'a user cannot ' || l.type || ' themselves', false
    FROM l WHERE l.type IN ('follow', 'block') AND l.ref = l.usr
  )
  SELECT w.n, w.problem, w.there FROM wrong w ORDER BY w.n, w.problem LIMIT p_most
$$;
