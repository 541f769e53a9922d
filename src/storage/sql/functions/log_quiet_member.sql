-- The same of one member whose role, data or silence changed; see log_quiet_members.
CREATE OR REPLACE FUNCTION log_quiet_member() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  who constant text := nullif(current_setting('troupe.quiet', true), '');
BEGIN
  IF who IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM log_events(ARRAY[outside_event(
    'member.updated', 'conversation:' || NEW.conversation_id, NULL, nullif(who, '0'),
    json_build_object(
      'conversation_id', NEW.conversation_id::text, 'member', json_build_object(
        'user_id', NEW.user_id::text, 'delivered_seq', NEW.delivered_seq, 'read_seq',
        CASE WHEN NEW.read_mask IS NULL THEN NEW.read_seq ELSE 0 END),
      'extra', NEW.extra)::text)]);
  RETURN NULL;
END
$$;
