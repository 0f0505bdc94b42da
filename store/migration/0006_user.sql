-- People, the keys of programs, sessions, and who did what. They belong to no
-- world: a user works in both, a key says in which.

CREATE TABLE users (                -- "user" is PostgreSQL's own word
  id TEXT PRIMARY KEY,
  login TEXT NOT NULL,              -- a name or an e-mail address, in lower case
  name TEXT NOT NULL,               -- as others read it
  role TEXT NOT NULL,
  password TEXT NOT NULL,           -- argon2id; '' lets nobody in
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  seen_at BIGINT,                   -- of the last login
  disabled_at BIGINT
);
CREATE UNIQUE INDEX users_login ON users (login);

CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL,               -- SHA-256 of the key, which itself is nowhere
  prefix TEXT NOT NULL,             -- what of the key people may see
  name TEXT NOT NULL,
  user_id TEXT NOT NULL,            -- whose it is; '' for a key of no user
  world TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  used_at BIGINT,                   -- to the minute
  revoked_at BIGINT
);
CREATE UNIQUE INDEX api_key_hash ON api_key (hash);
CREATE INDEX api_key_user ON api_key (user_id);

CREATE TABLE session (
  hash TEXT PRIMARY KEY,            -- SHA-256 of the token
  user_id TEXT NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL           -- to the minute
);
CREATE INDEX session_user_id ON session (user_id);

CREATE TABLE audit (
  id TEXT PRIMARY KEY,              -- ascends with time
  at BIGINT NOT NULL,
  world TEXT NOT NULL,              -- '' where none is concerned
  user_id TEXT NOT NULL,            -- who; '' for a key of no user and for the server's own machine
  api_key TEXT NOT NULL,
  name TEXT NOT NULL,               -- theirs, then
  action TEXT NOT NULL,
  subject TEXT NOT NULL,            -- an id
  detail TEXT NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);
