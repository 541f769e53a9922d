-- What each user has set for themselves in their conversations. Every change takes the next number
-- of the user's own stream; a row holds the newest change of its conversation, so that what a
-- client missed is read by that number.
CREATE TABLE prefs_counters (
  user_id  bigint PRIMARY KEY REFERENCES users,
  last_rev bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE conversation_prefs (
  user_id         bigint NOT NULL,
  conversation_id bigint NOT NULL,
  prefs_rev       bigint NOT NULL,
  -- The session that made the change and was answered with it; '' where none did.
  set_by          text COLLATE "C" NOT NULL DEFAULT '',
  -- The user is no member any more, and nothing else in the row counts.
  is_removed      boolean NOT NULL DEFAULT false,
  -- Infinity: for ever.
  muted_until     timestamptz(3),
  level           text COLLATE "C" CHECK (level IN ('all', 'mentions', 'none')),
  pinned_at       timestamptz(3),
  archived_n      bigint,
  hidden_n        bigint,
  draft           json,
  -- The session that wrote the draft; '' where none did.
  draft_by        text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (user_id, conversation_id),
  UNIQUE (user_id, prefs_rev)
) WITH (fillfactor = 70);

-- Its text is in sql/functions, which are applied after the migrations; the trigger needs it now.
CREATE FUNCTION forget_prefs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

-- However a membership ends, its preferences end in the same transaction.
CREATE TRIGGER membership_ended AFTER DELETE ON conversation_members
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_prefs();
