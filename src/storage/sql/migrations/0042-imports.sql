-- Imports: lines wait here until all are known to be good, then they are written.

CREATE TABLE imports (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The key of the spooled file, or the sum of a file of the command line.
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
  -- The name of the user, conversation or post that the line makes, or else that of the conversation or
  -- the first user that it belongs to.
  ref       text COLLATE "C" NOT NULL,
  -- The user whom it names beside that.
  usr       text COLLATE "C",
  -- The number by which other lines name a message; a reaction has that of its message.
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
