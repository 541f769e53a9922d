-- Users who are erased. The row of the user stays, without a name, for what others' rows refer to.
ALTER TABLE users ADD COLUMN erased_at timestamptz(3);

-- How far each erasure has come, so that another host goes on where one died, and what went, counted
-- in the transactions that took it away.
CREATE TABLE erasures (
  user_id     bigint PRIMARY KEY,
  -- Whether the user's messages are emptied, or stay.
  mode        text COLLATE "C" NOT NULL CHECK (mode IN ('keep', 'erase')),
  step        int NOT NULL DEFAULT 0,
  -- Within the step, rows up to this id are done with.
  after       bigint NOT NULL DEFAULT 0,
  counts      jsonb NOT NULL DEFAULT '{}',
  finished_at timestamptz(3)
);
CREATE INDEX erasures_finished ON erasures (finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX files_owner ON files (user_id, id);
