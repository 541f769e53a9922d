-- Events of messages that were added; a trigger of event_triggers.
CREATE OR REPLACE FUNCTION log_new_messages() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  PERFORM log_events((
    SELECT array_agg(outside_event('message.created', 'conversation:' || m.conversation_id, m.rev,
      m.sender_id::text, '{"message":' || message_text(m) || '}')
      ORDER BY m.conversation_id, m.rev)
    FROM added a JOIN messages m ON m.conversation_id = a.conversation_id AND m.seq = a.seq));
  RETURN NULL;
END
$$;
