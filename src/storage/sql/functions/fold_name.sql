-- A name or what is searched for, so that case, width and accents make no difference. It depends on
-- no locale for letters of Latin scripts.
CREATE OR REPLACE FUNCTION fold_name(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT replace(replace(replace(translate(
    lower(regexp_replace(normalize(p_text, NFKD), '[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff]', '', 'g')),
    'øØłŁđĐðÐħĦıς', 'oollddddhhiσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
$$;
