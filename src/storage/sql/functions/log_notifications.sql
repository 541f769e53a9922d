-- Events of new notifications; their key is the reader's. A trigger of event_triggers.
CREATE OR REPLACE FUNCTION log_notifications() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log_events((
    SELECT array_agg(outside_event('notification.created', 'user:' || c.user_id, NULL,
      c.actor_id::text, json_build_object('notification', row_to_json(c))::text)
      ORDER BY c.user_id, c.seq)
    FROM changed c));
  RETURN NULL;
END
$$;
