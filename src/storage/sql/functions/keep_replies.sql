-- Threads keep their messages as long as their parent. A trigger of conversations, after `extra` was set.
CREATE OR REPLACE FUNCTION keep_replies() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- In the order in which writers lock them.
  PERFORM 1 FROM conversations c WHERE c.parent_id = NEW.id ORDER BY c.id FOR NO KEY UPDATE;
  UPDATE conversations c SET extra = c.extra WHERE c.parent_id = NEW.id;
  RETURN NULL;
END
$$;
