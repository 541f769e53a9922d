-- Pages of a channel's members in the order in which they joined, of all and of one role: a page
-- reads its own rows and no others. Groups have few members and need no index of these.
CREATE INDEX IF NOT EXISTS conversation_members_joined ON conversation_members
  (conversation_id, joined_at, user_id) WHERE in_channel;
CREATE INDEX IF NOT EXISTS conversation_members_role ON conversation_members
  (conversation_id, (coalesce(extra->>'role', 'member')), joined_at, user_id) WHERE in_channel;
