-- Push messages. A message that may be pushed is in push_feed, then for each reader in push_pending
-- while it is decided, then for each device in push_sends until it was delivered: each step is one
-- transaction, so that a host that is killed loses nothing and does nothing twice.

CREATE TABLE push_devices (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id      bigint NOT NULL REFERENCES users (id),
  device_id    text COLLATE "C" NOT NULL,
  provider     text COLLATE "C" NOT NULL CHECK (provider IN ('webpush', 'fcm', 'apns')),
  -- The endpoint of a subscription, or the token.
  address      text COLLATE "C" NOT NULL,
  address_hash text COLLATE "C" NOT NULL,
  -- The subscription's keys: {p256dh, auth}.
  keys         json,
  locale       text,
  tz           text,
  -- The login that registered it; null: a token that belongs to no login.
  family_id    bigint REFERENCES refresh_families (id) ON DELETE CASCADE,
  created_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  updated_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (user_id, device_id)
);
-- A token that is seen for another user moves there.
CREATE UNIQUE INDEX push_devices_address ON push_devices (address_hash);
CREATE INDEX push_devices_family ON push_devices (family_id) WHERE family_id IS NOT NULL;

CREATE TABLE push_settings (
  user_id       bigint PRIMARY KEY REFERENCES users (id),
  level         text COLLATE "C",
  snoozed_until timestamptz(3),
  quiet_hours   json,
  content       text COLLATE "C"
);

CREATE TABLE push_keys (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  public   text NOT NULL,
  private  text NOT NULL
);

-- What happened: a message (conversation_id, seq), a notification (user_id, seq is its id), or that
-- something was read which had been pushed (user_id, conversation_id).
CREATE TABLE push_feed (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind            text COLLATE "C" NOT NULL,
  user_id         bigint,
  conversation_id bigint,
  seq             bigint,
  at              timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX push_feed_at ON push_feed (at);

-- At most one of a user and conversation, or of a notification (then conversation_id is 0 and
-- first_seq its id; of a conversation notification_id is 0).
CREATE TABLE push_pending (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  notification_id bigint NOT NULL,
  first_seq       bigint NOT NULL,
  seq             bigint NOT NULL,
  first_at        timestamptz(3) NOT NULL,
  due_at          timestamptz(3) NOT NULL,
  -- A session is online: it waits for it to read, or to end.
  is_held         boolean NOT NULL DEFAULT false,
  PRIMARY KEY (user_id, conversation_id, notification_id)
) WITH (fillfactor = 70);
CREATE INDEX push_pending_due ON push_pending (due_at);

CREATE TABLE push_sends (
  device          bigint NOT NULL REFERENCES push_devices (id) ON DELETE CASCADE,
  -- message, notification or read.
  kind            text COLLATE "C" NOT NULL,
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  notification_id bigint NOT NULL,
  first_seq       bigint NOT NULL,
  seq             bigint NOT NULL,
  since           timestamptz(3) NOT NULL,
  due_at          timestamptz(3) NOT NULL,
  attempts        int NOT NULL DEFAULT 0,
  -- A host is sending it. After that time it has died.
  claimed_until   timestamptz(3),
  PRIMARY KEY (device, kind, conversation_id, notification_id)
) WITH (fillfactor = 70);
CREATE INDEX push_sends_due ON push_sends (due_at);
CREATE INDEX push_sends_user ON push_sends (user_id);

-- The newest message that a user's devices of FCM and APNs show, as far as it is known.
CREATE TABLE push_shown (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  at              timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (user_id, conversation_id)
);
CREATE INDEX push_shown_at ON push_shown (at);

CREATE TABLE push_decisions (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id         bigint NOT NULL,
  at              timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  kind            text COLLATE "C" NOT NULL,
  conversation_id bigint,
  seq             bigint,
  notification_id bigint,
  device_id       text,
  reason          text COLLATE "C" NOT NULL,
  detail          text
);
CREATE INDEX push_decisions_user ON push_decisions (user_id, id);

-- Their texts are in sql/functions.
CREATE FUNCTION forget_devices_of_login() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION forget_devices_of_user() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER login_ended AFTER UPDATE OF revoked_at ON refresh_families
  FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
  EXECUTE FUNCTION forget_devices_of_login();
CREATE TRIGGER tokens_cut AFTER UPDATE OF tokens_cut_at ON users
  FOR EACH ROW WHEN (OLD.tokens_cut_at IS DISTINCT FROM NEW.tokens_cut_at)
  EXECUTE FUNCTION forget_devices_of_user();
