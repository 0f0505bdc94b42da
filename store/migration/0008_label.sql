-- The work of drawing boxes: projects, batches, tasks and everything that people hand in.

CREATE TABLE project (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,               -- never changes: it is the project's identifier in URLs
  type TEXT NOT NULL,               -- of its tasks, such as imageannotation; '' for any
  rapid BOOLEAN NOT NULL,           -- as the user said; they change nothing
  studio BOOLEAN NOT NULL,
  dataset TEXT NOT NULL,            -- whose annotations accepted results become; '' if none
  settings TEXT NOT NULL,           -- JSON: plan, share of evaluation tasks, bar, prices
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  archived_at BIGINT
);
CREATE UNIQUE INDEX project_name ON project (world, name);

-- What the project's tasks inherit. Rows are never changed.
CREATE TABLE project_version (
  project TEXT NOT NULL REFERENCES project (id),
  version BIGINT NOT NULL,          -- from 0
  params TEXT NOT NULL,             -- JSON object, as the user sent it: instruction, geometries, annotation_attributes …
  examples TEXT NOT NULL,           -- JSON array: good and bad examples of the instruction
  instruction BIGINT NOT NULL,      -- version of the instruction, from 1: counts up where its text or examples changed
  taxonomy BIGINT NOT NULL,         -- version of the taxonomy, from 1
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (project, version)
);

-- Every project has one batch without a name, for the tasks that name none.
CREATE TABLE batch (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,               -- never changes
  kind TEXT NOT NULL,               -- production, calibration, self_label
  status TEXT NOT NULL,             -- staging, in_progress, completed
  rank BIGINT NOT NULL,             -- in the order that a manager set, from 1; 0 if in none
  groups TEXT NOT NULL,             -- JSON array: ids of the groups and people who work on it; [] for all of the project's
  plan TEXT NOT NULL,               -- JSON
  callback TEXT NOT NULL,           -- URL; '' if none
  metadata TEXT NOT NULL,           -- JSON object
  revision BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  completed_at BIGINT,
  callback_ok BOOLEAN               -- whether the last callback arrived; NULL before one has
);
CREATE UNIQUE INDEX batch_name ON batch (world, name) WHERE name <> '';
CREATE UNIQUE INDEX batch_nameless ON batch (project) WHERE name = '';
CREATE INDEX batch_world ON batch (world, status, id);
CREATE INDEX batch_project ON batch (project, id);

-- The columns that lists and queues look at; what is only read whole stands in
-- task_content. Most follow from the state there.
CREATE TABLE task (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  project TEXT NOT NULL REFERENCES project (id),
  batch TEXT NOT NULL REFERENCES batch (id),
  type TEXT NOT NULL,
  kind TEXT NOT NULL,               -- '' for real ones; training, evaluation: a person's instance of a quality task
  status TEXT NOT NULL,             -- pending, completed, canceled, error
  review TEXT NOT NULL,             -- customer_review_status: pending, accepted, fixed, rejected; '' where there is no result
  queue TEXT NOT NULL,              -- what it waits for that anyone may take: attempt, review, audit; '' if nothing
  priority DOUBLE PRECISION NOT NULL,
  only_for TEXT NOT NULL,           -- the one person it is for; '' for everyone
  seen TEXT NOT NULL,               -- who has worked on it or skipped it in this round: ids, a space before each
  holder TEXT NOT NULL,             -- who has the lease; '' if nobody
  lease_until BIGINT NOT NULL,      -- 0 if nobody
  unique_id TEXT NOT NULL,          -- '' if none
  item TEXT NOT NULL,               -- the dataset's item that it labels; '' if none
  blob TEXT NOT NULL,               -- SHA-256 of the image's bytes; '' until they are here
  format TEXT NOT NULL,
  width BIGINT NOT NULL,            -- of the upright image; 0 until known
  height BIGINT NOT NULL,
  revision BIGINT NOT NULL,         -- of the state
  created_at BIGINT NOT NULL,       -- the time in its id; neither of the next two is before it
  updated_at BIGINT NOT NULL,
  completed_at BIGINT,
  callback_ok BOOLEAN               -- whether the last callback arrived; NULL before one has
);
CREATE INDEX task_queue ON task (batch, queue, priority DESC, id) WHERE queue <> '';
CREATE INDEX task_audit ON task (world, completed_at, id) WHERE queue = 'audit';
CREATE INDEX task_only ON task (only_for) WHERE only_for <> '';
CREATE INDEX task_holder ON task (holder) WHERE holder <> '';
CREATE UNIQUE INDEX task_unique ON task (world, unique_id) WHERE unique_id <> '';
CREATE INDEX task_item ON task (item) WHERE item <> '';
CREATE INDEX task_blob ON task (blob) WHERE blob <> '';
CREATE INDEX task_made ON task (world, id) WHERE kind = ''; -- narrow: it counts half a million in a tenth of a second
CREATE INDEX task_walk ON task (world, id, status, type, review, project, batch, updated_at, completed_at) WHERE kind = '';
CREATE INDEX task_status ON task (world, status, id) WHERE kind = '';
CREATE INDEX task_type ON task (world, type, id) WHERE kind = '';
CREATE INDEX task_review ON task (world, review, id) WHERE kind = '' AND review <> '';
CREATE INDEX task_project ON task (project, status, id) WHERE kind = '';
CREATE INDEX task_batch ON task (batch, status, id);
CREATE INDEX task_updated ON task (world, updated_at, id) WHERE kind = '';
CREATE INDEX task_completed ON task (world, completed_at, id) WHERE kind = '' AND completed_at IS NOT NULL;

