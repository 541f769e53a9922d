-- What users let others see of them, and who may write to them first or add them.

-- A null is the deployment's default.
CREATE TABLE user_privacy (
  user_id      bigint PRIMARY KEY REFERENCES users,
  presence     text COLLATE "C" CHECK (presence IN ('everyone', 'contacts', 'nobody')),
  last_seen    text COLLATE "C" CHECK (last_seen IN ('everyone', 'contacts', 'nobody')),
  receipts     boolean,
  direct       text COLLATE "C" CHECK (direct IN ('everyone', 'contacts')),
  add_consent  text COLLATE "C" CHECK (add_consent IN ('anyone', 'contacts')),
  discoverable boolean
);

-- The one row has what PRIVACY_DEFAULTS said at the last start of a host.
CREATE TABLE privacy_defaults (
  is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  presence     text COLLATE "C" NOT NULL DEFAULT 'everyone',
  last_seen    text COLLATE "C" NOT NULL DEFAULT 'everyone',
  receipts     boolean NOT NULL DEFAULT true,
  direct       text COLLATE "C" NOT NULL DEFAULT 'everyone',
  add_consent  text COLLATE "C" NOT NULL DEFAULT 'anyone',
  discoverable boolean NOT NULL DEFAULT true
);
INSERT INTO privacy_defaults DEFAULT VALUES;

-- 1: the member hides how far they have read. 2: the other one of the direct conversation does, and
-- so neither sees it of the other. Null: everybody may see it. Kept by set_privacy and mask_reads,
-- so that no read of members looks at the users.
ALTER TABLE conversation_members ADD COLUMN read_mask smallint;
CREATE INDEX conversation_members_masked ON conversation_members (conversation_id)
  WHERE read_mask IS NOT NULL;

-- Its text is in sql/functions, which are applied after the migrations; the trigger needs it now.
CREATE FUNCTION mask_reads() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER membership_begun AFTER INSERT ON conversation_members
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION mask_reads();

CREATE OR REPLACE VIEW conversation_rows AS
SELECT c.id, c.kind, c.title, c.owner_id, c.last_seq, c.rev, c.created_at,
       m.member_ids, m.member_delivered, m.member_read,
       c.external_id, c.extra, m.member_extras,
       c.last_n, c.first_seq, c.first_n
FROM conversations c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(k.user_id ORDER BY k.joined_at, k.user_id), '{}') AS member_ids,
         coalesce(array_agg(k.delivered_seq ORDER BY k.joined_at, k.user_id), '{}') AS member_delivered,
         coalesce(array_agg(CASE WHEN k.read_mask IS NULL THEN k.read_seq ELSE 0 END
           ORDER BY k.joined_at, k.user_id), '{}') AS member_read,
         json_object_agg(k.user_id, k.extra) FILTER (WHERE k.extra IS NOT NULL) AS member_extras
  FROM conversation_members k
  WHERE k.conversation_id = c.id
) m;
