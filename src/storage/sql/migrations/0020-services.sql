-- Back ends: their tokens, and what they changed.

CREATE TABLE service_tokens (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  jti        text COLLATE "C" NOT NULL UNIQUE,
  subject    text COLLATE "C" NOT NULL,
  scope      text COLLATE "C" NOT NULL,
  created_at timestamptz(3) NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  revoked_at timestamptz(3)
);
CREATE INDEX service_tokens_revoked ON service_tokens (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX service_tokens_expires ON service_tokens (expires_at);

-- Rows of one token, act and minute are one where `minute` is set: sends would be one row each.
CREATE TABLE audit_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  actor      text NOT NULL,
  token      text COLLATE "C",
  acting_for bigint,
  act        text COLLATE "C" NOT NULL,
  target     text COLLATE "C",
  reason     text,
  changed    text[] NOT NULL DEFAULT '{}',
  count      integer NOT NULL DEFAULT 1,
  minute     timestamptz
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_target ON audit_log (target, id) WHERE target IS NOT NULL;
CREATE UNIQUE INDEX audit_log_gathered ON audit_log (token, act, minute)
  WHERE minute IS NOT NULL;

-- Every token of a user that was issued until then is refused.
ALTER TABLE users ADD COLUMN tokens_cut_at timestamptz(3);
CREATE INDEX users_tokens_cut ON users (tokens_cut_at) WHERE tokens_cut_at IS NOT NULL;

-- The application's own name for a user, and what the user or the application says of them.
ALTER TABLE users
  ADD COLUMN external_id text COLLATE "C",
  ADD COLUMN image_url   text,
  ADD COLUMN data        jsonb,
  -- Written by services only.
  ADD COLUMN trusted     jsonb,
  -- When the user last took another username.
  ADD COLUMN renamed_at  timestamptz(3);
CREATE UNIQUE INDEX users_external ON users (external_id) WHERE external_id IS NOT NULL;

-- Usernames that nobody else may take for a while: SHA-256 of the cluster's secret and the name, so
-- that the name of an erased user is not kept.
CREATE TABLE reserved_names (
  name_hash bytea PRIMARY KEY,
  -- The user that may take it back; null: nobody.
  user_id   bigint,
  until     timestamptz(3) NOT NULL
);
CREATE INDEX reserved_names_until ON reserved_names (until);
