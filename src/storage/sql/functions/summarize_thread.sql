-- Writes into a root what its thread has come to: how many replies it has, when the last one came
-- and from whom the last ones are. As a change of the message it takes the next rev of the parent;
-- where nothing is different it takes none. outcome: ok, not_found (there is no such thread).
-- Replies are counted from where the last summary ended; deletions before that are taken off as
-- they are made (revise_message).
CREATE OR REPLACE FUNCTION summarize_thread(p_parent bigint, p_seq bigint)
RETURNS TABLE (outcome text, changed boolean, message text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  next_rev bigint;
  thread conversations;
  before messages;
  replies bigint;
  last_at timestamptz;
  last_ids text[];
  summary jsonb;
BEGIN
  SELECT c.rev + 1 INTO next_rev FROM conversations c
  WHERE c.id = p_parent AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  SELECT c.* INTO thread FROM conversations c
  WHERE c.parent_id = p_parent AND c.parent_seq = p_seq FOR NO KEY UPDATE;
  SELECT y.* INTO before FROM messages y WHERE y.conversation_id = p_parent AND y.seq = p_seq;
  outcome := CASE
    WHEN next_rev IS NULL OR thread.id IS NULL OR before.seq IS NULL THEN 'not_found' ELSE 'ok' END;
  changed := false;
  DELETE FROM thread_summaries d WHERE d.conversation_id = thread.id;
  IF outcome <> 'ok' OR thread.last_seq = 0 THEN
    RETURN NEXT;
    RETURN;
  END IF;
  replies := thread.reply_count + (
    SELECT count(*) FROM messages y
    WHERE y.conversation_id = thread.id AND y.seq > thread.counted_seq
      AND y.deleted_at IS NULL AND y.extra->>'type' IS DISTINCT FROM 'system');
  UPDATE conversations c SET reply_count = replies, counted_seq = thread.last_seq
  WHERE c.id = thread.id;
  -- Among the newest ones: a thread whose end was deleted shows fewer names.
  SELECT max(y.created_at), (array_agg(y.sender_id::text ORDER BY y.seq DESC)
    FILTER (WHERE y.place = 1))[1:5]
  INTO last_at, last_ids
  FROM (
    SELECT z.*, row_number() OVER (PARTITION BY z.sender_id ORDER BY z.seq DESC) AS place
    FROM (
      SELECT y.seq, y.sender_id, y.created_at FROM messages y
      WHERE y.conversation_id = thread.id AND y.deleted_at IS NULL
        AND y.extra->>'type' IS DISTINCT FROM 'system' AND y.sender_id IS NOT NULL
      ORDER BY y.seq DESC LIMIT 100
    ) z
  ) y;
  summary := jsonb_build_object('conversation_id', thread.id::text, 'reply_count', replies,
    'last_reply_at', iso_time(last_at), 'last_user_ids', coalesce(last_ids, '{}'));
  changed := before.extra->'thread' IS DISTINCT FROM summary;
  IF changed THEN
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_parent;
    INSERT INTO message_versions
      (conversation_id, rev, seq, body, edited_at, deleted_at, data, extra, revised)
    VALUES (p_parent, before.rev, p_seq, before.body, before.edited_at, before.deleted_at,
      before.data, before.extra, before.revised);
    UPDATE messages y
    SET rev = next_rev, revised = true,
      extra = coalesce(before.extra, '{}') || jsonb_build_object('thread', summary)
    WHERE y.conversation_id = p_parent AND y.seq = p_seq;
  END IF;
  message := (
    SELECT message_text(y) FROM messages y WHERE y.conversation_id = p_parent AND y.seq = p_seq);
  RETURN NEXT;
END
$$;
