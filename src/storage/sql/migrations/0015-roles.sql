-- Data, settings, permissions and names of conversations; roles, data and silence of members;
-- bans, invitations, and conversations that are deleted.

-- What a conversation has beside members and title: {data, image_url, settings, permissions,
-- meta_rev}, each left out where it has nothing to say; null for none of it, as for all that were
-- made before. It is json and not jsonb, because the application's numbers come back as they were
-- written, and take no more room than they did.
ALTER TABLE conversations
  ADD COLUMN external_id text COLLATE "C",
  ADD COLUMN extra json,
  -- Its members are gone since then; its messages are removed in the background.
  ADD COLUMN deleted_at timestamptz(3);
CREATE UNIQUE INDEX conversations_external ON conversations (external_id)
  WHERE external_id IS NOT NULL;
CREATE INDEX conversations_deleted ON conversations (deleted_at) WHERE deleted_at IS NOT NULL;

-- {role, data, silenced_until, visible_from_seq}, null for none of it.
ALTER TABLE conversation_members
  ADD COLUMN extra json,
  -- Repeated here for the reads that are clamped to it.
  ADD COLUMN visible_from_seq bigint;

ALTER TABLE conversation_changes
  ALTER COLUMN removed DROP DEFAULT,
  ALTER COLUMN removed TYPE json USING removed::json,
  ALTER COLUMN removed SET DEFAULT '[]',
  ADD COLUMN extra_before json,
  -- The extra of each member whose extra changed, as it was: {user_id: extra | null}.
  ADD COLUMN members_before json;

CREATE TABLE conversation_bans (
  conversation_id bigint NOT NULL REFERENCES conversations,
  user_id         bigint NOT NULL REFERENCES users,
  banned_by       bigint,
  until           timestamptz(3),
  reason          text,
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, user_id)
);

CREATE TABLE conversation_invites (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation_id bigint NOT NULL REFERENCES conversations,
  inviter_id      bigint NOT NULL REFERENCES users,
  -- SHA-256 of the token, hex.
  token_hash      text COLLATE "C" NOT NULL UNIQUE,
  -- Null: the lower of member and the inviter's own at the moment of acceptance.
  role            text COLLATE "C",
  max_uses        int,
  uses            int NOT NULL DEFAULT 0,
  expires_at      timestamptz(3) NOT NULL,
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX conversation_invites_conversation ON conversation_invites (conversation_id, id);
CREATE INDEX conversation_invites_expires ON conversation_invites (expires_at);

CREATE OR REPLACE VIEW conversation_rows AS
SELECT c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at,
       m.member_ids, m.member_delivered, m.member_read,
       c.external_id, c.extra, m.member_extras
FROM conversations c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(k.user_id ORDER BY k.joined_at, k.user_id), '{}') AS member_ids,
         coalesce(array_agg(k.delivered_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_delivered,
         coalesce(array_agg(k.read_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_read,
         json_object_agg(k.user_id, k.extra) FILTER (WHERE k.extra IS NOT NULL) AS member_extras
  FROM conversation_members k
  WHERE k.conversation_id = c.id
) m;
