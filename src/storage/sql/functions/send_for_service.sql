-- Sends a system message of a service: it has no sender, does not count as unread and moves nobody's
-- cursors. p_message: {client_id, body, and where they have something to say reply_to_seq, data (as
-- JSON text), silent, expire_in_s}. p_subject: the `sub` of the service's token; one client_id of one
-- subject makes one message.
-- outcome: ok, not_found (no such conversation), no_reply (there is no message reply_to_seq).
-- changed: false where the client_id was seen; message is the first one then, as it is now.
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: seq and rev are taken under that lock.
CREATE OR REPLACE FUNCTION send_for_service(p_id bigint, p_subject text, p_message json)
RETURNS TABLE (outcome text, changed boolean, message text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found conversations;
  moment timestamptz(3);
  sent_seq bigint;
  expires timestamptz(3);
BEGIN
  SELECT c.* INTO found FROM conversations c
  WHERE c.id = p_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  moment := clock_timestamp();
  SELECT s.seq INTO sent_seq FROM service_messages s
  WHERE s.conversation_id = p_id AND s.subject = p_subject
    AND s.client_id = p_message->>'client_id';
  outcome := CASE
    WHEN found.id IS NULL THEN 'not_found'
    WHEN sent_seq IS NULL AND ((p_message->>'reply_to_seq')::bigint > found.last_seq
      OR (p_message->>'reply_to_seq')::bigint < kept_of(found)) THEN 'no_reply'
    ELSE 'ok'
  END;
  changed := outcome = 'ok' AND sent_seq IS NULL;
  IF changed THEN
    PERFORM set_config('troupe.service', p_subject, true);
    sent_seq := found.last_seq + 1;
    expires := moment + (p_message->>'expire_in_s')::int * interval '1 second';
    INSERT INTO messages
      (conversation_id, seq, id, rev, client_id, body, reply_to_seq, created_at, n, data, extra)
    VALUES (
      p_id, sent_seq, nextval('messages_id_seq'), found.rev + 1, p_message->>'client_id',
      p_message->>'body', (p_message->>'reply_to_seq')::bigint, moment,
      coalesce(found.last_n, found.last_seq), p_message->>'data',
      jsonb_strip_nulls(jsonb_build_object(
        'type', 'system', 'silent', (p_message->>'silent')::boolean,
        'expires_at', iso_time(expires))));
    INSERT INTO service_messages (conversation_id, subject, client_id, seq)
    VALUES (p_id, p_subject, p_message->>'client_id', sent_seq);
    IF expires IS NOT NULL THEN
      INSERT INTO message_expiries (conversation_id, seq, expires_at)
      VALUES (p_id, sent_seq, expires);
    END IF;
    UPDATE conversations c
    SET last_seq = sent_seq, rev = found.rev + 1,
      last_n = coalesce(found.last_n, found.last_seq), last_activity_at = moment
    WHERE c.id = p_id;
  END IF;
  RETURN QUERY
  SELECT outcome, changed, message_text(m)
  FROM (SELECT 1) one LEFT JOIN messages m ON m.conversation_id = p_id AND m.seq = sent_seq;
END
$$;