CREATE TABLE task_content (
  task TEXT PRIMARY KEY REFERENCES task (id),
  params TEXT NOT NULL,             -- JSON object: as sent, with what was inherited
  metadata TEXT NOT NULL,           -- JSON object
  attachment TEXT NOT NULL,         -- where its image is from, as the user said
  callback TEXT NOT NULL,           -- URL; '' if none
  project_version BIGINT NOT NULL,  -- that it inherited from; -1 if from none
  instruction BIGINT NOT NULL,      -- versions of the project's that hold for it; 0 where it has its own
  taxonomy BIGINT NOT NULL,
  start TEXT NOT NULL,              -- JSON: the answer that people begin from; 'null' if none
  state TEXT NOT NULL               -- JSON: the task as the rules of the work see it
);

CREATE TABLE task_tag (
  task TEXT NOT NULL REFERENCES task (id),
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  position BIGINT NOT NULL,         -- order in which they were given
  PRIMARY KEY (task, name)
);
CREATE INDEX task_tag_name ON task_tag (world, name, task);

-- How many real tasks there are of a kind, kept in step by every write.
CREATE TABLE task_count (
  batch TEXT NOT NULL REFERENCES batch (id),
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  review TEXT NOT NULL,
  world TEXT NOT NULL,
  project TEXT NOT NULL,
  tasks BIGINT NOT NULL,
  PRIMARY KEY (batch, type, status, review)
);
CREATE INDEX task_count_world ON task_count (world);
CREATE INDEX task_count_project ON task_count (project);

-- Everything that was handed in, once for a lease. Rows are never changed.
CREATE TABLE attempt (
  task TEXT NOT NULL REFERENCES task (id),
  lease BIGINT NOT NULL,
  world TEXT NOT NULL,
  project TEXT NOT NULL,
  batch TEXT NOT NULL,
  kind TEXT NOT NULL,               -- of the task
  stage TEXT NOT NULL,              -- attempt, review, audit
  person TEXT NOT NULL,
  round BIGINT NOT NULL,
  since BIGINT NOT NULL,            -- when the lease began
  at BIGINT NOT NULL,
  active BIGINT NOT NULL,           -- milliseconds at work
  instruction BIGINT NOT NULL,      -- versions that the person saw; 0 if unknown
  taxonomy BIGINT NOT NULL,
  submission TEXT NOT NULL,         -- JSON: answer, verdict, reason, overrides, confidence, feedback
  PRIMARY KEY (task, lease)
);
CREATE INDEX attempt_batch ON attempt (batch, at);
CREATE INDEX attempt_project ON attempt (project, person, at);
CREATE INDEX attempt_person ON attempt (person, at);

-- What happened, for ever.
CREATE TABLE task_event (
  id TEXT PRIMARY KEY,              -- ascends with time
  world TEXT NOT NULL,
  project TEXT NOT NULL,
  batch TEXT NOT NULL,
  task TEXT NOT NULL,               -- '' where the event is the batch's or a person's
  person TEXT NOT NULL,             -- to whom it happened, else who did it
  kind TEXT NOT NULL,
  at BIGINT NOT NULL,
  event TEXT NOT NULL               -- JSON
);
CREATE INDEX task_event_task ON task_event (task, id) WHERE task <> '';
CREATE INDEX task_event_batch ON task_event (batch, id);
CREATE INDEX task_event_person ON task_event (person, id);

-- Who has kept a draft of which task; the draft is in the task's state.
CREATE TABLE draft (
  person TEXT NOT NULL,
  task TEXT NOT NULL REFERENCES task (id),
  PRIMARY KEY (person, task)
);
CREATE INDEX draft_task ON draft (task);

CREATE TABLE assignment (
  project TEXT NOT NULL REFERENCES project (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (project, user_id)
);
CREATE INDEX assignment_user ON assignment (user_id);

CREATE TABLE labeler_group (
  id TEXT PRIMARY KEY,
  project TEXT NOT NULL REFERENCES project (id),
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX labeler_group_name ON labeler_group (project, name);

CREATE TABLE labeler_member (
  labeler_group TEXT NOT NULL REFERENCES labeler_group (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  PRIMARY KEY (labeler_group, user_id)
);
CREATE INDEX labeler_member_user ON labeler_member (user_id);

-- Files that were uploaded, to be named by tasks.
CREATE TABLE file (
  id TEXT PRIMARY KEY,              -- a UUID
  world TEXT NOT NULL,
  blob TEXT NOT NULL,               -- SHA-256
  bytes BIGINT NOT NULL,
  media_type TEXT NOT NULL,
  width BIGINT NOT NULL,            -- of the upright image; 0 if it is none
  height BIGINT NOT NULL,
  name TEXT NOT NULL,               -- display_name, else the file's own
  reference_id TEXT NOT NULL,       -- '' if none
  projects TEXT NOT NULL,           -- JSON array of names
  metadata TEXT NOT NULL,           -- JSON object
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX file_reference ON file (world, reference_id) WHERE reference_id <> '';
CREATE INDEX file_blob ON file (blob);

-- What is told to an address that the user gave, and how that went.
CREATE TABLE callback (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  batch TEXT NOT NULL,
  task TEXT NOT NULL,               -- '' where the batch is what is told of
  event TEXT NOT NULL,              -- kind of the event
  url TEXT NOT NULL,
  status TEXT NOT NULL,             -- waiting, done, failed
  attempts BIGINT NOT NULL,
  next_at BIGINT NOT NULL,          -- of the next attempt; 0 when there will be none
  answer TEXT NOT NULL,             -- to the last attempt: a status, or why there was none
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX callback_world ON callback (world, id);
CREATE INDEX callback_task ON callback (task, id) WHERE task <> '';
CREATE INDEX callback_batch ON callback (batch, id);
CREATE INDEX callback_waiting ON callback (status, next_at) WHERE status = 'waiting';
