-- Users whose conversations, follows or blocks changed, and when. Edges receive such a change as an
-- event to the user. Where the worker that would have published it died first, or the event was
-- lost, they find the users here. Rows are kept for an hour at most (postgres/pruning.ts).
CREATE TABLE user_changes (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  changed_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  user_ids   bigint[] NOT NULL
);
CREATE INDEX user_changes_changed ON user_changes (changed_at);
