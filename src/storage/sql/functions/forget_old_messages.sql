-- Deletes messages before first_seq with all that belongs to each, at most p_most of a conversation, the
-- oldest first; how many. 0: there are no more of them. It locks the conversation's row first, as every
-- change of a message does, and the index of words in the order of feed_search.
CREATE OR REPLACE FUNCTION forget_old_messages(p_id bigint, p_most int) RETURNS int
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  c conversations;
  seqs bigint[];
  upto bigint;
BEGIN
  SELECT x.* INTO c FROM conversations x WHERE x.id = p_id FOR NO KEY UPDATE;
  SELECT array_agg(x.seq), max(x.seq) INTO seqs, upto FROM (
    SELECT m.seq FROM messages m
    WHERE m.conversation_id = p_id AND m.seq < c.first_seq ORDER BY m.seq LIMIT p_most
  ) x;
  IF seqs IS NULL THEN
    DELETE FROM old_messages o WHERE o.conversation_id = p_id;
    RETURN 0;
  END IF;
  IF c.parent_id IS NOT NULL THEN
    UPDATE conversations x SET reply_count = x.reply_count - (
      SELECT count(*) FROM messages m
      WHERE m.conversation_id = p_id AND m.seq <= upto AND m.seq <= x.counted_seq
        AND m.deleted_at IS NULL AND m.extra->>'type' IS DISTINCT FROM 'system')
    WHERE x.id = p_id AND x.reply_count IS NOT NULL;
    INSERT INTO thread_summaries (conversation_id, due_at)
    VALUES (p_id, clock_timestamp() + interval '3 seconds') ON CONFLICT DO NOTHING;
  END IF;
  DELETE FROM message_reactions r WHERE r.conversation_id = p_id AND r.seq = ANY (seqs);
  DELETE FROM reaction_changes r WHERE r.conversation_id = p_id AND r.seq = ANY (seqs);
  DELETE FROM message_mentions x WHERE x.conversation_id = p_id AND x.seq = ANY (seqs);
  DELETE FROM message_files f WHERE f.conversation_id = p_id AND f.seq = ANY (seqs);
  DELETE FROM message_expiries e WHERE e.conversation_id = p_id AND e.seq = ANY (seqs);
  DELETE FROM message_versions v WHERE v.conversation_id = p_id AND v.seq = ANY (seqs);
  DELETE FROM conversation_pins p WHERE p.conversation_id = p_id AND p.seq = ANY (seqs);
  DELETE FROM open_streams o WHERE o.conversation_id = p_id AND o.seq = ANY (seqs);
  DELETE FROM service_messages s WHERE s.conversation_id = p_id AND s.seq = ANY (seqs);
  DELETE FROM messages m WHERE m.conversation_id = p_id AND m.seq = ANY (seqs);
  PERFORM 1 FROM search_progress p WHERE p.conversation_id = p_id FOR UPDATE;
  DELETE FROM search_blocks b WHERE b.conversation_id = p_id AND b.last_seq <= upto;
  -- A row of the index that has newer messages, too, keeps the words of these.
  UPDATE search_blocks b
  SET tokens = coalesce((
    SELECT string_agg('''' || replace(replace(t.lexeme, '\', '\\'), '''', '''''') || ''':'
      || array_to_string(t.places, ','), ' ')
    FROM (
      SELECT u.lexeme, ARRAY(
        SELECT n FROM unnest(u.positions) n WHERE b.first_seq + n - 1 > upto) AS places
      FROM unnest(b.tokens) u
    ) t WHERE cardinality(t.places) > 0
  ), '')::tsvector
  WHERE b.conversation_id = p_id AND b.first_seq <= upto;
  RETURN cardinality(seqs);
END
$$;
