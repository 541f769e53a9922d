-- Edits a message, or deletes it where p_body is null. A deleted message cannot be edited
-- (conflict); deleting it again changes nothing.
-- outcome: ok, not_found, message_not_found, forbidden (p_by is not the sender), apart (an edit
-- under a block), conflict.
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
-- message: as it is afterwards, as message_text writes it.
-- It stands for change_message, which the migrations still make: hosts of the version before call
-- that one while a deploy rolls. A later migration may drop it.
CREATE OR REPLACE FUNCTION revise_message(p_id bigint, p_seq bigint, p_by bigint, p_body text)
RETURNS TABLE (outcome text, changed boolean, message text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_apart boolean;
  next_rev bigint;
  found_sender bigint;
  found_deleted boolean;
BEGIN
  SELECT c.rev + 1 INTO next_rev FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT k.apart INTO found_apart FROM conversation_members k
  WHERE k.conversation_id = p_id AND k.user_id = p_by;
  SELECT m.sender_id, m.deleted_at IS NOT NULL INTO found_sender, found_deleted
  FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
  outcome := CASE
    WHEN found_apart IS NULL THEN 'not_found'
    WHEN found_sender IS NULL THEN 'message_not_found'
    WHEN found_sender <> p_by THEN 'forbidden'
    WHEN p_body IS NOT NULL AND found_apart THEN 'apart'
    WHEN found_deleted AND p_body IS NOT NULL THEN 'conflict'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  changed := NOT found_deleted;
  IF changed THEN
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
    INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at)
    SELECT m.conversation_id, m.rev, m.seq, m.body, m.edited_at
    FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
    IF p_body IS NULL THEN
      DELETE FROM message_reactions r WHERE r.conversation_id = p_id AND r.seq = p_seq;
      UPDATE messages m
      SET rev = next_rev, body = '', deleted_at = clock_timestamp(), reactions = NULL
      WHERE m.conversation_id = p_id AND m.seq = p_seq;
    ELSE
      UPDATE messages m SET rev = next_rev, body = p_body, edited_at = clock_timestamp()
      WHERE m.conversation_id = p_id AND m.seq = p_seq;
    END IF;
  END IF;
  RETURN QUERY
  SELECT outcome, changed, message_text(m) FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
END
$$;
