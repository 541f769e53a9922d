-- Notes which members have not read a message that is older than p_after and had no session since:
-- of a direct conversation, of a group of at most 50, or mentioned by name; not where they have muted
-- it, and not a second time until they have read what the last event was about. It goes through the event
-- log, which has the messages in the order of their commits, at most p_rows rows at a time.
-- is_on: whether the log is kept. has_more: further rows are old enough.
CREATE OR REPLACE FUNCTION look_for_unread(p_after interval, p_rows int)
RETURNS TABLE (is_on boolean, has_more boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  moment constant timestamptz := clock_timestamp();
  from_pos bigint;
  upto bigint;
BEGIN
  has_more := false;
  SELECT s.is_on INTO is_on FROM event_log_state s;
  IF NOT is_on THEN
    RETURN NEXT;
    RETURN;
  END IF;
  PERFORM sequence_events();
  -- Rows up to pruned_pos are from before the log's last beginning, or have been pruned.
  SELECT greatest(l.pos, s.pruned_pos) INTO from_pos
  FROM unread_looked l CROSS JOIN event_log_state s FOR UPDATE OF l;
  SELECT coalesce(min(x.pos) FILTER (WHERE x.at > moment - p_after) - 1, max(x.pos)),
    count(*) = p_rows
  INTO upto, has_more
  FROM (SELECT l.pos, l.at FROM event_log l WHERE l.pos > from_pos ORDER BY l.pos LIMIT p_rows) x;
  IF upto IS NULL OR upto <= from_pos THEN
    has_more := false;
    RETURN NEXT;
    RETURN;
  END IF;
  WITH sent AS MATERIALIZED (
    SELECT (m.message->>'conversation_id')::bigint AS id, (m.message->>'seq')::bigint AS seq,
      (m.message->>'sender_id')::bigint AS sender,
      (m.message->>'created_at')::timestamptz AS at,
      ARRAY(SELECT x::bigint FROM json_array_elements_text(m.message->'mentions') x) AS mentioned
    FROM event_log l
    CROSS JOIN LATERAL unnest(l.events) e
    CROSS JOIN LATERAL (SELECT e->'d'->'message' AS message) m
    WHERE l.pos > from_pos AND l.pos <= upto AND e->>'t' = 'message.created'
      AND m.message->>'type' IS DISTINCT FROM 'system' AND m.message->>'silent' IS NULL
  ), reached AS (
    SELECT s.id, s.seq, s.at, k.user_id, k.read_seq, k.is_mention
    FROM sent s
    JOIN conversations c ON c.id = s.id AND c.deleted_at IS NULL
    CROSS JOIN LATERAL (
      SELECT x.user_id, x.read_seq, x.user_id = ANY (s.mentioned) AS is_mention
      FROM conversation_members x
      WHERE x.conversation_id = s.id
        AND (c.kind = 'direct' OR (c.kind = 'group' AND c.member_count <= 50))
      UNION
      SELECT x.user_id, x.read_seq, true FROM conversation_members x
      WHERE x.conversation_id = s.id AND x.user_id = ANY (s.mentioned)
    ) k
    WHERE k.user_id IS DISTINCT FROM s.sender AND k.read_seq < s.seq
  )
  INSERT INTO unread_members AS w (user_id, conversation_id, waiting_seq, is_mention)
  SELECT r.user_id, r.id, min(r.seq), bool_or(r.is_mention)
  FROM reached r
  JOIN users u ON u.id = r.user_id AND NOT is_suspended(u)
    AND (u.last_seen_at IS NULL OR u.last_seen_at < r.at)
  LEFT JOIN conversation_prefs p ON p.user_id = r.user_id AND p.conversation_id = r.id
  LEFT JOIN unread_members t ON t.user_id = r.user_id AND t.conversation_id = r.id
  WHERE NOT is_silenced(p, CASE WHEN r.is_mention THEN 'mention' ELSE 'message' END, moment)
    AND (t.told_seq IS NULL OR t.told_seq <= r.read_seq)
  GROUP BY r.user_id, r.id ORDER BY r.user_id, r.id
  ON CONFLICT (user_id, conversation_id) DO UPDATE SET
    waiting_seq = coalesce(w.waiting_seq, excluded.waiting_seq),
    is_mention = w.waiting_seq IS NOT NULL AND w.is_mention OR excluded.is_mention,
    since = CASE WHEN w.waiting_seq IS NULL THEN excluded.since ELSE w.since END;
  UPDATE unread_looked l SET pos = upto;
  RETURN NEXT;
END
$$;
