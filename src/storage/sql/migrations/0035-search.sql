-- The index of messages' words. A row holds the tokens of up to 64 messages of one conversation that
-- follow each other, each at the position of its message (the first is 1), so that a word is found
-- without a look at the messages of others: the index is asked with the asker's own conversations.
-- What a row says is a hint. Whether a message fits, and who may see it, is judged by its own row.
CREATE TABLE search_blocks (
  conversation_id bigint NOT NULL,
  first_seq       bigint NOT NULL,
  -- The newest message that was looked at for this row.
  last_seq        bigint NOT NULL,
  -- The conversation whose members may read it: in a thread the parent.
  of_id           bigint NOT NULL,
  -- About as many as the tokens take; a row is full before it is too large for a tsvector.
  bytes           int NOT NULL,
  -- The oldest and the newest created_at in it.
  first_at        timestamptz(3) NOT NULL,
  last_at         timestamptz(3) NOT NULL,
  tokens          tsvector NOT NULL,
  PRIMARY KEY (conversation_id, first_seq)
) WITH (fillfactor = 70);
CREATE INDEX search_blocks_of ON search_blocks (of_id);

-- Up to which rev of a conversation its messages are in the index.
CREATE TABLE search_progress (
  conversation_id bigint PRIMARY KEY,
  rev             bigint NOT NULL
) WITH (fillfactor = 50);

-- Another epoch: the index was emptied, and is built again.
CREATE TABLE search_state (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch    bigint NOT NULL DEFAULT 1
);
INSERT INTO search_state DEFAULT VALUES;
