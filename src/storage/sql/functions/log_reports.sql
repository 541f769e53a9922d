-- Events of new reports; their key is that of the subject. A trigger of event_triggers, for each row.
CREATE OR REPLACE FUNCTION log_reports() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM log_events(ARRAY[outside_event('report.created',
    coalesce('conversation:' || (NEW.subject->>'conversation_id'),
      'user:' || (NEW.subject->>'user_id'), 'post:' || (NEW.subject->>'post_id'),
      'post:' || (NEW.content->>'post_id'), 'user:' || NEW.author_id),
    NULL, NEW.reporter_id::text, json_build_object('report', json_build_object(
      'id', NEW.id::text, 'state', 'open', 'subject', NEW.subject,
      'author_id', NEW.author_id::text, 'reporter_id', NEW.reporter_id::text, 'rule', NEW.rule,
      'reason', NEW.reason, 'note', NEW.note, 'content', NEW.content,
      'created_at', iso_time(NEW.created_at), 'action', NULL, 'resolution_note', NULL,
      'resolved_by', NULL, 'resolved_at', NULL))::text)]);
  RETURN NULL;
END
$$;
