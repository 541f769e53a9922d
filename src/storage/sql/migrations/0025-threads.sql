-- Threads: conversations whose members are their followers, and whose readers are the members of
-- the parent. Nothing is back-filled: every new column is null where there is nothing to say.

ALTER TABLE conversations
  DROP CONSTRAINT conversations_kind_check,
  ADD CONSTRAINT conversations_kind_check
    CHECK (kind IN ('direct', 'group', 'thread', 'channel')) NOT VALID,
  -- The root of a thread.
  ADD COLUMN parent_id bigint,
  ADD COLUMN parent_seq bigint,
  -- How many messages of a thread up to counted_seq are replies: all but system messages and deleted
  -- ones. Later messages are counted with the next summary.
  ADD COLUMN reply_count bigint,
  ADD COLUMN counted_seq bigint;
CREATE UNIQUE INDEX conversations_threads ON conversations (parent_id, parent_seq)
  WHERE parent_id IS NOT NULL;

-- In the row of a follower: the thread's parent, which they are a member of as long as the row is
-- there.
ALTER TABLE conversation_members ADD COLUMN thread_of bigint;
CREATE INDEX conversation_members_threads ON conversation_members (user_id, thread_of)
  WHERE thread_of IS NOT NULL;

-- Threads whose root does not show their newest state. The actors write it within a second; what
-- is still here after due_at, because a worker died, is found by the others.
CREATE TABLE thread_summaries (
  conversation_id bigint PRIMARY KEY,
  due_at          timestamptz(3) NOT NULL
);
CREATE INDEX thread_summaries_due ON thread_summaries (due_at);
