-- The files that a post shows, in order; null where it shows none. They are a column of the post, since
-- every read of a post needs them.
ALTER TABLE posts ADD COLUMN file_ids bigint[];
CREATE INDEX posts_files ON posts USING gin (file_ids) WHERE file_ids IS NOT NULL;
