-- Empties a user's messages in a conversation, at most p_most of them, as one change with one rev:
-- body, data, attachments, reactions, mentions and pins go, and they count as deleted. An emptied
-- message has no client_id, by which it is known as one, and by which the rest is found.
-- seqs: which ones, rising; none: there is nothing left, and nothing changed.
-- It locks the conversation's row first, as every change of it does.
CREATE OR REPLACE FUNCTION erase_messages(p_id bigint, p_user bigint, p_most int)
RETURNS TABLE (seqs bigint[], rev bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  moment constant timestamptz(3) := clock_timestamp();
  next_rev bigint;
  is_thread boolean;
BEGIN
  SELECT c.rev + 1, c.parent_id IS NOT NULL INTO next_rev, is_thread
  FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT coalesce(array_agg(x.seq ORDER BY x.seq), '{}') INTO seqs FROM (
    SELECT m.seq FROM messages m
    WHERE m.conversation_id = p_id AND m.sender_id = p_user AND m.client_id IS NOT NULL
    ORDER BY m.client_id LIMIT p_most
  ) x;
  rev := next_rev;
  IF cardinality(seqs) = 0 THEN
    RETURN NEXT;
    RETURN;
  END IF;
  PERFORM set_config('troupe.actor', p_user::text, true), set_config('troupe.erasing', 'on', true);
  UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
  IF is_thread THEN
    UPDATE conversations c SET reply_count = c.reply_count - (
      SELECT count(*) FROM messages m
      WHERE m.conversation_id = p_id AND m.seq = ANY (seqs) AND m.seq <= c.counted_seq
        AND m.deleted_at IS NULL AND m.extra->>'type' IS DISTINCT FROM 'system')
    WHERE c.id = p_id AND c.reply_count IS NOT NULL;
    INSERT INTO thread_summaries (conversation_id, due_at)
    VALUES (p_id, moment + interval '3 seconds') ON CONFLICT DO NOTHING;
  END IF;
  -- Edges that have missed earlier changes read them without what is gone.
  UPDATE message_versions v SET body = '', data = NULL, extra = NULL
  WHERE v.conversation_id = p_id AND v.seq = ANY (seqs);
  INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at, data, extra, revised)
  SELECT p_id, m.rev, m.seq, '', m.edited_at, NULL, NULL, m.revised FROM messages m
  WHERE m.conversation_id = p_id AND m.seq = ANY (seqs) AND m.deleted_at IS NULL
  ON CONFLICT DO NOTHING;
  UPDATE messages m SET rev = next_rev, body = '', data = NULL, reactions = NULL, client_id = NULL,
    extra = nullif(
      CASE WHEN m.extra->'stream'->>'state' = 'open'
        THEN m.extra || '{"stream": {"state": "cancelled"}}' ELSE m.extra END
      - ARRAY['mentions', 'mention_all', 'attachments', 'pinned_at', 'pinned_by', 'expires_at'],
      '{}'),
    deleted_at = coalesce(m.deleted_at, moment), revised = true
  WHERE m.conversation_id = p_id AND m.seq = ANY (seqs);
  DELETE FROM open_streams o WHERE o.conversation_id = p_id AND o.seq = ANY (seqs);
  DELETE FROM message_reactions r WHERE r.conversation_id = p_id AND r.seq = ANY (seqs);
  DELETE FROM message_mentions x WHERE x.conversation_id = p_id AND x.seq = ANY (seqs);
  DELETE FROM message_files f WHERE f.conversation_id = p_id AND f.seq = ANY (seqs);
  DELETE FROM message_expiries e WHERE e.conversation_id = p_id AND e.seq = ANY (seqs);
  DELETE FROM conversation_pins p WHERE p.conversation_id = p_id AND p.seq = ANY (seqs);
  IF NOT EXISTS (
    SELECT 1 FROM messages m
    WHERE m.conversation_id = p_id AND m.sender_id = p_user AND m.client_id IS NOT NULL
  ) THEN
    -- The index of words begins again with what is left, whether it is fed at the moment or not.
    -- Rows are locked in the order of feed_search.
    DELETE FROM search_progress p WHERE p.conversation_id = p_id;
    DELETE FROM search_blocks b WHERE b.conversation_id = p_id;
  END IF;
  PERFORM count_erased(p_user, 'messages', cardinality(seqs));
  RETURN NEXT;
END
$$;
