-- Users who came online, where somebody wants to know. (That they went is a change of their row.) What a
-- user does not show everybody has a type that only services with the scope presence are sent.
CREATE OR REPLACE FUNCTION log_online(p_users bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM event_log_state s WHERE s.is_on AND s.has_presence) THEN
    PERFORM log_events((
      SELECT array_agg(outside_event(
        CASE WHEN shows_presence(u.id) THEN 'user.online' ELSE 'hidden.online' END, 'user:' || u.id, NULL, u.id::text,
        json_build_object('status', json_build_object('user_id', u.id::text, 'status', 'online',
          'last_seen_at', iso_time(u.last_seen_at)))::text) ORDER BY u.id)
      FROM users u WHERE u.id = ANY (p_users)));
  END IF;
END
$$;
