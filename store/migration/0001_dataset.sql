-- Datasets, their items, and every revision of every annotation.

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE dataset (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  is_scene BOOLEAN NOT NULL,
  privacy_mode BOOLEAN NOT NULL,
  item_schema TEXT NOT NULL,        -- JSON, 'null' if none
  annotation_schema TEXT NOT NULL,
  next_position BIGINT NOT NULL,    -- of the item that is added next
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  deleted_at BIGINT                 -- set at once; a job removes the rows
);
CREATE INDEX dataset_world ON dataset (world, id) WHERE deleted_at IS NULL;

CREATE TABLE item (
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL REFERENCES dataset (id),
  position BIGINT NOT NULL,         -- ascends within the dataset in the order of insertion; gaps where items were deleted
  reference_id TEXT NOT NULL,
  image_url TEXT NOT NULL,          -- as the user gave it: a URL, or the path of the uploaded file
  blob TEXT,                        -- SHA-256 of the image's bytes; NULL until they are here
  problem TEXT NOT NULL,            -- why the bytes are not here or cannot be read; '' if all is well
  format TEXT NOT NULL,             -- jpeg, png …; '' until known
  bytes BIGINT NOT NULL,
  width BIGINT NOT NULL,            -- of the upright image; 0 until known
  height BIGINT NOT NULL,
  orientation BIGINT NOT NULL,      -- EXIF, 1 to 8; 0 until known
  phash BIGINT,                     -- the perceptual hash's 64 bits
  metadata TEXT NOT NULL,           -- JSON object
  revision BIGINT NOT NULL,         -- counts the changes of its ground truth: the base that our own API's writes name
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX item_position ON item (dataset, position);
CREATE UNIQUE INDEX item_reference ON item (dataset, reference_id);
CREATE INDEX item_blob ON item (blob);

-- Rows are never changed but for ended_at and ended_by: a change adds a
-- revision and ends the one before, a deletion only ends it. What was true at
-- a time t has created_at <= t and (ended_at IS NULL OR ended_at > t).
CREATE TABLE annotation (
  id TEXT NOT NULL,
  revision BIGINT NOT NULL,         -- from 1
  dataset TEXT NOT NULL,
  item TEXT NOT NULL REFERENCES item (id),
  run TEXT NOT NULL,                -- the model run that predicted it; '' for ground truth
  type TEXT NOT NULL,               -- box, polygon, line, keypoints, category, multicategory, mask, cuboid
  category TEXT NOT NULL,           -- its label; '' for multicategory and mask
  key TEXT NOT NULL,                -- the user's annotation_id
  task TEXT NOT NULL,               -- the user's task_id
  taxonomy TEXT NOT NULL,           -- of category and multicategory
  x0 DOUBLE PRECISION,              -- the box, or what the geometry spans; NULL where there is none
  y0 DOUBLE PRECISION,
  x1 DOUBLE PRECISION,
  y1 DOUBLE PRECISION,
  crowd BOOLEAN NOT NULL,
  confidence DOUBLE PRECISION,      -- predictions only
  metadata TEXT NOT NULL,           -- JSON object
  body TEXT NOT NULL,               -- JSON object of all else, as it came: geometry of other types, embedding_vector, class_pdf …
  blob TEXT,                        -- SHA-256 of an uploaded mask's bytes; NULL if there are none
  source TEXT NOT NULL,             -- human, import, model, api, lint, restore
  created_at BIGINT NOT NULL,       -- of this revision
  created_by TEXT NOT NULL,
  ended_at BIGINT,
  ended_by TEXT,
  PRIMARY KEY (id, revision)
);
CREATE UNIQUE INDEX annotation_current ON annotation (id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX annotation_key ON annotation (item, run, type, key, task, taxonomy) WHERE ended_at IS NULL;
CREATE INDEX annotation_history ON annotation (item, created_at);
CREATE INDEX annotation_run ON annotation (run, item) WHERE ended_at IS NULL AND run <> '';
CREATE INDEX annotation_blob ON annotation (blob) WHERE blob IS NOT NULL;
CREATE INDEX annotation_category ON annotation (dataset, category, run) WHERE ended_at IS NULL;

-- Free labels of datasets, slices and models.
CREATE TABLE tag (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (subject, name)
);
CREATE INDEX tag_name ON tag (name, subject);

CREATE TABLE taxonomy (
  dataset TEXT NOT NULL REFERENCES dataset (id),
  name TEXT NOT NULL,
  type TEXT NOT NULL,               -- category or multicategory
  labels TEXT NOT NULL,             -- JSON array
  PRIMARY KEY (dataset, name)
);
