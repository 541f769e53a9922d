-- Events of members of a channel who come, go or are silenced, which is no change of the channel: they
-- have no rev. A trigger of event_triggers; change_conversation says in troupe.quiet that its rows are
-- such members', and everything else that writes them is not meant.
CREATE OR REPLACE FUNCTION log_quiet_members() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  who constant text := nullif(current_setting('troupe.quiet', true), '');
BEGIN
  IF who IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM log_events((
    SELECT array_agg(outside_event(
      CASE TG_OP WHEN 'INSERT' THEN 'member.added' ELSE 'member.removed' END,
      'conversation:' || c.conversation_id, NULL, nullif(who, '0'), json_build_object(
        'conversation_id', c.conversation_id::text, 'member', json_build_object(
          'user_id', c.user_id::text, 'delivered_seq', c.delivered_seq, 'read_seq',
          CASE WHEN c.read_mask IS NULL THEN c.read_seq ELSE 0 END),
        'extra', c.extra)::text) ORDER BY c.user_id)
    FROM changed c WHERE c.in_channel));
  RETURN NULL;
END
$$;
