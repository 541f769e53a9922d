-- Keeps the counts of followers and of followed users. Rows in rising order of users, so that two
-- transactions cannot wait for each other.
CREATE OR REPLACE FUNCTION count_follows() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  step bigint := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
  INSERT INTO user_counts AS k (user_id, follower_count, following_count)
  SELECT x.user_id, sum(x.followers), sum(x.following)
  FROM (
    SELECT c.followee_id AS user_id, step AS followers, 0::bigint AS following FROM changed c
    UNION ALL
    SELECT c.follower_id, 0, step FROM changed c
  ) x
  GROUP BY x.user_id ORDER BY x.user_id
  ON CONFLICT (user_id) DO UPDATE SET
    follower_count = k.follower_count + excluded.follower_count,
    following_count = k.following_count + excluded.following_count;
  RETURN NULL;
END
$$;
