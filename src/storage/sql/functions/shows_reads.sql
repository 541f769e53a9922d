-- Whether a user lets others see how far they have read.
CREATE OR REPLACE FUNCTION shows_reads(p_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT coalesce(
    (SELECT p.receipts FROM user_privacy p WHERE p.user_id = p_user),
    (SELECT d.receipts FROM privacy_defaults d))
$$;
