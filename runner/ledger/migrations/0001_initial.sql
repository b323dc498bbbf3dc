-- The ledger's first shape. Append only: a later change is a new file with the next number, never an edit here.
--
-- Credits are whole numbers. Times are seconds since 1970, UTC. Columns named `params`, `axes`, `tags`, `data` and
-- `reference_digests` hold JSON. A rule that would be sad to see broken is a CHECK, a unique index or a trigger.

CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at_s REAL NOT NULL
) STRICT;

-- One row: whose ledger this is. Keys are worth something under one account at one service only.
CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    created_at_s REAL NOT NULL
) STRICT;

-- A manifest name and edition, over all its lives; the other columns are as its latest life saw them.
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    edition TEXT NOT NULL,
    manifest_path TEXT NOT NULL,
    manifest_sha256 TEXT NOT NULL,
    cap_credits INTEGER CHECK (cap_credits >= 0),
    out_dir TEXT NOT NULL
) STRICT;

-- One execution of a run by one process. Without an end it is alive, or it died.
CREATE TABLE lives (
    life_id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    started_at_s REAL NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    out_dir TEXT NOT NULL,
    ended_at_s REAL,
    exit_code INTEGER,
    CHECK ((ended_at_s IS NULL) = (exit_code IS NULL))
) STRICT;

CREATE INDEX lives_of_run ON lives (run_id, life_id);

-- What is bought, by content, and where it stands: the columns from `state` on are the fold of its events.
CREATE TABLE items (
    identity TEXT PRIMARY KEY NOT NULL,
    model TEXT NOT NULL,
    prompt TEXT,
    params TEXT NOT NULL CHECK (json_valid(params)),
    reference_digests TEXT NOT NULL CHECK (json_valid(reference_digests)),
    repeat INTEGER NOT NULL CHECK (repeat >= 1),
    edition TEXT NOT NULL,
    price_class TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'planned', 'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'skipped', 'uncertain', 'vanished',
        'stalled'
    )),
    version INTEGER NOT NULL CHECK (version >= 1),
    first_at_s REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    sends INTEGER NOT NULL DEFAULT 0 CHECK (sends >= 0),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    latest_attempt_key TEXT REFERENCES attempts ("key"),
    error_code TEXT,
    error_message TEXT,
    request_id TEXT,
    CHECK (state IN ('planned', 'skipped') OR latest_attempt_key IS NOT NULL),
    CHECK ((attempts = 0) = (latest_attempt_key IS NULL))
) STRICT;

-- How a run names an item. `wanted` is 0 once the manifest no longer has it; the row stays, for it may have been paid.
CREATE TABLE run_items (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    identity TEXT NOT NULL REFERENCES items (identity),
    item_index INTEGER NOT NULL CHECK (item_index >= 0),
    item_key TEXT NOT NULL,
    job TEXT NOT NULL,
    axes TEXT NOT NULL CHECK (json_valid(axes)),
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    output_stem TEXT NOT NULL,
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (run_id, identity)
) STRICT;

CREATE UNIQUE INDEX one_item_per_key ON run_items (run_id, item_key) WHERE wanted = 1;
CREATE INDEX run_items_of_item ON run_items (identity);

-- One purchase: one key bound to one frozen body. `state` is the item's state while this attempt is its latest.
CREATE TABLE attempts (
    "key" TEXT PRIMARY KEY NOT NULL CHECK (length("key") BETWEEN 1 AND 64),
    identity TEXT NOT NULL REFERENCES items (identity),
    epoch INTEGER NOT NULL CHECK (epoch >= 0),
    ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
    scope TEXT NOT NULL,
    price_class TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'uncertain', 'vanished', 'stalled'
    )),
    bound INTEGER NOT NULL CHECK (bound >= 0),
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
    ambiguous INTEGER NOT NULL DEFAULT 0 CHECK (ambiguous IN (0, 1)),
    sends INTEGER NOT NULL DEFAULT 0 CHECK (sends >= 0),
    task_id TEXT CHECK (task_id <> ''),
    reserved_credits INTEGER CHECK (reserved_credits >= 0),
    final_credits INTEGER CHECK (final_credits >= 0),
    server_at_s REAL NOT NULL,
    opened_at_s REAL NOT NULL,
    accepted_at_s REAL,
    finished_at_s REAL,
    body_sha256 TEXT NOT NULL CHECK (length(body_sha256) = 64),
    body BLOB NOT NULL, -- last, so that reading the rest of a row need not pass it
    UNIQUE (identity, epoch, ordinal),
    CHECK (reserved = 0 OR state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled')),
    CHECK (settled = 0 OR state IN ('succeeded', 'failed')),
    CHECK (state NOT IN ('accepted', 'vanished', 'stalled', 'succeeded') OR task_id IS NOT NULL)
) STRICT;

-- Two items that claim one task would be one result counted twice.
CREATE UNIQUE INDEX one_attempt_per_task ON attempts (task_id) WHERE task_id IS NOT NULL;

-- An item is bought by one attempt at a time.
CREATE UNIQUE INDEX one_open_attempt_per_item ON attempts (identity)
    WHERE state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled');

CREATE TRIGGER a_key_keeps_its_body BEFORE UPDATE OF "key", identity, epoch, ordinal, scope, body, body_sha256, bound
ON attempts BEGIN SELECT raise(ABORT, 'an attempt''s key, body and bound never change'); END;

CREATE TRIGGER an_attempt_stays BEFORE DELETE ON attempts
BEGIN SELECT raise(ABORT, 'an attempt is never deleted'); END;

-- The result files of an attempt; `n` counts from 1. `file` is relative to the output folder of the life that moved it.
CREATE TABLE artifacts (
    attempt_key TEXT NOT NULL REFERENCES attempts ("key"),
    n INTEGER NOT NULL CHECK (n >= 1),
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'partial', 'verified', 'unverified', 'quarantined', 'gone')),
    file TEXT,
    sha256 TEXT,
    bytes INTEGER CHECK (bytes >= 0),
    type TEXT,
    life_id INTEGER REFERENCES lives (life_id),
    PRIMARY KEY (attempt_key, n)
) STRICT;

-- What the account already holds of a reference's content. `duration_token` is secret-like: never shown.
CREATE TABLE uploads (
    sha256 TEXT PRIMARY KEY NOT NULL,
    file_id TEXT NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    duration_token TEXT,
    duration_s REAL,
    expires_at TEXT,
    at_s REAL NOT NULL
) STRICT;

-- Credits of one scope (a run), over all its lives: the sum of its attempts.
CREATE TABLE books (
    scope TEXT PRIMARY KEY NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0)
) STRICT;

-- Everything that happened, in order: the truth that `items`, `attempts`, `artifacts` and `books` are made from.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_s REAL NOT NULL,
    life_id INTEGER REFERENCES lives (life_id),
    identity TEXT NOT NULL REFERENCES items (identity),
    attempt_key TEXT REFERENCES attempts ("key"),
    type TEXT NOT NULL CHECK (type IN (
        'planned', 'intent', 'send_ended', 'accepted', 'rejected', 'uncertain', 'seen', 'succeeded', 'failed',
        'vanished', 'stalled', 'written_off', 'skipped', 'refunded', 'saved'
    )),
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX events_of_item ON events (identity, seq);

CREATE TRIGGER an_event_never_changes BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'an event never changes'); END;

CREATE TRIGGER an_event_stays BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'an event is never deleted'); END;
