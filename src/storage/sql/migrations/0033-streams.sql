-- Streamed messages that are open. A row goes with the end of its stream.
CREATE TABLE open_streams (
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  -- After this moment a worker activates the actor of the conversation, which holds the stream.
  due_at          timestamptz(3) NOT NULL,
  PRIMARY KEY (conversation_id, seq)
);
CREATE INDEX open_streams_due ON open_streams (due_at);
