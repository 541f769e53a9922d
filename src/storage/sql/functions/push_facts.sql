-- What decides whether something is pushed, as it is now. p_items: [{u: user, c: conversation or 0,
-- i: notification or 0, f: the first and s: the last message}]; n is the place in it. A message is
-- `newest` where it is the newest from f to s that the reader may see, has not read and would be
-- pushed by the level; `last` is the message s itself. Where the first has been read, unread_ms is how
-- long ago the first came that has not. In a thread the parent's muting holds, too.
CREATE OR REPLACE FUNCTION push_facts(p_items json)
RETURNS TABLE (n bigint, facts json)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  SELECT x.n, json_build_object(
    'level', s.level,
    'snoozed', coalesce(s.snoozed_until > clock_timestamp(), false),
    'quiet_hours', s.quiet_hours,
    'content', s.content,
    'suspended', reader.id IS NULL OR is_suspended(reader),
    'conversation', CASE WHEN x.c > 0 THEN json_build_object(
      'kind', talk.kind,
      'title', coalesce(talk.title, parent.title),
      'deleted', talk.id IS NULL OR talk.deleted_at IS NOT NULL OR parent.deleted_at IS NOT NULL,
      'member', k.user_id IS NOT NULL,
      'muted', coalesce(p.muted_until > clock_timestamp(), false)
        OR coalesce(pp.muted_until > clock_timestamp(), false),
      'level', p.level,
      'read_seq', coalesce(k.read_seq, 0),
      'unread_ms', floor(extract(epoch FROM clock_timestamp() - unread.created_at) * 1000),
      'count', CASE WHEN k.user_id IS NULL THEN 0 ELSE unread_count(talk, k) END,
      'last', last.message,
      'newest', newest.message
    ) END,
    'notification', CASE WHEN x.i > 0 THEN json_build_object(
      'there', o.id IS NOT NULL,
      'type', o.type,
      'message', o.message,
      'post_id', o.post_id::text,
      'actor_id', o.actor_id::text,
      'read', o.read_at IS NOT NULL,
      'blocked', is_apart(x.u, o.actor_id)
    ) END
  )
  FROM ROWS FROM (json_to_recordset(p_items) AS (u bigint, c bigint, i bigint, f bigint, s bigint))
    WITH ORDINALITY AS x (u, c, i, f, s, n)
  LEFT JOIN users reader ON reader.id = x.u
  LEFT JOIN push_settings s ON s.user_id = x.u
  LEFT JOIN conversations talk ON talk.id = x.c
  LEFT JOIN conversations parent ON parent.id = talk.parent_id
  LEFT JOIN conversation_members k ON k.conversation_id = x.c AND k.user_id = x.u
  LEFT JOIN conversation_prefs p
    ON p.user_id = x.u AND p.conversation_id = x.c AND NOT p.is_removed
  LEFT JOIN conversation_prefs pp
    ON pp.user_id = x.u AND pp.conversation_id = talk.parent_id AND NOT pp.is_removed
  LEFT JOIN notifications o ON o.user_id = x.u AND o.id = x.i
  LEFT JOIN LATERAL (
    SELECT json_build_object('deleted', m.deleted_at IS NOT NULL, 'mention', is_push_mention(m, x.u, talk.kind),
      'blocked', k.apart OR is_apart(x.u, m.sender_id)) AS message
    FROM messages m WHERE m.conversation_id = x.c AND m.seq = x.s
  ) last ON true
  LEFT JOIN LATERAL (
    SELECT y.created_at FROM messages y
    WHERE y.conversation_id = x.c AND y.seq > k.read_seq AND y.seq <= x.s
    ORDER BY y.seq LIMIT 1
  ) unread ON k.read_seq >= x.f
  LEFT JOIN LATERAL (
    SELECT json_build_object('seq', m.seq, 'body', m.body, 'sender', sender.display_name,
      'files', coalesce(jsonb_array_length(m.extra->'attachments'), 0)) AS message
    FROM messages m LEFT JOIN users sender ON sender.id = m.sender_id
    WHERE m.conversation_id = x.c AND m.seq <= x.s
      AND m.seq >= greatest(x.f, k.read_seq + 1, k.visible_from_seq, k.cleared_before_seq)
      AND m.deleted_at IS NULL AND m.sender_id IS DISTINCT FROM x.u
      AND m.extra->>'type' IS DISTINCT FROM 'system' AND m.extra->>'silent' IS NULL
      AND m.extra->'stream'->>'state' IS DISTINCT FROM 'open'
      AND NOT k.apart AND NOT is_apart(x.u, m.sender_id)
      AND (is_push_mention(m, x.u, talk.kind)
        OR coalesce(p.level, s.level, CASE talk.kind WHEN 'channel' THEN 'mentions' ELSE 'all' END) = 'all')
    ORDER BY m.seq DESC LIMIT 1
  ) newest ON k.user_id IS NOT NULL
  ORDER BY x.n
$$;
