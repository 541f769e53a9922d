-- When a member was last active in a conversation by their own doing: sent, read, joined or made
-- it. Sends and marks write it into the row that they write anyway. No index holds it, so that
-- they update the row in place (HOT); what opens a session walks all memberships of its user for
-- the unread ones in any case. Null for what happened before this migration: such conversations
-- rank by whether the member has read there.
ALTER TABLE conversation_members ADD COLUMN own_activity_at timestamptz(3);

-- Users who left a group by themselves: they are not added to it again.
CREATE TABLE conversation_leavers (
  conversation_id bigint NOT NULL REFERENCES conversations,
  user_id         bigint NOT NULL REFERENCES users,
  left_at         timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, user_id)
);

-- Finds the users whom a user followed last, without reading all whom they follow.
CREATE INDEX follows_newest ON follows (follower_id, created_at DESC, followee_id);
