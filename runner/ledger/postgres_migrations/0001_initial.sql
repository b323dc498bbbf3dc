-- The ledger of one account in PostgreSQL, in a schema of its own, as it is on SQLite after its third step. Append only:
-- a later change is a new file with the next number, never an edit here.
--
-- Credits are whole numbers. Times are seconds since 1970, UTC. Columns named `params`, `axes`, `tags`, `data` and
-- `reference_digests` hold JSON as it was written; `jsonb` would spell it anew. Text is compared byte by byte: a
-- database's own order may change with its system. Rows refer to lives and, from events, to attempts without a foreign
-- key: its check would lock the row that all writers share.

CREATE TABLE migrations (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at_s DOUBLE PRECISION NOT NULL
);

-- One row: whose ledger this is. Keys are worth something under one account at one service only.
CREATE TABLE meta (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    created_at_s DOUBLE PRECISION NOT NULL
);

-- Everybody who ever wrote here. Each commit counts itself in its writer's row: so a writer whose connection broke in a
-- commit learns whether that became durable, and a writer who was `fenced` writes nothing more.
CREATE TABLE writers (
    writer_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('runner', 'worker')),
    pid BIGINT NOT NULL,
    host TEXT NOT NULL,
    since_s DOUBLE PRECISION NOT NULL,
    commits BIGINT NOT NULL DEFAULT 0 CHECK (commits >= 0),
    fenced BIGINT NOT NULL DEFAULT 0 CHECK (fenced IN (0, 1)),
    ended_at_s DOUBLE PRECISION
) WITH (fillfactor = 50);

CREATE UNIQUE INDEX one_runner_at_a_time ON writers (role) WHERE role = 'runner' AND fenced = 0 AND ended_at_s IS NULL;

-- A manifest name and edition, over all its lives; the other columns are as its latest life saw them.
CREATE TABLE runs (
    run_id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    edition TEXT NOT NULL,
    manifest_path TEXT NOT NULL,
    manifest_sha256 TEXT NOT NULL,
    cap_credits BIGINT CHECK (cap_credits >= 0),
    out_dir TEXT NOT NULL
);

-- One execution of a run by one process. Without an end it is alive, or it died.
CREATE TABLE lives (
    life_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    started_at_s DOUBLE PRECISION NOT NULL,
    pid BIGINT NOT NULL,
    host TEXT NOT NULL,
    out_dir TEXT NOT NULL,
    ended_at_s DOUBLE PRECISION,
    exit_code BIGINT,
    CHECK ((ended_at_s IS NULL) = (exit_code IS NULL))
);

CREATE INDEX lives_of_run ON lives (run_id, life_id);

-- What is bought, by content, and where it stands: the columns from `state` on are the fold of its events.
CREATE TABLE items (
    identity TEXT COLLATE "C" PRIMARY KEY,
    model TEXT COLLATE "C" NOT NULL,
    prompt TEXT,
    params TEXT NOT NULL CHECK (params::json IS NOT NULL),
    reference_digests TEXT NOT NULL CHECK (reference_digests::json IS NOT NULL),
    repeat BIGINT NOT NULL CHECK (repeat >= 1),
    edition TEXT NOT NULL,
    price_class TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN (
        'planned', 'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'skipped', 'uncertain', 'vanished',
        'stalled'
    )),
    version BIGINT NOT NULL CHECK (version >= 1),
    first_at_s DOUBLE PRECISION NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    sends BIGINT NOT NULL DEFAULT 0 CHECK (sends >= 0),
    failures BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    latest_attempt_key TEXT COLLATE "C",
    error_code TEXT,
    error_message TEXT,
    request_id TEXT,
    CHECK (state IN ('planned', 'skipped') OR latest_attempt_key IS NOT NULL),
    CHECK ((attempts = 0) = (latest_attempt_key IS NULL))
) WITH (fillfactor = 70);

