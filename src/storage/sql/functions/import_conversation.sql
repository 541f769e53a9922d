-- Writes one conversation of an import, with its members, messages and reactions, in one transaction;
-- how many messages were added. Messages that are there already, by their sender and client_id, are
-- not added again. It fails with TR409 where others than imports have written into the conversation.
-- No event is written, and nobody is notified.
CREATE OR REPLACE FUNCTION import_conversation(p_import bigint, p_ref text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  asked json;
  c conversations;
  parent conversations;
  root bigint;
  pair bigint[];
  added bigint := 0;
  base_n bigint;
BEGIN
  PERFORM set_config('troupe.events', 'off', true);
  PERFORM hold_import(p_import);
  PERFORM pg_advisory_xact_lock(hashtextextended('conversation ' || p_ref, 0));
  SELECT l.line INTO asked FROM import_lines l
  WHERE l.import_id = p_import AND l.type = 'conversation' AND l.ref = p_ref;
  IF asked->>'kind' = 'thread' THEN
    SELECT p.* INTO parent FROM import_lines l JOIN conversations p ON p.external_id = l.ref
    WHERE l.import_id = p_import AND l.type = 'conversation' AND l.line->>'id' = asked->>'parent_id';
    SELECT y.seq INTO root FROM import_lines l, import_places(p_import, l.ref, parent.id) y
    WHERE l.import_id = p_import AND l.type = 'conversation' AND l.line->>'id' = asked->>'parent_id'
      AND y.named = (asked->>'parent_seq')::bigint;
    PERFORM 1 FROM conversations p WHERE p.id = parent.id FOR NO KEY UPDATE;
  END IF;
  SELECT x.* INTO c FROM conversations x WHERE x.external_id = p_ref FOR NO KEY UPDATE;
  IF c.id IS NULL THEN
    IF asked->>'kind' = 'direct' THEN
      SELECT array_agg(DISTINCT u.id) INTO pair FROM users u WHERE u.external_id IN (
        SELECT l.usr FROM import_lines l
        WHERE l.import_id = p_import AND l.type = 'member' AND l.ref = p_ref
        UNION SELECT m.name FROM json_array_elements_text(asked->'members') m (name));
    END IF;
    INSERT INTO conversations
      (kind, title, owner_id, direct_lo, direct_hi, parent_id, parent_seq, reply_count, counted_seq,
        extra, external_id, created_at, last_activity_at)
    SELECT asked->>'kind', CASE WHEN asked->>'kind' IN ('group', 'channel') THEN asked->>'title' END,
      CASE WHEN asked->>'kind' IN ('group', 'channel') THEN coalesce(
        (SELECT u.id FROM users u WHERE u.external_id = asked->>'owner'), (
          SELECT u.id FROM import_lines l JOIN users u ON u.external_id = l.usr
          WHERE l.import_id = p_import AND l.type = 'member' AND l.ref = p_ref
          ORDER BY l.line->>'role' = 'owner' DESC NULLS LAST, l.n LIMIT 1)) END,
      least(pair[1], pair[2]), greatest(pair[1], pair[2]), parent.id, root,
      CASE WHEN parent.id IS NOT NULL THEN 0 END, CASE WHEN parent.id IS NOT NULL THEN 0 END,
      CASE WHEN parent.id IS NULL THEN merge_keys(revised_extra(asked->>'kind', NULL, asked),
        json_build_object('audience', CASE asked->>'kind'
          WHEN 'channel' THEN coalesce(asked->>'audience', 'members') END))
      END, p_ref, x.at, x.at
    FROM (SELECT coalesce((asked->>'created_at')::timestamptz, clock_timestamp()) AS at) x
    RETURNING * INTO c;
  ELSIF c.rev IS DISTINCT FROM (
    SELECT i.rev FROM imported_conversations i WHERE i.conversation_id = c.id
  ) THEN
    RAISE EXCEPTION 'conversation % has been written by others than imports', p_ref
      USING ERRCODE = 'TR409';
  END IF;

  INSERT INTO conversation_members
    (conversation_id, user_id, in_channel, joined_at, extra, thread_of, apart)
  SELECT c.id, u.id, CASE c.kind WHEN 'channel' THEN true END, min(m.at),
    merge_keys(NULL, json_build_object('role', max(m.role) FILTER (
      WHERE m.role NOT IN ('owner', 'member')
        AND c.kind IN ('group', 'channel') AND u.id IS DISTINCT FROM c.owner_id))),
    c.parent_id, c.kind = 'direct' AND is_apart(c.direct_lo, c.direct_hi)
  FROM (
    SELECT l.usr AS name, l.line->>'role' AS role,
      coalesce((l.line->>'joined_at')::timestamptz, c.created_at) AS at
    FROM import_lines l WHERE l.import_id = p_import AND l.type = 'member' AND l.ref = p_ref
    UNION ALL SELECT x.name, NULL, c.created_at FROM json_array_elements_text(asked->'members') x (name)
    UNION ALL SELECT o.external_id, NULL, c.created_at FROM users o WHERE o.id = c.owner_id
  ) m JOIN users u ON u.external_id = m.name AND u.erased_at IS NULL
  GROUP BY u.id
  ON CONFLICT DO NOTHING;

  base_n := coalesce(c.last_n, c.last_seq);
  WITH places AS MATERIALIZED (
    SELECT p.* FROM import_places(p_import, p_ref, c.id) p
  ), fresh AS MATERIALIZED (
    SELECT p.n, p.named, p.sender, p.client_id, l.line,
      c.last_seq + row_number() OVER (ORDER BY p.n) AS seq,
      base_n + count(*) FILTER (
        WHERE l.line->>'message_type' IS DISTINCT FROM 'system' AND l.line->>'silent' IS NULL
      ) OVER (ORDER BY p.n ROWS UNBOUNDED PRECEDING) AS counted
    FROM places p JOIN import_lines l ON l.import_id = p_import AND l.n = p.n
    WHERE p.seq IS NULL
  ), known AS (
    SELECT p.named, coalesce(p.seq, f.seq) AS seq FROM places p LEFT JOIN fresh f ON f.n = p.n
  ), written AS (
    INSERT INTO messages (conversation_id, seq, id, rev, sender_id, client_id, body, reply_to_seq,
      created_at, edited_at, deleted_at, n, data, extra, revised)
    SELECT c.id, f.seq, nextval('messages_id_seq'), c.rev + f.seq - c.last_seq, f.sender, f.client_id,
      coalesce(f.line->>'body', ''), k.seq,
      coalesce((f.line->>'created_at')::timestamptz, clock_timestamp()),
      (f.line->>'edited_at')::timestamptz, (f.line->>'deleted_at')::timestamptz,
      nullif(f.counted, f.seq), (f.line->'data')::text,
      nullif(jsonb_strip_nulls(jsonb_build_object(
        'type', nullif(f.line->>'message_type', 'text'), 'silent', (f.line->>'silent')::boolean,
        'pinned_at', f.line->>'pinned_at', 'expires_at', f.line->>'expires_at')), '{}'),
      CASE WHEN f.line->>'edited_at' IS NOT NULL OR f.line->>'deleted_at' IS NOT NULL THEN true END
    FROM fresh f LEFT JOIN known k ON k.named = (f.line->>'reply_to_seq')::bigint AND k.seq < f.seq
  ), pinned AS (
    INSERT INTO conversation_pins (conversation_id, seq, pinned_at)
    SELECT c.id, f.seq, (f.line->>'pinned_at')::timestamptz FROM fresh f
    WHERE f.line->>'pinned_at' IS NOT NULL AND f.line->>'deleted_at' IS NULL
  ), expiring AS (
    INSERT INTO message_expiries (conversation_id, seq, expires_at)
    SELECT c.id, f.seq, (f.line->>'expires_at')::timestamptz FROM fresh f
    WHERE f.line->>'expires_at' IS NOT NULL AND f.line->>'deleted_at' IS NULL
  ), without_sender AS (
    INSERT INTO service_messages (conversation_id, subject, client_id, seq)
    SELECT c.id, 'import', f.client_id, f.seq FROM fresh f WHERE f.sender IS NULL
  )
  SELECT count(*), coalesce(max(f.counted), base_n) INTO added, base_n FROM fresh f;

  UPDATE conversations x
  SET last_seq = c.last_seq + added, rev = c.rev + added,
    last_n = nullif(base_n, c.last_seq + added),
    last_activity_at = coalesce((
      SELECT m.created_at FROM messages m
      WHERE m.conversation_id = c.id ORDER BY m.seq DESC LIMIT 1), x.last_activity_at),
    member_count = (SELECT count(*) FROM conversation_members k WHERE k.conversation_id = c.id),
    kept_next_at = CASE WHEN x.kept_s IS NOT NULL THEN clock_timestamp() END
  WHERE x.id = c.id
  RETURNING x.* INTO c;

  IF EXISTS (
    SELECT 1 FROM import_lines l
    WHERE l.import_id = p_import AND l.type = 'reaction' AND l.ref = p_ref
  ) THEN
    WITH reacted AS (
      INSERT INTO message_reactions (conversation_id, user_id, seq, key, created_at)
      SELECT c.id, u.id, p.seq, l.line->>'key',
        coalesce((l.line->>'created_at')::timestamptz, clock_timestamp())
      FROM import_lines l
      JOIN users u ON u.external_id = l.usr
      JOIN import_places(p_import, p_ref, c.id) p ON p.named = l.seq
      JOIN messages m ON m.conversation_id = c.id AND m.seq = p.seq AND m.deleted_at IS NULL
      WHERE l.import_id = p_import AND l.type = 'reaction' AND l.ref = p_ref
      ORDER BY l.n
      ON CONFLICT DO NOTHING RETURNING seq
    )
    SELECT array_agg(DISTINCT r.seq) INTO pair FROM reacted r;
    UPDATE messages m SET reactions = (
      SELECT '[' || string_agg('{"key":' || to_json(k.key)::text || ',"count":' || k.count
        || ',"last_user_ids":[' || k.last || ']}', ',' ORDER BY k.first) || ']'
      FROM (
        SELECT x.key, count(*) AS count, min(x.id) AS first, (
          SELECT string_agg('"' || y.user_id || '"', ',' ORDER BY y.id DESC) FROM (
            SELECT z.user_id, z.id FROM message_reactions z
            WHERE z.conversation_id = c.id AND z.seq = m.seq AND z.key = x.key
            ORDER BY z.id DESC LIMIT 5
          ) y
        ) AS last
        FROM message_reactions x
        WHERE x.conversation_id = c.id AND x.seq = m.seq GROUP BY x.key
      ) k
    ) WHERE m.conversation_id = c.id AND m.seq = ANY (pair);
  END IF;

  -- Without `read` a member has read up to their own last message.
  UPDATE conversation_members k
  SET read_seq = x.seq, delivered_seq = greatest(x.delivered, x.seq),
    read_n = nullif(n_before(c.id, x.seq + 1, 0), x.seq)
  FROM (
    SELECT k.user_id,
      greatest(k.read_seq, CASE WHEN l.line->>'read' IS NOT NULL THEN least(c.last_seq, coalesce((
          SELECT max(p.seq) FROM import_places(p_import, p_ref, c.id) p
          WHERE p.named <= (l.line->>'read')::bigint), 0))
        ELSE coalesce((SELECT max(m.seq) FROM messages m
          WHERE m.conversation_id = c.id AND m.sender_id = k.user_id), 0) END) AS seq,
      least(c.last_seq, greatest(k.delivered_seq, (l.line->>'delivered')::bigint)) AS delivered
    FROM conversation_members k
    JOIN users u ON u.id = k.user_id
    LEFT JOIN import_lines l ON l.import_id = p_import AND l.type = 'member' AND l.ref = p_ref
      AND l.usr = u.external_id
    WHERE k.conversation_id = c.id
  ) x
  WHERE k.conversation_id = c.id AND k.user_id = x.user_id;

  INSERT INTO imported_conversations AS i (conversation_id, rev) VALUES (c.id, c.rev)
  ON CONFLICT (conversation_id) DO UPDATE SET rev = excluded.rev;
  IF c.parent_id IS NOT NULL AND added > 0 THEN
    PERFORM summarize_thread(c.parent_id, c.parent_seq);
    UPDATE imported_conversations i SET rev = p.rev FROM conversations p
    WHERE p.id = c.parent_id AND i.conversation_id = p.id;
  END IF;
  RETURN added;
END
$$;
