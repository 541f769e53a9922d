-- Uploads that come in parts (tus), one row each, until their file goes. How many bytes there are
-- already the store of the bytes knows.
CREATE TABLE uploads (
  file_id    bigint PRIMARY KEY,
  -- How many bytes there will be.
  bytes      bigint NOT NULL,
  -- When bytes last came.
  touched_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- The request that writes at the moment, and until when it is the only one if it does not renew that.
  holder     text COLLATE "C",
  held_until timestamptz(3),
  -- Another request waits for the holder to end.
  is_wanted  boolean NOT NULL DEFAULT false
);
