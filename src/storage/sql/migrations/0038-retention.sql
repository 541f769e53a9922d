-- How long messages are kept.

-- kept_s: what settings.retention_s and RETENTION_DAYS say, of a thread what its parent's say; null:
-- for ever. kept_next_at: no message that is left is older than that before then. Both are set where
-- `extra` is (keep_messages), so that a send writes neither.
ALTER TABLE conversations ADD COLUMN kept_s bigint, ADD COLUMN kept_next_at timestamptz(3);
CREATE INDEX conversations_kept ON conversations (kept_next_at) WHERE kept_next_at IS NOT NULL;

-- The one row has what RETENTION_DAYS said at the last start of a host.
CREATE TABLE retention_cap (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  kept_s  bigint,
  -- Whether all conversations have taken it over.
  is_applied boolean NOT NULL DEFAULT true
);
INSERT INTO retention_cap DEFAULT VALUES;

-- Conversations that still have rows of messages before first_seq.
CREATE TABLE old_messages (conversation_id bigint PRIMARY KEY);

-- Settings of before, which did nothing. A job moves first_seq.
UPDATE conversations c
SET kept_s = (p.extra->'settings'->>'retention_s')::bigint, kept_next_at = clock_timestamp()
FROM conversations p
WHERE p.id = coalesce(c.parent_id, c.id) AND p.extra->'settings'->'retention_s' IS NOT NULL
  AND c.deleted_at IS NULL;

-- Their texts are in sql/functions, which are applied after the migrations; the triggers need them now.
CREATE FUNCTION keep_messages() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION keep_replies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER conversation_kept BEFORE INSERT OR UPDATE OF extra ON conversations
  FOR EACH ROW EXECUTE FUNCTION keep_messages();
CREATE TRIGGER conversation_kept_changed AFTER UPDATE OF extra ON conversations
  FOR EACH ROW WHEN (OLD.kept_s IS DISTINCT FROM NEW.kept_s) EXECUTE FUNCTION keep_replies();
