-- Slices, what filters look at, and embeddings.

CREATE TABLE slice (
  id TEXT PRIMARY KEY,
  world TEXT NOT NULL,
  dataset TEXT NOT NULL REFERENCES dataset (id),
  name TEXT NOT NULL,
  type TEXT NOT NULL,               -- dataset_item, object or scene
  description TEXT NOT NULL,
  frozen TEXT NOT NULL,             -- content hash; '' while it can change
  next_position BIGINT NOT NULL,    -- of the member that is added next
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);
CREATE INDEX slice_world ON slice (world, id);
CREATE INDEX slice_dataset ON slice (dataset, name, id);
CREATE INDEX slice_frozen ON slice (frozen);

CREATE TABLE slice_member (
  slice TEXT NOT NULL REFERENCES slice (id),
  position BIGINT NOT NULL,         -- order of insertion
  item TEXT NOT NULL,
  annotation TEXT NOT NULL,         -- a slice of objects has annotations of items; '' in a slice of items
  blob TEXT,                        -- the image's SHA-256 when the slice was frozen; NULL before
  PRIMARY KEY (slice, position)
);
CREATE UNIQUE INDEX slice_member_subject ON slice_member (slice, item, annotation);
CREATE INDEX slice_member_item ON slice_member (item, slice);
CREATE INDEX slice_member_blob ON slice_member (blob) WHERE blob IS NOT NULL;

-- The annotation revisions of a frozen slice.
CREATE TABLE slice_pin (
  slice TEXT NOT NULL REFERENCES slice (id),
  item TEXT NOT NULL,
  annotation TEXT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (slice, item, annotation)
-- sqlite:) WITHOUT ROWID;
-- postgres:);
CREATE INDEX slice_pin_item ON slice_pin (item);

-- Metadata as filters read it: a row for each value but null, at any depth of
-- objects. Rows of annotations are of one revision and stay.
CREATE TABLE metadata_value (
  dataset TEXT NOT NULL,
  item TEXT NOT NULL,
  annotation TEXT NOT NULL,         -- '' for the item's own
  revision BIGINT NOT NULL,         -- of the annotation; 0 for the item's own
  key TEXT NOT NULL,                -- keys from the outside in, with U+001F between them
  kind TEXT NOT NULL,               -- text, number, bool or other (list, object)
  text TEXT,
  head TEXT,                        -- the text's first bytes, short enough for an index
  number DOUBLE PRECISION,          -- bools are 0 and 1
  PRIMARY KEY (item, annotation, revision, key)
-- sqlite:) WITHOUT ROWID;
-- postgres:);
CREATE INDEX metadata_value_text ON metadata_value (dataset, key, head, item, annotation) WHERE kind = 'text';
CREATE INDEX metadata_value_number ON metadata_value (dataset, key, number, item, annotation) WHERE number IS NOT NULL;

-- An item's reference id and all texts of its metadata, A–Z as a–z, with U+001F between them.
CREATE TABLE item_text (
  dataset TEXT NOT NULL,
  item TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (dataset, item)
-- sqlite:) WITHOUT ROWID;
-- postgres:);
CREATE INDEX item_text_item ON item_text (item);

-- The current boxes of an item in groups: how many, and the range of each
-- number. An item without boxes has the group '' with n = 0.
CREATE TABLE box_group (
  dataset TEXT NOT NULL,
  prediction BOOLEAN NOT NULL,
  name TEXT NOT NULL,               -- '' for all, '=' and a category, '@' and an author, '~' and a run
  item TEXT NOT NULL,
  n BIGINT NOT NULL,
  area_min DOUBLE PRECISION, area_max DOUBLE PRECISION,
  width_min DOUBLE PRECISION, width_max DOUBLE PRECISION,
  height_min DOUBLE PRECISION, height_max DOUBLE PRECISION,
  aspect_min DOUBLE PRECISION, aspect_max DOUBLE PRECISION,
  confidence_min DOUBLE PRECISION, confidence_max DOUBLE PRECISION,
  created_min BIGINT, created_max BIGINT,
  updated_min BIGINT, updated_max BIGINT,
  PRIMARY KEY (dataset, prediction, name, item)
-- sqlite:) WITHOUT ROWID;
-- postgres:);
CREATE INDEX box_group_item ON box_group (item);

CREATE INDEX item_author ON item (dataset, created_by, position);

-- Vectors of images, of one index.
CREATE TABLE embedding_index (
  id TEXT PRIMARY KEY,
  dataset TEXT NOT NULL REFERENCES dataset (id),
  type TEXT NOT NULL,               -- Custom or Internal
  dimension BIGINT NOT NULL,
  model TEXT NOT NULL DEFAULT '',   -- name of the backbone that makes it, of Internal ones
  weights TEXT NOT NULL DEFAULT '', -- SHA-256 of that backbone's weights
  job TEXT NOT NULL,                -- that makes it
  created_at BIGINT NOT NULL
);
CREATE INDEX embedding_index_dataset ON embedding_index (dataset, id);

CREATE TABLE embedding (
  embedding_index TEXT NOT NULL REFERENCES embedding_index (id),
  item TEXT NOT NULL,
  vector TEXT NOT NULL,             -- JSON array of numbers
  PRIMARY KEY (embedding_index, item)
);
CREATE INDEX embedding_item ON embedding (item);
