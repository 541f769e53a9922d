-- Work off the hot path: each job runs once over all hosts, also after a crash. A runner holds a job by
-- a lease that it renews; the job of a runner that died is taken by another when the lease ends.
CREATE TABLE jobs (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text COLLATE "C" NOT NULL,
  -- One job of a kind and key waits or runs at a time; null: no such tie.
  key         text COLLATE "C",
  args        json NOT NULL DEFAULT '{}',
  state       text COLLATE "C" NOT NULL DEFAULT 'waiting'
    CHECK (state IN ('waiting', 'running', 'done', 'failed')),
  run_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- Runs since the last one that ended well.
  attempts    int NOT NULL DEFAULT 0,
  -- It was asked for again while it ran.
  is_again    boolean NOT NULL DEFAULT false,
  holder      text COLLATE "C",
  lease_until timestamptz(3),
  progress    json,
  result      json,
  error       json,
  -- The one who may read it (`user:7`, `service:shop`); null: it is Troupe's own and goes when it is done.
  asked_by    text COLLATE "C",
  created_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz(3)
);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key)
  WHERE key IS NOT NULL AND state IN ('waiting', 'running');
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
