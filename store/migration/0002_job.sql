-- Background work as users see it; the queue that carries it out has tables of its own.
CREATE TABLE job (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  type TEXT NOT NULL,
  dataset TEXT NOT NULL,            -- '' if it is of none
  status TEXT NOT NULL,             -- waiting, running, completed, failed, cancelled
  args TEXT NOT NULL,               -- JSON
  result TEXT NOT NULL,             -- JSON, 'null' until completed
  problem TEXT NOT NULL,            -- why it failed
  done BIGINT NOT NULL,             -- steps of total
  total BIGINT NOT NULL,
  queue_id BIGINT NOT NULL,         -- the queue's number of it
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX job_world ON job (world, id);
CREATE INDEX job_dataset ON job (dataset, id);

-- What was wrong with single rows of a job that went on.
CREATE TABLE job_error (
  job TEXT NOT NULL REFERENCES job (id),
  number BIGINT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job, number)
);
