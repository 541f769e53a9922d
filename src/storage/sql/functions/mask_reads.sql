-- New members who hide how far they have read do so here, too. Where nobody among them does, it is
-- one lookup of all of them by an index.
CREATE OR REPLACE FUNCTION mask_reads() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM privacy_defaults d WHERE NOT d.receipts) OR EXISTS (
    SELECT 1 FROM added a JOIN user_privacy p ON p.user_id = a.user_id WHERE NOT p.receipts
  ) THEN
    UPDATE conversation_members m
    SET read_mask = read_mask_of(m.conversation_id, m.user_id)
    FROM added a WHERE m.conversation_id = a.conversation_id AND m.user_id = a.user_id;
  END IF;
  RETURN NULL;
END
$$;
