-- The embedded task hub, first version. Instants are UTC text as on the wire; JSON is text.

-- One row per instance, by its id. `revision` changes with every change of row or history that a holder of the instance must know of;
-- `chunks` counts the rows of its history, 0 if there is none.
CREATE TABLE instances (
    key INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    status INTEGER NOT NULL,
    custom_status TEXT,
    created_at TEXT NOT NULL, -- seven fractional digits, so that it can be compared
    last_updated_at TEXT NOT NULL,
    completed_at TEXT,
    scheduled_start TEXT,
    generation INTEGER,
    tags TEXT
);

-- What may be long and seldom changes, kept out of the row that every commit rewrites.
CREATE TABLE texts (
    instance INTEGER PRIMARY KEY,
    input TEXT,
    output TEXT
);

-- One row per commit of the current generation: its events, one JSON object a line.
CREATE TABLE history (
    instance INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (instance, chunk)
) WITHOUT ROWID;

-- Messages to instances, in order of arrival. `is_creation`: a client's start, which a later start or a purge takes back.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    instance_id TEXT NOT NULL,
    execution_id TEXT,
    due_at TEXT,
    is_creation INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX creations ON messages (instance_id) WHERE is_creation;

-- Activity requests, in order of arrival.
CREATE TABLE activities (
    seq INTEGER PRIMARY KEY,
    message TEXT NOT NULL
);
