-- Events of users who were made or changed. A trigger of event_triggers, for each row.
CREATE OR REPLACE FUNCTION log_users() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  key constant text := 'user:' || NEW.id;
  shown constant text := json_build_object('user', json_build_object(
    'id', NEW.id::text, 'username', NEW.username, 'display_name', NEW.display_name,
    'image_url', NEW.image_url, 'data', NEW.data, 'trusted', NEW.trusted,
    'external_id', NEW.external_id, 'created_at', NEW.created_at))::text;
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM log_events(ARRAY[outside_event('user.created', key, NULL, NULL, shown)]);
    RETURN NULL;
  END IF;
  IF NEW.erased_at IS NOT NULL THEN
    IF OLD.erased_at IS NULL THEN
      PERFORM log_events(ARRAY[outside_event('user.erased', key, NULL, NULL,
        json_build_object('user', json_build_object('id', NEW.id::text))::text)]);
    END IF;
    RETURN NULL;
  END IF;
  IF (NEW.username, NEW.display_name, NEW.image_url, NEW.data, NEW.trusted, NEW.external_id)
    IS DISTINCT FROM
    (OLD.username, OLD.display_name, OLD.image_url, OLD.data, OLD.trusted, OLD.external_id) THEN
    PERFORM log_events(ARRAY[outside_event('user.updated', key, NULL, NULL, shown)]);
  END IF;
  IF (NEW.suspended_at IS NULL) <> (OLD.suspended_at IS NULL) THEN
    PERFORM log_events(ARRAY[outside_event(
      CASE WHEN NEW.suspended_at IS NULL THEN 'user.updated' ELSE 'user.suspended' END, key, NULL,
      NULL, left(shown, -1) || ',"suspended":' || (NEW.suspended_at IS NOT NULL) || '}')]);
  END IF;
  IF NEW.last_seen_at IS DISTINCT FROM OLD.last_seen_at AND NEW.last_seen_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM event_log_state s WHERE s.has_presence) THEN
    PERFORM log_events(ARRAY[outside_event(
      CASE WHEN shows_presence(NEW.id) THEN 'user.offline' ELSE 'hidden.offline' END, key, NULL, NEW.id::text,
      json_build_object('status', json_build_object('user_id', NEW.id::text, 'status', 'offline',
        'last_seen_at', iso_time(NEW.last_seen_at)))::text)]);
  END IF;
  RETURN NULL;
END
$$;
