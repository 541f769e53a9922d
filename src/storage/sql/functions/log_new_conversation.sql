-- The event of a conversation that was made. It is logged at the end of its transaction, when the
-- members are there, and comes before what else that transaction did in it. A trigger of
-- event_triggers.
CREATE OR REPLACE FUNCTION log_new_conversation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log_events(ARRAY[outside_event('conversation.created', 'conversation:' || NEW.id, 1,
    coalesce(current_setting('troupe.actor', true), NEW.owner_id::text),
    json_build_object('conversation', logged_conversation(NEW.id))::text)], true);
  RETURN NULL;
END
$$;
