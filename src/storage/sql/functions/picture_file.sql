-- The file at the lasting address of a picture (base/file-links.ts); null: it is another address.
CREATE OR REPLACE FUNCTION picture_file(p_address text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT (regexp_match(p_address, '^/(?:.*/)?files/([0-9]{1,18})/p\.[A-Za-z0-9_-]{22}$'))[1]::bigint
$$;
