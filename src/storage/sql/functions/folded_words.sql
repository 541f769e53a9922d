-- The words of a text with one space between them, folded: without case, width and accents. A word
-- ends at white space and punctuation. The twin of foldedWords in src/storage/memory/folding.ts.
CREATE OR REPLACE FUNCTION folded_words(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT trim(regexp_replace(
    replace(translate(
      lower(regexp_replace(normalize(p_text, NFKD), '[\u0300-\u036f]', '', 'g')), 'øłđıØŁĐ', 'oldiold'),
      'ß', 'ss'),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u303f]+', ' ', 'g'))
$$;
