-- Writes the text of an open stream as it is now, which takes the next rev of its conversation.
-- p_change: {from: the length in code points that storage is known to have, body: the whole text};
-- with "state" the stream ends in that state, with "data" (JSON text), "names" (the folded names that
-- the body mentions) and "all" (whether it mentions all).
-- outcome: ok, message_not_found, ended (the stream is not open), moved (another activation has
-- written a text of another length).
-- message: as it is afterwards, as message_text writes it; null only where there is none.
-- news: who is mentioned. It locks the conversation's row first: see revise_message.
CREATE OR REPLACE FUNCTION write_stream(p_id bigint, p_seq bigint, p_change json)
RETURNS TABLE (outcome text, message text, news bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  ending constant text := p_change->>'state';
  next_rev bigint;
  before messages;
  new_extra jsonb;
BEGIN
  SELECT c.rev + 1 INTO next_rev
  FROM conversations c WHERE c.id = p_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  SELECT m.* INTO before FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
  outcome := CASE
    WHEN next_rev IS NULL OR before.seq IS NULL THEN 'message_not_found'
    WHEN before.extra->'stream'->>'state' IS DISTINCT FROM 'open' THEN 'ended'
    WHEN char_length(before.body) <> (p_change->>'from')::int THEN 'moved'
    ELSE 'ok'
  END;
  IF outcome = 'ok' THEN
    new_extra := before.extra;
    IF ending IS NOT NULL THEN
      news := mentioned_members(p_id, before.sender_id,
        ARRAY(SELECT t.name FROM json_array_elements_text(p_change->'names') t (name)), 20);
      new_extra := new_extra || jsonb_strip_nulls(jsonb_build_object(
        'stream', jsonb_build_object('state', ending),
        'mentions', news::text[],
        'mention_all', CASE WHEN (p_change->>'all')::boolean THEN true END));
      INSERT INTO message_mentions (user_id, conversation_id, seq)
      SELECT u, p_id, p_seq FROM unnest(news) u;
      DELETE FROM open_streams o WHERE o.conversation_id = p_id AND o.seq = p_seq;
    ELSE
      UPDATE open_streams o SET due_at = clock_timestamp() + interval '3 seconds'
      WHERE o.conversation_id = p_id AND o.seq = p_seq;
    END IF;
    PERFORM set_config('troupe.actor', before.sender_id::text, true);
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
    INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at, data, extra, revised)
    VALUES (p_id, before.rev, p_seq, before.body, before.edited_at, before.data, before.extra,
      before.revised);
    UPDATE messages m
    SET rev = next_rev, revised = true, extra = new_extra, body = p_change->>'body',
      data = coalesce(p_change->>'data', m.data)
    WHERE m.conversation_id = p_id AND m.seq = p_seq;
  END IF;
  message := (SELECT message_text(m) FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq);
  RETURN NEXT;
END
$$;
