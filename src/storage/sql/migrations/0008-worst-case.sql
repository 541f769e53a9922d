-- Whatever the statistics say, one conversation may hold nearly all messages, and one user nearly
-- all notifications. Where each has few, the planner would find a row by any index that begins
-- with the conversation, and a send would read all messages of its conversation to look for a
-- duplicate. So its statistics are set to the worst case, in which only the index of all the columns will do.
ALTER TABLE messages
  ALTER COLUMN conversation_id SET (n_distinct = 1),
  ALTER COLUMN client_id SET (n_distinct = -1),
  ALTER COLUMN seq SET (n_distinct = -1),
  ALTER COLUMN rev SET (n_distinct = -1);
ALTER TABLE notifications
  ALTER COLUMN user_id SET (n_distinct = 1),
  ALTER COLUMN id SET (n_distinct = -1),
  ALTER COLUMN seq SET (n_distinct = -1);

-- Not of empty tables: of one that was never looked at the planner assumes some rows, of one that
-- was found empty none.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM messages) THEN
    ANALYZE messages;
  END IF;
  IF EXISTS (SELECT 1 FROM notifications) THEN
    ANALYZE notifications;
  END IF;
END
$$;
