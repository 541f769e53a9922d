-- System messages that services have sent: the same client_id of one token `sub` makes no second
-- one. The rows go with the messages of their conversation.
CREATE TABLE service_messages (
  conversation_id bigint NOT NULL,
  subject         text COLLATE "C" NOT NULL,
  client_id       text COLLATE "C" NOT NULL,
  seq             bigint NOT NULL,
  PRIMARY KEY (conversation_id, subject, client_id)
);
