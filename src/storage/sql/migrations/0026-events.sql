-- The event log: one row a transaction, written by triggers that exist only while somebody listens
-- (functions event_triggers and set_event_trigger), so that nothing else pays for it.
CREATE TABLE event_log (
  -- Taken while the transaction holds the locks of what it changed, so that for one key it rises in
  -- the order of the commits. Sessions must not cache it.
  id     bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  -- The place in the order in which readers see events, given once the row is committed
  -- (sequence_events), so that a row that commits late is never skipped.
  pos    bigint,
  -- The beginning of the ids of its events.
  uid    text COLLATE "C" NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 20),
  at     timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- {t: type, k: key, r: rev, a: actor, d: what the type holds}.
  events json[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX event_log_new ON event_log (id) WHERE pos IS NULL;
CREATE UNIQUE INDEX event_log_pos ON event_log (pos) WHERE pos IS NOT NULL;

CREATE TABLE event_log_state (
  only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  is_on        boolean NOT NULL DEFAULT false,
  -- Another one at each beginning: cursors carry it.
  epoch        text COLLATE "C" NOT NULL DEFAULT '',
  last_pos     bigint NOT NULL DEFAULT 0,
  -- Rows up to here are not served any more.
  pruned_pos   bigint NOT NULL DEFAULT 0,
  pulled_at    timestamptz(3),
  -- Somebody has named user.online or user.offline.
  has_presence boolean NOT NULL DEFAULT false
);
INSERT INTO event_log_state DEFAULT VALUES;

-- Likes of the last second, which become one event for each post.
CREATE TABLE event_likes (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id  bigint NOT NULL,
  user_id  bigint NOT NULL,
  is_added boolean NOT NULL,
  at       timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX event_likes_post ON event_likes (post_id, id);
CREATE INDEX event_likes_at ON event_likes (at);

CREATE TABLE webhooks (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  url              text NOT NULL,
  types            text[] NOT NULL,
  is_batch         boolean NOT NULL DEFAULT false,
  is_enabled       boolean NOT NULL DEFAULT true,
  secret           text NOT NULL,
  old_secret       text,
  old_secret_until timestamptz(3),
  -- The `sub` of the service token that made it.
  made_by          text NOT NULL,
  -- Rows of the log up to here have been looked at.
  looked_pos       bigint NOT NULL,
  last_ok_at       timestamptz(3),
  created_at       timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

-- The events that a webhook has not been delivered, by key and in the order of the log.
CREATE TABLE webhook_queue (
  webhook_id bigint NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  key        text COLLATE "C" NOT NULL,
  pos        bigint NOT NULL,
  n          int NOT NULL,
  at         timestamptz(3) NOT NULL,
  PRIMARY KEY (webhook_id, key, pos, n)
);
CREATE INDEX webhook_queue_pos ON webhook_queue (pos);
CREATE INDEX webhook_queue_at ON webhook_queue (webhook_id, at);

-- Keys whose next event could not be delivered.
CREATE TABLE webhook_keys (
  webhook_id    bigint NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  key           text COLLATE "C" NOT NULL,
  attempts      int NOT NULL,
  failing_since timestamptz(3) NOT NULL,
  retry_at      timestamptz(3) NOT NULL,
  parked_at     timestamptz(3),
  -- The last event of the batch that is tried again, which stays the same under its id.
  upto_pos      bigint NOT NULL,
  upto_n        int NOT NULL,
  PRIMARY KEY (webhook_id, key)
);
