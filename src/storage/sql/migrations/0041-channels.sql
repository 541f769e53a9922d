-- Channels: conversations for audiences, with up to a million members. What reads a whole
-- conversation reads of a channel its owner, admins and moderators alone, by an index that has no
-- other members. `audience` is one of the keys of conversations.extra.

-- In the row of a channel's member, null in every other: so that what concerns a user's other
-- conversations passes these over, and the user's channels are found without the others.
ALTER TABLE conversation_members ADD COLUMN in_channel boolean;
CREATE INDEX conversation_members_channels ON conversation_members (user_id) WHERE in_channel;
CREATE INDEX conversation_members_staff ON conversation_members (conversation_id)
  WHERE extra->>'role' IN ('admin', 'moderator');

CREATE OR REPLACE VIEW conversation_rows AS
SELECT c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at,
       m.member_ids, m.member_delivered, m.member_read,
       c.external_id, c.extra, m.member_extras,
       c.last_n, c.first_seq, c.first_n,
       CASE WHEN c.kind = 'channel' THEN c.member_count END AS channel_members
FROM conversations c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(k.user_id ORDER BY k.joined_at, k.user_id), '{}') AS member_ids,
         coalesce(array_agg(k.delivered_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_delivered,
         coalesce(array_agg(CASE WHEN k.read_mask IS NULL THEN k.read_seq ELSE 0 END
           ORDER BY k.joined_at, k.user_id), '{}') AS member_read,
         json_object_agg(k.user_id, k.extra) FILTER (WHERE k.extra IS NOT NULL) AS member_extras
  FROM (
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = c.id AND c.kind <> 'channel'
    UNION ALL
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = c.id AND c.kind = 'channel' AND y.user_id = c.owner_id
    UNION ALL
    SELECT y.* FROM conversation_members y
    WHERE y.conversation_id = c.id AND c.kind = 'channel'
      AND y.extra->>'role' IN ('admin', 'moderator') AND y.user_id IS DISTINCT FROM c.owner_id
  ) k
) m;
