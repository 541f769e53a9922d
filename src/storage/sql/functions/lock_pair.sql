-- Changes of follows, blocks and the direct conversation of a pair run one after another, so that
-- no follow is made beside a block. The lock is held until the transaction ends, and is taken
-- before any row's.
CREATE OR REPLACE FUNCTION lock_pair(p_one bigint, p_other bigint) RETURNS void
LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtextextended(
    'pair ' || least(p_one, p_other) || ' ' || greatest(p_one, p_other), 0))
$$;
