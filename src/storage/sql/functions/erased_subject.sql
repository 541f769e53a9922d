-- What stands in the place of an outside issuer's subject when that user is erased: a keyed hash, by
-- which the subject is recognized and not known.
CREATE OR REPLACE FUNCTION erased_subject(p_issuer text, p_subject text) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT 'erased:' || encode(name_hash(p_issuer || E'\n' || p_subject), 'hex')
$$;
