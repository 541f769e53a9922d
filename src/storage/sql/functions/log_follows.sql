-- Events of follows that began or ended. A trigger of event_triggers.
CREATE OR REPLACE FUNCTION log_follows() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log_events((
    SELECT array_agg(outside_event(
      CASE WHEN TG_OP = 'INSERT' THEN 'follow.added' ELSE 'follow.removed' END,
      'user:' || c.follower_id, NULL, c.follower_id::text, json_build_object('follow',
        json_build_object('follower_id', c.follower_id::text, 'user_id', c.followee_id::text,
          'following', TG_OP = 'INSERT'))::text) ORDER BY c.follower_id, c.followee_id)
    FROM changed c));
  RETURN NULL;
END
$$;
