-- Takes over how long a conversation keeps its messages, and moves first_seq to where that stands now.
-- A trigger of conversations, before a row is added or its `extra` is set, under its lock.
CREATE OR REPLACE FUNCTION keep_messages() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  first bigint;
  oldest timestamptz;
BEGIN
  NEW.kept_s := CASE
    WHEN NEW.deleted_at IS NOT NULL THEN NULL
    WHEN NEW.parent_id IS NULL THEN least(
      (NEW.extra->'settings'->>'retention_s')::bigint, (SELECT r.kept_s FROM retention_cap r))
    ELSE (SELECT c.kept_s FROM conversations c WHERE c.id = NEW.parent_id)
  END;
  IF NEW.kept_s IS NULL THEN
    NEW.kept_next_at := NULL;
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    first := kept_from(NEW.id, NEW.kept_s, NEW.first_seq, NEW.last_seq);
    IF first > coalesce(NEW.first_seq, 1) THEN
      NEW.first_n := n_before(NEW.id, first, coalesce(NEW.first_n, 0));
      NEW.first_seq := first;
      INSERT INTO old_messages (conversation_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    END IF;
    SELECT y.created_at INTO oldest FROM messages y
    WHERE y.conversation_id = NEW.id AND y.seq >= first ORDER BY y.seq LIMIT 1;
  END IF;
  -- A message that is sent from now on is kept for at least that long.
  NEW.kept_next_at := coalesce(oldest, clock_timestamp()) + NEW.kept_s * interval '1 second';
  RETURN NEW;
END
$$;
