-- Group commit of notifications; it locks the users' counters, and reads and answers as like_batch
-- does.
--   news: [{u: user, g: id or null, y: type, m: message, a: actor, p: post, c: comment, d: JSON as
--     text, k: by how much it counts, v: the conversation that it comes from, or null}]. With g the notification of that id grows, without it one
--     is added; no (u, g) twice.
--   outcomes: 0 written, 1 not written (the user's own act, a block between the two, or the user
--     wants nothing of that from the conversation: is_silenced), 2 not found.
--   grown: the notifications that grew, as JSON with n, their place in the input.
CREATE OR REPLACE FUNCTION notify_batch(user_ids bigint[], news json)
RETURNS TABLE (at timestamptz, outcomes int[], ids bigint[], seqs bigint[], grown json)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz(3);
BEGIN
  INSERT INTO notification_counters (user_id)
  SELECT u.id FROM users u LEFT JOIN notification_counters k ON k.user_id = u.id
  WHERE u.id = ANY (user_ids) AND k.user_id IS NULL ORDER BY u.id
  ON CONFLICT DO NOTHING;
  PERFORM 1 FROM notification_counters k
  WHERE k.user_id = ANY (user_ids) ORDER BY k.user_id FOR NO KEY UPDATE;
  moment := clock_timestamp();

  WITH input AS MATERIALIZED (
    SELECT i.*
    FROM ROWS FROM (
      json_to_recordset(news)
        AS (
          u bigint, g bigint, y text, m text, a bigint, p bigint, c bigint, d text, k int, v bigint
        )
    ) WITH ORDINALITY AS i (u, g, y, m, a, p, c, d, k, v, n)
  ), checked AS (
    SELECT i.*, k.last_seq,
      CASE
        WHEN k.user_id IS NULL OR (i.g IS NOT NULL AND o.id IS NULL) THEN 2
        WHEN i.a = i.u OR b.blocker_id IS NOT NULL OR d.blocker_id IS NOT NULL THEN 1
        WHEN s.user_id IS NOT NULL AND is_silenced(s, coalesce(o.type, i.y), moment) THEN 1
        ELSE 0
      END AS outcome
    FROM input i
    LEFT JOIN notification_counters k ON k.user_id = i.u
    LEFT JOIN notifications o ON o.user_id = i.u AND o.id = i.g
    LEFT JOIN blocks b ON b.blocker_id = i.u AND b.blocked_id = i.a
    LEFT JOIN blocks d ON d.blocker_id = i.a AND d.blocked_id = i.u
    LEFT JOIN conversation_prefs s ON s.user_id = i.u
      -- A reaction's own notification names the conversation where it grows.
      AND s.conversation_id = CASE
        WHEN o.type = 'reaction' THEN (o.data->>'conversation_id')::bigint ELSE i.v
      END
  ), numbered AS MATERIALIZED (
    SELECT c.*,
      c.last_seq + count(*) FILTER (WHERE c.outcome = 0)
        OVER (PARTITION BY c.u ORDER BY c.n ROWS UNBOUNDED PRECEDING) AS seq,
      CASE
        WHEN c.outcome = 0 THEN coalesce(c.g, nextval('notifications_id_seq'))
      END AS id
    FROM checked c
  ), added AS (
    INSERT INTO notifications
      (user_id, id, seq, type, message, actor_id, post_id, comment_id, count, data, created_at)
    SELECT x.u, x.id, x.seq, x.y, x.m, x.a, x.p, x.c, x.k, x.d::json, moment
    FROM numbered x WHERE x.outcome = 0 AND x.g IS NULL
  ), raised AS (
    UPDATE notifications o
    SET seq = x.seq, count = o.count + x.k, message = x.m, actor_id = x.a, read_at = NULL
    FROM numbered x
    WHERE x.outcome = 0 AND o.user_id = x.u AND o.id = x.g
    RETURNING x.n, o.*
  ), moved AS (
    UPDATE notification_counters k SET last_seq = x.seq
    FROM (SELECT u, max(seq) AS seq FROM numbered WHERE outcome = 0 GROUP BY u) x
    WHERE k.user_id = x.u
  )
  SELECT moment, array_agg(x.outcome ORDER BY x.n), array_agg(coalesce(x.id, 0) ORDER BY x.n),
    array_agg(coalesce(x.seq, 0) ORDER BY x.n),
    (
      SELECT json_agg(json_build_object(
        'n', o.n - 1, 'id', o.id::text, 'seq', o.seq, 'type', o.type, 'message', o.message,
        'actor_id', o.actor_id::text, 'post_id', o.post_id::text,
        'comment_id', o.comment_id::text, 'count', o.count, 'data', o.data,
        'created_at', o.created_at, 'read_at', o.read_at
      )) FROM raised o
    )
  INTO at, outcomes, ids, seqs, grown
  FROM numbered x;
  RETURN NEXT;
END
$$;
