-- Marks the notifications of a user up to seq p_up_to as read; answers how many are unread.
CREATE OR REPLACE FUNCTION mark_notifications_read(p_user bigint, p_up_to bigint)
RETURNS TABLE (unread bigint, changed boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  -- One that grows at this moment either is read here first or keeps its new seq unread.
  PERFORM 1 FROM notification_counters k WHERE k.user_id = p_user FOR NO KEY UPDATE;
  UPDATE notifications o SET read_at = clock_timestamp()
  WHERE o.user_id = p_user AND o.seq <= p_up_to AND o.read_at IS NULL;
  changed := FOUND;
  SELECT count(*) INTO unread FROM notifications o
  WHERE o.user_id = p_user AND o.read_at IS NULL;
  RETURN NEXT;
END
$$;
