-- Groups of more than 100 members are shown without all of them, and changes of title and members
-- are gathered: several members may be removed by one.

-- Kept by the functions that add and remove members, under the conversation's lock.
ALTER TABLE conversations ADD COLUMN member_count int NOT NULL DEFAULT 0;
UPDATE conversations c SET member_count = (
  SELECT count(*) FROM conversation_members m WHERE m.conversation_id = c.id
);

-- The removed members: [{"member": {user_id, delivered_seq, read_seq}, "place": how many members stood
-- before this one when the change came}].
ALTER TABLE conversation_changes ADD COLUMN removed jsonb NOT NULL DEFAULT '[]';
UPDATE conversation_changes g
SET removed = jsonb_build_array(jsonb_build_object(
  'place', g.removed_place,
  'member', jsonb_build_object('user_id', g.removed_id::text,
    'delivered_seq', g.removed_delivered, 'read_seq', g.removed_read)))
WHERE g.removed_id IS NOT NULL;
ALTER TABLE conversation_changes
  DROP COLUMN removed_id, DROP COLUMN removed_place,
  DROP COLUMN removed_delivered, DROP COLUMN removed_read;

-- Replaced by change_conversation.
DROP FUNCTION IF EXISTS retitle_conversation(bigint, bigint, text);
DROP FUNCTION IF EXISTS add_members(bigint, bigint, bigint[], int);
DROP FUNCTION IF EXISTS remove_member(bigint, bigint, bigint);
