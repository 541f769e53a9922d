-- Events of messages that took a further rev: edits, pins, summaries, checkpoints, deletions and
-- reactions. Messages that are emptied together (erase_messages) are one event. A trigger of
-- event_triggers.
CREATE OR REPLACE FUNCTION log_changed_messages() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  actor constant text := current_setting('troupe.actor', true);
  events json[] := '{}';
  change record;
  reaction text;
  message messages;
BEGIN
  FOR change IN
    SELECT a.conversation_id AS id, a.rev, array_agg(a.seq ORDER BY a.seq) AS seqs,
      bool_or(b.deleted_at IS NULL AND a.deleted_at IS NOT NULL) AS is_deletion
    FROM after a JOIN before b ON b.conversation_id = a.conversation_id AND b.seq = a.seq
    WHERE a.rev <> b.rev
    GROUP BY a.conversation_id, a.rev ORDER BY a.conversation_id, a.rev
  LOOP
    IF current_setting('troupe.erasing', true) = 'on' THEN
      events := events || outside_event('messages.erased', 'conversation:' || change.id, change.rev,
        actor, json_build_object('conversation_id', change.id::text, 'rev', change.rev,
          'seqs', change.seqs)::text);
      CONTINUE;
    END IF;
    SELECT m.* INTO message FROM messages m
    WHERE m.conversation_id = change.id AND m.seq = change.seqs[1];
    SELECT g.event INTO reaction FROM reaction_changes g
    WHERE g.conversation_id = change.id AND g.rev = change.rev;
    IF reaction IS NULL THEN
      events := events || outside_event(
        CASE WHEN change.is_deletion THEN 'message.deleted' ELSE 'message.updated' END,
        'conversation:' || change.id, change.rev, actor,
        '{"message":' || message_text(message) || '}');
    ELSE
      events := events || outside_event('reaction.changed', 'conversation:' || change.id,
        change.rev, (
          SELECT CASE WHEN count(DISTINCT c->>'user_id') = 1 THEN min(c->>'user_id') END
          FROM json_array_elements(reaction::json->'changes') c),
        '{"message":' || message_text(message) || ',"reaction":' || reaction || '}');
    END IF;
  END LOOP;
  PERFORM log_events(events);
  RETURN NULL;
END
$$;
