-- Reports, with copies of what they concern, and the rules by which texts are masked or refused.

CREATE TABLE reports (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- What is reported, as one text: `message:42/3`, `user:7`, `post:9` or `comment:11`.
  subject_key     text COLLATE "C" NOT NULL,
  subject         json NOT NULL,
  -- The user who wrote it, or the user reported; null where nobody is known.
  author_id       bigint,
  -- One of the two: the user who reported it, or the rule that did.
  reporter_id     bigint,
  rule            text COLLATE "C",
  reason          text COLLATE "C" NOT NULL,
  note            text,
  -- The object as it was then.
  content         json NOT NULL,
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Somebody resolves it at this moment: nobody else does until then.
  claimed_until   timestamptz(3),
  resolved_at     timestamptz(3),
  resolved_by     text,
  action          text COLLATE "C",
  resolution_note text,
  CHECK ((reporter_id IS NULL) <> (rule IS NULL))
);
CREATE UNIQUE INDEX reports_reporter ON reports (reporter_id, subject_key)
  WHERE reporter_id IS NOT NULL;
CREATE UNIQUE INDEX reports_rule ON reports (rule, subject_key) WHERE rule IS NOT NULL;
CREATE INDEX reports_open ON reports (id) WHERE resolved_at IS NULL;
CREATE INDEX reports_done ON reports (id) WHERE resolved_at IS NOT NULL;
CREATE INDEX reports_author ON reports (author_id) WHERE author_id IS NOT NULL;

-- One row. Edges look at rev twice a second, and read the rules where it is another.
CREATE TABLE moderation_rules (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  rev     bigint NOT NULL DEFAULT 0,
  rules   json NOT NULL DEFAULT '[]'
);
INSERT INTO moderation_rules DEFAULT VALUES;
