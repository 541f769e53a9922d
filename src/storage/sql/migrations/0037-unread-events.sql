-- The event message.unread: the members whom it may concern, and those who had it.

-- The event log has been looked at up to here: what was sent before this migration causes no event.
CREATE TABLE unread_looked (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  pos      bigint NOT NULL
);
INSERT INTO unread_looked (pos) SELECT s.last_pos FROM event_log_state s;

CREATE TABLE unread_members (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  -- The first message of the event that waits; null: none waits.
  waiting_seq     bigint,
  is_mention      boolean NOT NULL DEFAULT false,
  -- The last event went up to here: there is no other until the member has read it.
  told_seq        bigint,
  since           timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (user_id, conversation_id)
);
CREATE INDEX unread_members_waiting ON unread_members (user_id) WHERE waiting_seq IS NOT NULL;
CREATE INDEX unread_members_since ON unread_members (since);

-- A user has at most one such event in 15 minutes.
CREATE TABLE unread_turns (
  user_id bigint PRIMARY KEY,
  told_at timestamptz(3)
);
CREATE INDEX unread_turns_told ON unread_turns (told_at);
