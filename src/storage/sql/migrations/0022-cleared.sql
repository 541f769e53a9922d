-- The few members who have cleared what is older, for a conversation's actor.
CREATE INDEX conversation_members_cleared ON conversation_members (conversation_id)
  WHERE cleared_before_seq IS NOT NULL;
