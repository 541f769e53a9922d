-- Events of posts that were made, changed or deleted; counts are no change of a post. A trigger of
-- event_triggers, for each row.
CREATE OR REPLACE FUNCTION log_posts() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  counts constant text[] := ARRAY['like_count', 'comment_count'];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF to_jsonb(NEW) - counts = to_jsonb(OLD) - counts THEN
      RETURN NULL;
    END IF;
  END IF;
  -- No like of a post comes after its deletion.
  PERFORM log_events(CASE WHEN NEW.deleted_at IS NOT NULL
    THEN coalesce(gathered_likes(ARRAY[NEW.id]), '{}') ELSE '{}' END || ARRAY[outside_event(
    CASE
      WHEN TG_OP = 'INSERT' THEN 'post.created'
      WHEN NEW.deleted_at IS NOT NULL THEN 'post.deleted'
      ELSE 'post.updated'
    END, 'post:' || NEW.id, NULL, NEW.author_id::text,
    json_build_object('post', CASE
      WHEN NEW.file_ids IS NULL THEN row_to_json(NEW)
      ELSE (to_jsonb(NEW) || jsonb_build_object('attachments', post_files(NEW.file_ids)))::json
    END)::text)]);
  RETURN NULL;
END
$$;
