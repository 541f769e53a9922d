-- The members of a conversation who may not see all of it: edges look for them as they begin to
-- receive its events.
CREATE INDEX conversation_members_visible ON conversation_members (conversation_id)
  WHERE visible_from_seq IS NOT NULL;
