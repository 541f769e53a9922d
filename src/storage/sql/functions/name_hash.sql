-- By what a reserved username is known without being kept (reserved_names).
CREATE FUNCTION name_hash(p_name text) RETURNS bytea
LANGUAGE sql STABLE AS $$
  SELECT sha256(c.secret || convert_to(p_name, 'UTF8')) FROM cluster_identity c
$$;
