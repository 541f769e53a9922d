-- What was decided on rows of push_pending, each [{u, c, i, s: the last message that was looked at}]:
-- p_send goes to all of the user's devices, p_drop is not pushed, p_later, which also has h: whether
-- it is held, and w: milliseconds, is looked at again. A row that has grown meanwhile is not dropped.
CREATE OR REPLACE FUNCTION settle_pushes(
  p_send json, p_drop json, p_later json, p_decisions json, p_kept int
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (
    DELETE FROM push_pending p
    USING json_to_recordset(p_send) AS x (u bigint, c bigint, i bigint)
    WHERE p.user_id = x.u AND p.conversation_id = x.c AND p.notification_id = x.i
    RETURNING p.*
  )
  INSERT INTO push_sends AS t
    (device, kind, user_id, conversation_id, notification_id, first_seq, seq, since, due_at)
  SELECT d.id, CASE WHEN g.notification_id > 0 THEN 'notification' ELSE 'message' END, g.user_id,
    g.conversation_id, g.notification_id, g.first_seq, g.seq, clock_timestamp(), clock_timestamp()
  FROM gone g
  JOIN push_devices d ON d.user_id = g.user_id
  LEFT JOIN refresh_families f ON f.id = d.family_id
  WHERE d.family_id IS NULL OR f.expires_at > clock_timestamp()
  ON CONFLICT (device, kind, conversation_id, notification_id) DO UPDATE SET
    first_seq = least(t.first_seq, excluded.first_seq), seq = greatest(t.seq, excluded.seq),
    since = excluded.since, due_at = excluded.due_at, attempts = 0;
  DELETE FROM push_pending p
  USING json_to_recordset(p_drop) AS x (u bigint, c bigint, i bigint, s bigint)
  WHERE p.user_id = x.u AND p.conversation_id = x.c AND p.notification_id = x.i AND p.seq <= x.s;
  UPDATE push_pending p SET is_held = p.is_held OR x.h,
    due_at = clock_timestamp() + x.w * interval '1 millisecond'
  FROM json_to_recordset(p_later) AS x (u bigint, c bigint, i bigint, h boolean, w int)
  WHERE p.user_id = x.u AND p.conversation_id = x.c AND p.notification_id = x.i;
  PERFORM note_push_decisions(p_decisions, p_kept);
END
$$;
