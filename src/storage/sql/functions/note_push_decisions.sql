-- Notes decisions, and keeps the last p_kept of each user. p_decisions: [{u, k: kind, c, s: seq, i:
-- notification, d: device_id, r: reason, t: detail}].
CREATE OR REPLACE FUNCTION note_push_decisions(p_decisions json, p_kept int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO push_decisions
    (user_id, kind, conversation_id, seq, notification_id, device_id, reason, detail)
  SELECT x.u, x.k, nullif(x.c, 0), nullif(x.s, 0), nullif(x.i, 0), x.d, x.r, x.t
  FROM json_to_recordset(p_decisions)
    AS x (u bigint, k text, c bigint, s bigint, i bigint, d text, r text, t text)
  -- Not of one who is being erased.
  JOIN users u ON u.id = x.u AND u.erased_at IS NULL;
  DELETE FROM push_decisions p USING (
    SELECT DISTINCT x.u, (
      SELECT o.id FROM push_decisions o WHERE o.user_id = x.u ORDER BY o.id DESC OFFSET p_kept LIMIT 1
    ) AS last
    FROM json_to_recordset(p_decisions) AS x (u bigint)
  ) y
  WHERE p.user_id = y.u AND p.id <= y.last;
END
$$;
