-- What messages have beyond version 1 of the contract, and the arithmetic of unread messages.
-- Nothing is back-filled: every new column is null where there is nothing to say, so that a large
-- database migrates at once.

ALTER TABLE messages
  -- Null in the server's own system messages.
  ALTER COLUMN client_id DROP NOT NULL,
  -- Null in a service's system messages.
  ALTER COLUMN sender_id DROP NOT NULL,
  -- How many messages count as unread up to and with this one; null where that is seq.
  ADD COLUMN n bigint,
  -- The application's own JSON, as it was sent: a number that is written shortly stays short.
  ADD COLUMN data text,
  -- Further keys as the contract writes them: type, silent, mentions, pinned_at, expires_at, …
  ADD COLUMN extra jsonb,
  -- True after any change; null in a message as it was sent.
  ADD COLUMN revised boolean;

ALTER TABLE message_versions
  ADD COLUMN data text, ADD COLUMN extra jsonb, ADD COLUMN revised boolean;

ALTER TABLE conversations
  -- n of the newest message; null where that is last_seq.
  ADD COLUMN last_n bigint,
  -- The first message that is left, and n of the one before it; null where none was taken away.
  ADD COLUMN first_seq bigint,
  ADD COLUMN first_n bigint;

-- As of the change; null where it was last_seq.
ALTER TABLE conversation_changes ADD COLUMN last_n bigint;

ALTER TABLE conversation_members
  -- n at read_seq; null where that is read_seq.
  ADD COLUMN read_n bigint,
  -- What the user has cleared: the first seq that is shown, and n before it.
  ADD COLUMN cleared_before_seq bigint,
  ADD COLUMN cleared_n bigint,
  -- Marked unread: the first seq that counts, and n before it.
  ADD COLUMN unread_from_seq bigint,
  ADD COLUMN unread_from_n bigint;

-- Mentions by the user who is mentioned. A deleted message has none.
CREATE TABLE message_mentions (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  PRIMARY KEY (user_id, conversation_id, seq)
);
CREATE INDEX message_mentions_message ON message_mentions (conversation_id, seq);

CREATE TABLE conversation_pins (
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  pinned_at       timestamptz(3) NOT NULL,
  PRIMARY KEY (conversation_id, seq)
);

-- Messages that the server is to delete.
CREATE TABLE message_expiries (
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  expires_at      timestamptz(3) NOT NULL,
  -- A worker is about to delete it; after this time another may.
  claimed_until   timestamptz(3),
  PRIMARY KEY (conversation_id, seq)
);
CREATE INDEX message_expiries_due ON message_expiries (expires_at);

CREATE OR REPLACE VIEW conversation_rows AS
SELECT c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at,
       m.member_ids, m.member_delivered, m.member_read,
       c.external_id, c.extra, m.member_extras,
       c.last_n, c.first_seq, c.first_n
FROM conversations c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(k.user_id ORDER BY k.joined_at, k.user_id), '{}') AS member_ids,
         coalesce(array_agg(k.delivered_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_delivered,
         coalesce(array_agg(k.read_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_read,
         json_object_agg(k.user_id, k.extra) FILTER (WHERE k.extra IS NOT NULL) AS member_extras
  FROM conversation_members k
  WHERE k.conversation_id = c.id
) m;