-- How a run names an item. `wanted` is 0 once the manifest no longer has it; the row stays, for it may have been paid.
CREATE TABLE run_items (
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (run_id),
    identity TEXT COLLATE "C" NOT NULL REFERENCES items (identity),
    item_index BIGINT NOT NULL CHECK (item_index >= 0),
    item_key TEXT COLLATE "C" NOT NULL,
    job TEXT NOT NULL,
    axes TEXT NOT NULL CHECK (axes::json IS NOT NULL),
    tags TEXT NOT NULL CHECK (tags::json IS NOT NULL),
    output_stem TEXT NOT NULL,
    wanted BIGINT NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (run_id, identity)
);

CREATE UNIQUE INDEX one_item_per_key ON run_items (run_id, item_key) WHERE wanted = 1;
CREATE INDEX run_items_of_item ON run_items (identity);

-- One purchase: one key bound to one frozen body. `state` is the item's state while this attempt is its latest. `place`
-- says which was written first.
CREATE TABLE attempts (
    "key" TEXT COLLATE "C" PRIMARY KEY CHECK (length("key") BETWEEN 1 AND 64),
    place BIGINT GENERATED ALWAYS AS IDENTITY,
    identity TEXT COLLATE "C" NOT NULL REFERENCES items (identity),
    epoch BIGINT NOT NULL CHECK (epoch >= 0),
    ordinal BIGINT NOT NULL CHECK (ordinal >= 0),
    scope TEXT COLLATE "C" NOT NULL,
    price_class TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN (
        'submitting', 'accepted', 'succeeded', 'failed', 'rejected', 'uncertain', 'vanished', 'stalled'
    )),
    bound BIGINT NOT NULL CHECK (bound >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    settled BIGINT NOT NULL DEFAULT 0 CHECK (settled >= 0),
    ambiguous BIGINT NOT NULL DEFAULT 0 CHECK (ambiguous IN (0, 1)),
    sends BIGINT NOT NULL DEFAULT 0 CHECK (sends >= 0),
    task_id TEXT COLLATE "C" CHECK (task_id <> ''),
    reserved_credits BIGINT CHECK (reserved_credits >= 0),
    final_credits BIGINT CHECK (final_credits >= 0),
    server_at_s DOUBLE PRECISION NOT NULL,
    opened_at_s DOUBLE PRECISION NOT NULL,
    accepted_at_s DOUBLE PRECISION,
    finished_at_s DOUBLE PRECISION,
    body_sha256 TEXT NOT NULL CHECK (length(body_sha256) = 64),
    body BYTEA NOT NULL,
    UNIQUE (identity, epoch, ordinal),
    CHECK (reserved = 0 OR state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled')),
    CHECK (settled = 0 OR state IN ('succeeded', 'failed')),
    CHECK (state NOT IN ('accepted', 'vanished', 'stalled', 'succeeded') OR task_id IS NOT NULL)
) WITH (fillfactor = 70);

CREATE INDEX attempts_in_order ON attempts (place);

ALTER TABLE items ADD FOREIGN KEY (latest_attempt_key) REFERENCES attempts ("key");

-- Two items that claim one task would be one result counted twice.
CREATE UNIQUE INDEX one_attempt_per_task ON attempts (task_id) WHERE task_id IS NOT NULL;

-- An item is bought by one attempt at a time.
CREATE UNIQUE INDEX one_open_attempt_per_item ON attempts (identity)
    WHERE state IN ('submitting', 'accepted', 'uncertain', 'vanished', 'stalled');

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', tg_argv[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER a_key_keeps_its_body
BEFORE UPDATE OF "key", identity, epoch, ordinal, scope, body, body_sha256, bound ON attempts
FOR EACH ROW EXECUTE FUNCTION refuse('an attempt''s key, body and bound never change');

CREATE TRIGGER an_attempt_stays BEFORE DELETE ON attempts
FOR EACH ROW EXECUTE FUNCTION refuse('an attempt is never deleted');

-- The result files of an attempt; `n` counts from 1. `file` is relative to the output folder of the life that moved it.
CREATE TABLE artifacts (
    attempt_key TEXT COLLATE "C" NOT NULL REFERENCES attempts ("key"),
    n BIGINT NOT NULL CHECK (n >= 1),
    url TEXT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN (
        'wanted', 'partial', 'verified', 'unverified', 'quarantined', 'gone'
    )),
    file TEXT,
    sha256 TEXT,
    bytes BIGINT CHECK (bytes >= 0),
    type TEXT,
    life_id BIGINT,
    PRIMARY KEY (attempt_key, n)
) WITH (fillfactor = 70);

