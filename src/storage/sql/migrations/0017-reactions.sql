-- Reactions: a row for each user and key of a message, and beside the message its summary, the
-- JSON text of the contract's `reactions`. Null: the message never had one; empty: it has none now.
ALTER TABLE messages ADD COLUMN reactions text;

-- No foreign keys, as of messages. Ids rise in the order in which a message's reactions were made.
CREATE TABLE message_reactions (
  conversation_id bigint NOT NULL,
  user_id         bigint NOT NULL,
  seq             bigint NOT NULL,
  key             text COLLATE "C" NOT NULL,
  id              bigint GENERATED ALWAYS AS IDENTITY,
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- In this order for one user's reactions to the messages of a page.
  PRIMARY KEY (conversation_id, user_id, seq, key)
);
CREATE UNIQUE INDEX message_reactions_key ON message_reactions (conversation_id, seq, key, id);
ALTER TABLE message_reactions ALTER COLUMN conversation_id SET (n_distinct = 1);

-- What one flush of reactions changed, as the event `reaction` tells it, so that a repair can tell
-- it again. Kept for less than an hour, as message_versions are. Where a message was at such a rev
-- before its next change, no version of it is kept: this row stands for it.
CREATE TABLE reaction_changes (
  conversation_id bigint NOT NULL,
  rev             bigint NOT NULL,
  seq             bigint NOT NULL,
  event           text NOT NULL,
  changed_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, rev)
);
CREATE INDEX reaction_changes_changed ON reaction_changes (changed_at);
