-- Events of comments that were made or deleted. A trigger of event_triggers.
CREATE OR REPLACE FUNCTION log_comments() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log_events((
    SELECT array_agg(outside_event(
      CASE WHEN TG_OP = 'INSERT' THEN 'comment.created' ELSE 'comment.deleted' END,
      'post:' || c.post_id, NULL,
      CASE WHEN TG_OP = 'INSERT' THEN c.author_id::text ELSE current_setting('troupe.actor', true) END,
      json_build_object('comment', row_to_json(c))::text) ORDER BY c.id)
    FROM changed c));
  RETURN NULL;
END
$$;
