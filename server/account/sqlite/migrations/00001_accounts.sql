-- +goose Up
-- Times are milliseconds since the epoch; 0 is never.
CREATE TABLE users (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
  email    TEXT NOT NULL,
  role     TEXT NOT NULL,
  password TEXT NOT NULL,
  created  INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,
  role       TEXT NOT NULL,
  user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
  hostname   TEXT NOT NULL,
  host_id    TEXT NOT NULL,
  created    INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires    INTEGER NOT NULL,
  last_used  INTEGER NOT NULL,
  uses       INTEGER NOT NULL,
  max_uses   INTEGER NOT NULL
) STRICT;

CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_host ON tokens (hostname) WHERE kind = 'agent';

CREATE TABLE events (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  time   INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL,
  peer   TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE events;
DROP TABLE tokens;
DROP TABLE users;