-- What the account already holds of a reference's content. `duration_token` is secret-like: never shown.
CREATE TABLE uploads (
    sha256 TEXT COLLATE "C" PRIMARY KEY,
    file_id TEXT NOT NULL,
    url TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    duration_token TEXT,
    duration_s DOUBLE PRECISION,
    expires_at TEXT,
    at_s DOUBLE PRECISION NOT NULL
);

-- Credits of one scope (a run), over all its lives: the sum of its attempts.
CREATE TABLE books (
    scope TEXT COLLATE "C" PRIMARY KEY,
    reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    settled BIGINT NOT NULL DEFAULT 0 CHECK (settled >= 0)
) WITH (fillfactor = 50);

-- Everything that happened, in order: the truth that `items`, `attempts`, `artifacts` and `books` are made from.
CREATE TABLE events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_s DOUBLE PRECISION NOT NULL,
    life_id BIGINT,
    identity TEXT COLLATE "C" NOT NULL REFERENCES items (identity),
    attempt_key TEXT COLLATE "C",
    type TEXT COLLATE "C" NOT NULL CHECK (type IN (
        'planned', 'intent', 'send_ended', 'accepted', 'rejected', 'uncertain', 'seen', 'succeeded', 'failed',
        'vanished', 'stalled', 'written_off', 'skipped', 'refunded', 'saved'
    )),
    data TEXT NOT NULL CHECK (data::json IS NOT NULL)
);

CREATE INDEX events_of_item ON events (identity, seq);

CREATE TRIGGER an_event_never_changes BEFORE UPDATE ON events
FOR EACH ROW EXECUTE FUNCTION refuse('an event never changes');

CREATE TRIGGER an_event_stays BEFORE DELETE ON events
FOR EACH ROW EXECUTE FUNCTION refuse('an event is never deleted');

-- What happened to a run as a whole, beside what happened to its items. For people and pages; nothing is decided by it.
CREATE TABLE notes (
    note_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    life_id BIGINT NOT NULL,
    at_s DOUBLE PRECISION NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL CHECK (data::json IS NOT NULL)
);

CREATE INDEX notes_of_life ON notes (life_id, note_id);

-- How a run's results are laid out, as its latest life was told: JSON, the `report` block of each job that has one.
CREATE TABLE layouts (
    run_id TEXT COLLATE "C" PRIMARY KEY REFERENCES runs (run_id),
    layout TEXT NOT NULL CHECK (layout::json IS NOT NULL)
);

-- The highest figure the service ever gave for each price class: asked at every start, and a million attempts are too
-- many to look at for it.
CREATE TABLE class_prices (
    price_class TEXT COLLATE "C" PRIMARY KEY,
    credits BIGINT NOT NULL CHECK (credits > 0)
);

-- The row is locked only when it changes: all writers share it.
CREATE FUNCTION keep_a_higher_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    figure BIGINT := greatest(coalesce(new.reserved_credits, 0), coalesce(new.final_credits, 0));
BEGIN
    IF figure > 0 AND NOT EXISTS (
        SELECT FROM class_prices AS c WHERE c.price_class = new.price_class AND c.credits >= figure
    ) THEN
        INSERT INTO class_prices AS c (price_class, credits) VALUES (new.price_class, figure)
        ON CONFLICT (price_class) DO UPDATE SET credits = greatest(c.credits, excluded.credits);
    END IF;
    RETURN NULL;
END $$;

DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION keep_a_higher_price() SET search_path = %I, pg_temp', current_schema());
END $$;

CREATE TRIGGER a_higher_price_is_kept AFTER UPDATE OF reserved_credits, final_credits ON attempts
FOR EACH ROW EXECUTE FUNCTION keep_a_higher_price();
