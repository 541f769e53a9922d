-- The place of a membership, for a user who is no member of a channel that anyone may read: a row
-- with which they read as from its beginning. No row for members, for the banned, and for every
-- other conversation.
CREATE OR REPLACE FUNCTION open_reader(p_in conversations, p_reader bigint)
RETURNS SETOF conversation_members
LANGUAGE sql STABLE AS $$
  SELECT r.* FROM jsonb_populate_record(NULL::conversation_members, jsonb_build_object(
    'conversation_id', p_in.id, 'user_id', p_reader, 'delivered_seq', 0, 'read_seq', 0,
    'in_channel', true, 'extra', '{"role": "reader"}'::jsonb)) r
  WHERE p_in.kind = 'channel' AND p_in.extra->>'audience' = 'anyone' AND p_in.deleted_at IS NULL
    AND NOT EXISTS (
      SELECT 1 FROM conversation_members m
      WHERE m.conversation_id = p_in.id AND m.user_id = p_reader)
    AND NOT EXISTS (
      SELECT 1 FROM conversation_bans b
      WHERE b.conversation_id = p_in.id AND b.user_id = p_reader
        AND (b.until IS NULL OR b.until > clock_timestamp()))
$$;
