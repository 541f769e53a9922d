-- Imports: lines wait here until all are known to be good, then they are written.

CREATE TABLE imports (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Names it to who began it: the key of the spooled file.
  key       text COLLATE "C" NOT NULL UNIQUE,
  -- Whether all lines are here and have been found good.
  is_good   boolean NOT NULL DEFAULT false,
  begun_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE import_lines (
  import_id bigint NOT NULL,
  -- The number of the line, from 1.
  n         bigint NOT NULL,
  type      text COLLATE "C" NOT NULL,
  -- What the line is about: of a user, conversation or post its name, else the conversation's or the
  -- first user's name.
  ref       text COLLATE "C" NOT NULL,
  -- The user whom it names beside that.
  usr       text COLLATE "C",
  -- Of a message: the number by which other lines name it. Of a reaction: that of its message.
  seq       bigint,
  client_id text COLLATE "C",
  line      json NOT NULL,
  PRIMARY KEY (import_id, n)
);
CREATE INDEX import_lines_ref ON import_lines (import_id, type, ref, n);

-- Conversations that imports alone have written, with the rev that the last of them left.
CREATE TABLE imported_conversations (
  conversation_id bigint PRIMARY KEY,
  rev             bigint NOT NULL
);
-- Posts that imports have made, by the names of the application.
CREATE TABLE imported_posts (
  external_id text COLLATE "C" PRIMARY KEY,
  post_id     bigint NOT NULL
);
