-- Models with their weights and runs, benchmarks, evaluations and scenario tests.

CREATE TABLE model (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  reference_id TEXT NOT NULL DEFAULT '', -- the user's name of it
  metadata TEXT NOT NULL DEFAULT '{}',   -- JSON object
  created_at BIGINT NOT NULL DEFAULT 0,
  created_by TEXT NOT NULL DEFAULT '',
  deleted_at BIGINT                      -- set at once; a job ends its predictions
);
CREATE INDEX model_name ON model (world, name);
CREATE UNIQUE INDEX model_reference ON model (world, reference_id) WHERE deleted_at IS NULL AND reference_id <> '';

-- The slices that the user says a model was trained on.
CREATE TABLE trained_slice (
  model TEXT NOT NULL REFERENCES model (id),
  slice TEXT NOT NULL,
  PRIMARY KEY (model, slice)
);

-- The file that a model can be downloaded as.
CREATE TABLE model_weights (
  model TEXT PRIMARY KEY REFERENCES model (id),
  blob TEXT NOT NULL,                    -- SHA-256
  bytes BIGINT NOT NULL,
  filename TEXT NOT NULL,
  media_type TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX model_weights_blob ON model_weights (blob);

-- Weights on their way: announced, then sent whole or in parts, then joined.
CREATE TABLE weights_upload (
  id TEXT PRIMARY KEY,
  model TEXT NOT NULL REFERENCES model (id),
  bytes BIGINT NOT NULL,                 -- as announced
  part_bytes BIGINT NOT NULL,            -- of every part but the last
  sha256 TEXT NOT NULL,                  -- as announced, hex; '' if it was not
  filename TEXT NOT NULL,
  media_type TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX weights_upload_model ON weights_upload (model);

CREATE TABLE weights_part (
  upload TEXT NOT NULL REFERENCES weights_upload (id),
  number BIGINT NOT NULL,                -- from 1
  blob TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  PRIMARY KEY (upload, number)
);
CREATE INDEX weights_part_blob ON weights_part (blob);

-- A set of predictions of a model. Each model can have a hidden one, which
-- holds the predictions that were sent without a run.
CREATE TABLE model_run (
  id TEXT PRIMARY KEY,
  model TEXT NOT NULL REFERENCES model (id),
  dataset TEXT NOT NULL DEFAULT '',      -- that it was made for; '' if for none
  name TEXT NOT NULL DEFAULT '',
  reference_id TEXT NOT NULL DEFAULT '',
  metadata TEXT NOT NULL DEFAULT '{}',   -- JSON object
  status TEXT NOT NULL DEFAULT 'open',   -- open or committed
  hidden BOOLEAN NOT NULL DEFAULT FALSE,
  created_at BIGINT NOT NULL DEFAULT 0,
  created_by TEXT NOT NULL DEFAULT '',
  deleted_at BIGINT
);
CREATE INDEX model_run_model ON model_run (model, id);
CREATE UNIQUE INDEX model_run_hidden ON model_run (model) WHERE hidden;

-- The datasets that a run has, or is to have, predictions on.
CREATE TABLE run_dataset (
  run TEXT NOT NULL REFERENCES model_run (id),
  dataset TEXT NOT NULL REFERENCES dataset (id),
  PRIMARY KEY (run, dataset)
);
CREATE INDEX run_dataset_dataset ON run_dataset (dataset, run);

-- A fixed set of items, of any datasets, with the ground truth they had.
CREATE TABLE benchmark (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,                -- JSON object
  job TEXT NOT NULL,                     -- that builds it
  rule TEXT NOT NULL,                    -- JSON: which labels match
  skipped BIGINT NOT NULL,               -- items left out for want of ground truth
  truth TEXT,                            -- SHA-256 of its boxes; NULL until it is ready
  parent TEXT NOT NULL,                  -- the benchmark that this is a version of; '' if none
  version_major BIGINT NOT NULL,
  version_minor BIGINT NOT NULL,
  version_label TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX benchmark_world ON benchmark (world, id);
CREATE INDEX benchmark_truth ON benchmark (truth) WHERE truth IS NOT NULL;

CREATE TABLE benchmark_item (
  benchmark TEXT NOT NULL REFERENCES benchmark (id),
  position BIGINT NOT NULL,              -- from 0
  item TEXT NOT NULL,
  dataset TEXT NOT NULL,
  PRIMARY KEY (benchmark, position)
);
CREATE INDEX benchmark_item_item ON benchmark_item (item, benchmark);

-- The predictions of a run, scored on a benchmark or on all of the run's datasets.
CREATE TABLE evaluation (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  model TEXT NOT NULL DEFAULT '',
  run TEXT NOT NULL DEFAULT '',
  benchmark TEXT NOT NULL DEFAULT '',    -- '' if it is of the run's datasets
  dataset TEXT NOT NULL DEFAULT '',      -- the only one that it is of; '' if there are several or a benchmark
  rule TEXT NOT NULL DEFAULT '{}',       -- JSON: which labels match
  exclusions TEXT NOT NULL DEFAULT '[]', -- JSON: what was left out
  job TEXT NOT NULL DEFAULT '',          -- that computes it
  boxes TEXT,                            -- SHA-256 of what was compared; NULL until it has succeeded
  summary TEXT NOT NULL DEFAULT '{}',    -- JSON: average precisions, and how much was left out
  created_at BIGINT NOT NULL DEFAULT 0,
  created_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX evaluation_name ON evaluation (world, name, id);
CREATE INDEX evaluation_model ON evaluation (model, id);
CREATE INDEX evaluation_run ON evaluation (run, id);
CREATE INDEX evaluation_benchmark ON evaluation (benchmark, id);
CREATE INDEX evaluation_boxes ON evaluation (boxes) WHERE boxes IS NOT NULL;

-- What became of an annotation revision in an evaluation, at an IoU of 0.5: a
-- pair has a row for the annotation and one for the prediction.
CREATE TABLE evaluation_match (
  evaluation TEXT NOT NULL REFERENCES evaluation (id),
  number BIGINT NOT NULL,
  item TEXT NOT NULL,
  kind TEXT NOT NULL,                    -- tp, fp, missed, below or ignored
  annotation TEXT NOT NULL,              -- the box that the row is about
  annotation_revision BIGINT NOT NULL,
  other TEXT NOT NULL,                   -- the box that it was matched with; '' if none
  other_revision BIGINT NOT NULL,
  iou DOUBLE PRECISION,                  -- with that; else the largest with one of its category
  confidence DOUBLE PRECISION,           -- of the prediction; NULL where there is none
  PRIMARY KEY (evaluation, number)
);
CREATE UNIQUE INDEX evaluation_match_annotation ON evaluation_match (annotation, evaluation);
CREATE INDEX evaluation_match_kind ON evaluation_match (evaluation, kind, item);
CREATE INDEX evaluation_match_item ON evaluation_match (item);

-- A slice with measures that every model should reach on it.
CREATE TABLE scenario_test (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  name TEXT NOT NULL,
  slice TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX scenario_test_world ON scenario_test (world, id);
CREATE INDEX scenario_test_slice ON scenario_test (slice);

CREATE TABLE scenario_metric (
  test TEXT NOT NULL REFERENCES scenario_test (id),
  function TEXT NOT NULL,                -- one of package eval's box functions
  arguments TEXT NOT NULL,               -- JSON object
  threshold DOUBLE PRECISION,            -- the least value that passes; NULL if none is set
  position BIGINT NOT NULL,              -- order of insertion
  PRIMARY KEY (test, function)
);

-- A model measured by a metric of a test.
CREATE TABLE scenario_run (
  id TEXT PRIMARY KEY,
  test TEXT NOT NULL REFERENCES scenario_test (id),
  function TEXT NOT NULL,
  model TEXT NOT NULL,
  job TEXT NOT NULL,                     -- that measures it
  measured BOOLEAN NOT NULL,
  result DOUBLE PRECISION,               -- NULL until measured, and where there was nothing to measure
  passed BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX scenario_run_test ON scenario_run (test, id);

CREATE TABLE scenario_result (
  scenario_run TEXT NOT NULL REFERENCES scenario_run (id),
  number BIGINT NOT NULL,
  item TEXT NOT NULL,
  result DOUBLE PRECISION,
  passed BOOLEAN NOT NULL,
  PRIMARY KEY (scenario_run, number)
);
CREATE INDEX scenario_result_item ON scenario_result (item);
