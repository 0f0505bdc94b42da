-- Files that wait under a user's request id until a job has read them.
CREATE TABLE upload (
  dataset TEXT NOT NULL REFERENCES dataset (id),
  request TEXT NOT NULL,            -- the user's name of it
  blob TEXT,                        -- SHA-256 of its lines; NULL once the job has read them
  bytes BIGINT NOT NULL,
  job TEXT NOT NULL,                -- the job that reads it; '' until it is asked for
  created_at BIGINT NOT NULL,
  PRIMARY KEY (dataset, request)
);
CREATE INDEX upload_blob ON upload (blob) WHERE blob IS NOT NULL;
CREATE INDEX upload_age ON upload (created_at);
