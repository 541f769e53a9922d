-- The full number of the transaction that wrote a row, of which the row has the lower 32 bits. It
-- began before now, and no row's number is older than half of all there are.
CREATE OR REPLACE FUNCTION xid_of(p_xmin xid) RETURNS xid8
LANGUAGE sql STABLE AS $$
  SELECT (CASE WHEN x.low > x.next & 4294967295 THEN x.next - (x.next & 4294967295) - 4294967296
    ELSE x.next - (x.next & 4294967295) END + x.low)::text::xid8
  FROM (
    SELECT p_xmin::text::bigint AS low,
      pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next
  ) x
$$;
