-- Whether p_user, who chose p_choice, lets p_other see something. Everybody sees their own.
CREATE OR REPLACE FUNCTION lets_see(p_choice text, p_user bigint, p_other bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN p_choice = 'everyone' OR p_user = p_other THEN true
    WHEN p_choice = 'contacts' THEN is_contact(p_user, p_other)
    ELSE false
  END
$$;
