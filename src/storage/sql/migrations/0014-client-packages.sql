-- The client's packages that hosts of this database have handed out, by the name of their file:
-- a lockfile that names one finds the same bytes for as long as the deployment lasts.
CREATE TABLE client_packages (
  name     text COLLATE "C" PRIMARY KEY,
  bytes    bytea NOT NULL,
  kept_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
-- They are compressed already.
ALTER TABLE client_packages ALTER COLUMN bytes SET STORAGE EXTERNAL;
