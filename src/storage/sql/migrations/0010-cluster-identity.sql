-- Which hosts belong together: those of one database. The id begins the name of every channel
-- and key in Redis, so that deployments which share a Redis server do not meet. The secret is
-- part of the key with which hosts sign what they say to each other. One row, made here: several
-- hosts may start at once, and one of them migrates.
--
-- A copy of the database has the same row. To let hosts of the copy use the same Redis:
--   UPDATE cluster_identity SET id = DEFAULT, secret = DEFAULT;
CREATE TABLE cluster_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- 48 random bits, in 12 hexadecimal digits.
  id text NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 12),
  -- 244 random bits.
  secret bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

INSERT INTO cluster_identity DEFAULT VALUES;
