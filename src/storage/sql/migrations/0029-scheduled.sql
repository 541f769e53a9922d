-- Messages that are sent at a later time. A row goes when its message was sent, or never will be.
CREATE TABLE scheduled_messages (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id         bigint NOT NULL REFERENCES users,
  conversation_id bigint NOT NULL,
  client_id       text COLLATE "C" NOT NULL,
  send_at         timestamptz(3) NOT NULL,
  -- Later than send_at where slow mode or a limit delays it.
  due_at          timestamptz(3) NOT NULL,
  body            text NOT NULL,
  reply_to_seq    bigint,
  -- Further keys as the sender gave them: type, data, silent, expire_in_s.
  content         json NOT NULL DEFAULT '{}',
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- A worker is sending it; after this time another may.
  claimed_until   timestamptz(3),
  UNIQUE (conversation_id, user_id, client_id)
);
CREATE INDEX scheduled_messages_due ON scheduled_messages (due_at);
CREATE INDEX scheduled_messages_user ON scheduled_messages (user_id, send_at, id);
CREATE INDEX scheduled_messages_order ON scheduled_messages (conversation_id, send_at, id);
