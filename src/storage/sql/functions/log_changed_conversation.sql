-- Events of a change of a conversation's title, settings or members, which share its rev. A trigger
-- of event_triggers on conversation_changes, where each such change has its row.
CREATE OR REPLACE FUNCTION log_changed_conversation() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  actor constant text := current_setting('troupe.actor', true);
  key constant text := 'conversation:' || NEW.conversation_id;
  events json[] := '{}';
  now_row conversation_rows;
  deleted timestamptz;
  member record;
BEGIN
  SELECT r.* INTO now_row FROM conversation_rows r WHERE r.id = NEW.conversation_id;
  SELECT c.deleted_at INTO deleted FROM conversations c WHERE c.id = NEW.conversation_id;
  IF deleted IS NOT NULL THEN
    PERFORM log_events(ARRAY[outside_event('conversation.deleted', key, NEW.rev, actor,
      json_build_object('conversation', logged_conversation(NEW.conversation_id))::text)]);
    RETURN NULL;
  END IF;
  FOR member IN SELECT r->'member' AS gone, r->'extra' AS extra FROM json_array_elements(NEW.removed) r
  LOOP
    events := events || outside_event('member.removed', key, NEW.rev, actor, json_build_object(
      'conversation_id', NEW.conversation_id::text, 'member', member.gone, 'extra', member.extra)::text);
  END LOOP;
  FOR member IN
    SELECT m.*, m.user_id = ANY (NEW.added_ids) AS is_added FROM conversation_members m
    WHERE m.conversation_id = NEW.conversation_id AND m.user_id = ANY (NEW.added_ids || ARRAY(
      SELECT k.id::bigint FROM json_object_keys(coalesce(NEW.members_before, '{}')) k (id)))
    ORDER BY m.user_id
  LOOP
    events := events || outside_event(
      CASE WHEN member.is_added THEN 'member.added' ELSE 'member.updated' END, key, NEW.rev, actor,
      json_build_object('conversation_id', NEW.conversation_id::text, 'member', json_build_object(
        'user_id', member.user_id::text, 'delivered_seq', member.delivered_seq,
        'read_seq', CASE WHEN member.read_mask IS NULL THEN member.read_seq ELSE 0 END),
      'extra', member.extra)::text);
  END LOOP;
  IF cardinality(events) = 0 OR now_row.title IS DISTINCT FROM NEW.title_before
    OR now_row.owner_id IS DISTINCT FROM NEW.owner_before
    OR now_row.extra::text IS DISTINCT FROM NEW.extra_before::text THEN
    events := array_prepend(outside_event('conversation.updated', key, NEW.rev, actor,
      json_build_object('conversation', logged_conversation(NEW.conversation_id))::text), events);
  END IF;
  PERFORM log_events(events);
  RETURN NULL;
END
$$;
