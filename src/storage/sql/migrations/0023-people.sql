-- Pages of people and what they may be found by, and posts and comments that change.

-- Followers, followed users and those who like a post are listed newest first.
CREATE INDEX follows_newest_followers ON follows (followee_id, created_at DESC, follower_id DESC);
CREATE INDEX likes_newest ON likes (post_id, created_at DESC, user_id DESC);
-- A comment is also known by its id alone.
CREATE UNIQUE INDEX comments_id ON comments (id);

ALTER TABLE posts ADD COLUMN data json, ADD COLUMN edited_at timestamptz(3);
ALTER TABLE comments ADD COLUMN data json;

-- When a suspension ends by itself, and why it is there. The times of users who are or were
-- suspended are looked up: by when one ends, and by when one began.
ALTER TABLE users ADD COLUMN suspended_until timestamptz(3), ADD COLUMN suspension_reason text;
CREATE INDEX users_suspended_until ON users (suspended_until) WHERE suspended_until IS NOT NULL;
CREATE INDEX users_suspended ON users (suspended_at DESC, id DESC) WHERE suspended_at IS NOT NULL;

-- How many follow a user, whom they follow and what they published. Apart from users, whose rows
-- many read. Triggers keep them, so that no way to change a follow or a post can forget it.
CREATE TABLE user_counts (
  user_id         bigint PRIMARY KEY,
  follower_count  bigint NOT NULL DEFAULT 0,
  following_count bigint NOT NULL DEFAULT 0,
  post_count      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

INSERT INTO user_counts (user_id, follower_count, following_count, post_count)
SELECT x.user_id, sum(x.followers), sum(x.following), sum(x.posts)
FROM (
  SELECT f.followee_id AS user_id, 1 AS followers, 0 AS following, 0 AS posts FROM follows f
  UNION ALL SELECT f.follower_id, 0, 1, 0 FROM follows f
  UNION ALL SELECT p.author_id, 0, 0, 1 FROM posts p WHERE p.deleted_at IS NULL
) x GROUP BY x.user_id;

-- The texts of these functions are in sql/functions, which are applied after the migrations; the
-- triggers need them now.
CREATE FUNCTION count_follows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION count_post() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION note_name_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER follows_added AFTER INSERT ON follows
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_follows();
CREATE TRIGGER follows_removed AFTER DELETE ON follows
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_follows();
CREATE TRIGGER post_added AFTER INSERT ON posts
  FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION count_post();
CREATE TRIGGER post_deleted AFTER UPDATE OF deleted_at ON posts
  FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
  EXECUTE FUNCTION count_post();

-- The folded words of users' names, by whose beginnings users are found. A username is found by
-- its own index.
CREATE TABLE user_words (
  word    text COLLATE "C" NOT NULL,
  user_id bigint NOT NULL,
  PRIMARY KEY (word, user_id)
);
CREATE INDEX user_words_user ON user_words (user_id);
CREATE TRIGGER name_changed AFTER INSERT OR UPDATE OF display_name ON users
  FOR EACH ROW EXECUTE FUNCTION note_name_words();

-- As in sql/functions: the words of the names that are there already.
CREATE FUNCTION fold_name(p_text text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT replace(replace(replace(translate(
    lower(regexp_replace(normalize(p_text, NFKD), '[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff]', '', 'g')),
    'øØłŁđĐðÐħĦıς', 'oollddddhhiσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
$$;
CREATE FUNCTION name_words(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT x.word), '{}')
  FROM regexp_split_to_table(fold_name(p_text), '[\s!-/:-@\[-`{-~]+') AS x (word)
  WHERE x.word <> ''
$$;
INSERT INTO user_words (word, user_id)
SELECT w.word, u.id FROM users u CROSS JOIN LATERAL unnest(name_words(u.display_name)) AS w (word)
ON CONFLICT DO NOTHING;
