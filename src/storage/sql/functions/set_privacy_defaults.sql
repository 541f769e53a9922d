-- Sets what holds for users who have not chosen themselves. Where that turns receipts on or off,
-- the members of all conversations are gone through once. True: something is another now.
CREATE OR REPLACE FUNCTION set_privacy_defaults(p_defaults json) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  before privacy_defaults;
  after privacy_defaults;
BEGIN
  SELECT * INTO before FROM privacy_defaults FOR UPDATE;
  after := json_populate_record(before, p_defaults);
  IF after IS NOT DISTINCT FROM before THEN
    RETURN false;
  END IF;
  UPDATE privacy_defaults
  SET presence = after.presence, last_seen = after.last_seen, receipts = after.receipts,
    direct = after.direct, add_consent = after.add_consent, discoverable = after.discoverable;
  IF after.receipts <> before.receipts THEN
    UPDATE conversation_members m SET read_mask = read_mask_of(m.conversation_id, m.user_id)
    WHERE m.read_mask IS DISTINCT FROM read_mask_of(m.conversation_id, m.user_id);
  END IF;
  RETURN true;
END
$$;
