-- The rows p_ids of push_feed are done with: p_pending, items of expand_push_feed, wait to be
-- decided; p_reads, likewise, are sent to devices that can take them. Fails where another host has
-- done it.
CREATE OR REPLACE FUNCTION settle_push_feed(p_ids bigint[], p_pending json, p_reads json)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  gone int;
BEGIN
  DELETE FROM push_feed f WHERE f.id = ANY (p_ids);
  GET DIAGNOSTICS gone = ROW_COUNT;
  IF gone <> cardinality(p_ids) THEN
    RAISE EXCEPTION 'another host feeds pushes';
  END IF;
  INSERT INTO push_pending AS p
    (user_id, conversation_id, notification_id, first_seq, seq, first_at, due_at)
  SELECT x.u, x.c, x.i, x.f, x.s, x.at, clock_timestamp()
  FROM json_to_recordset(p_pending)
    AS x (u bigint, c bigint, i bigint, f bigint, s bigint, at timestamptz)
  ORDER BY x.u, x.c, x.i
  ON CONFLICT (user_id, conversation_id, notification_id) DO UPDATE SET
    first_seq = least(p.first_seq, excluded.first_seq), seq = greatest(p.seq, excluded.seq);
  WITH seen AS (
    DELETE FROM push_shown s
    USING json_to_recordset(p_reads) AS x (u bigint, c bigint), conversation_members k
    WHERE s.user_id = x.u AND s.conversation_id = x.c
      AND k.user_id = x.u AND k.conversation_id = x.c AND k.read_seq >= s.seq
    RETURNING s.user_id, s.conversation_id, s.seq
  )
  INSERT INTO push_sends AS t
    (device, kind, user_id, conversation_id, notification_id, first_seq, seq, since, due_at)
  SELECT d.id, 'read', s.user_id, s.conversation_id, 0, s.seq, s.seq, clock_timestamp(),
    clock_timestamp()
  FROM seen s JOIN push_devices d ON d.user_id = s.user_id AND d.provider IN ('fcm', 'apns')
  ON CONFLICT (device, kind, conversation_id, notification_id) DO UPDATE SET
    seq = greatest(t.seq, excluded.seq), since = excluded.since, due_at = excluded.due_at,
    attempts = 0;
END
$$;
