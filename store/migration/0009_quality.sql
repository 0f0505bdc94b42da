-- How well people work: images whose right answer is known, what people made
-- of them, and who is paused.

CREATE TABLE quality_task (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  project TEXT NOT NULL REFERENCES project (id),
  type TEXT NOT NULL,               -- of its instances, such as imageannotation
  kind TEXT NOT NULL,               -- training or evaluation
  stage TEXT NOT NULL,              -- attempt or review: whom it is for
  retired BOOLEAN NOT NULL,
  item TEXT NOT NULL,               -- the dataset's item that has the image; '' if none
  attachment TEXT NOT NULL,         -- where the image is from, as the user said
  blob TEXT NOT NULL,               -- SHA-256 of its bytes; '' until they are here
  format TEXT NOT NULL,
  width BIGINT NOT NULL,            -- of the upright image; 0 until known
  height BIGINT NOT NULL,
  params TEXT NOT NULL,             -- JSON object: what its instances ask
  project_version BIGINT NOT NULL,  -- that it inherited from; -1 if from none
  instruction BIGINT NOT NULL,      -- versions of the project's that hold for it; 0 where it has its own
  taxonomy BIGINT NOT NULL,
  quality TEXT NOT NULL,            -- JSON: the right answer and what it tests
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX quality_task_project ON quality_task (project, id);
CREATE INDEX quality_task_blob ON quality_task (blob) WHERE blob <> '';

-- A quality task that a person was given: the task that is its instance.
CREATE TABLE quality_turn (
  task TEXT PRIMARY KEY,
  quality TEXT NOT NULL REFERENCES quality_task (id),
  project TEXT NOT NULL,
  person TEXT NOT NULL,
  kind TEXT NOT NULL,
  given_at BIGINT NOT NULL,
  graded_at BIGINT,                 -- NULL until it is handed in
  correct BIGINT NOT NULL,          -- boxes that were right, of total
  total BIGINT NOT NULL
);
CREATE INDEX quality_turn_person ON quality_turn (project, person, given_at, task);
CREATE INDEX quality_turn_quality ON quality_turn (quality);

-- Whether a person works in a project. Who isn't here does, and has had no turn.
CREATE TABLE enrollment (
  project TEXT NOT NULL REFERENCES project (id),
  person TEXT NOT NULL,
  paused BOOLEAN NOT NULL,
  since BIGINT NOT NULL,            -- of the last pause or return; 0 before one
  paused_by TEXT NOT NULL,          -- the manager who did; '' when it was their accuracy
  why TEXT NOT NULL,
  turns BIGINT NOT NULL,            -- tasks that the person was given, quality tasks too
  PRIMARY KEY (project, person)
);
CREATE INDEX enrollment_person ON enrollment (person) WHERE paused;

-- What people made of the starting boxes of a task, once it is completed.
CREATE TABLE hypothesis_change (
  task TEXT NOT NULL REFERENCES task (id),
  round BIGINT NOT NULL,
  box TEXT NOT NULL,                -- id, in the start or the result
  change TEXT NOT NULL,             -- same, changed, removed, drawn
  iou DOUBLE PRECISION NOT NULL,    -- with the starting box; 0 where there is none
  category BOOLEAN NOT NULL,        -- whether it is called otherwise
  PRIMARY KEY (task, round, box)
);
