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

SET session_replication_role = replica;
INSERT INTO "migrations" ("number", "name", "applied_at_s") OVERRIDING SYSTEM VALUE VALUES (1, '0001_initial', 1000.0);
INSERT INTO "meta" ("only_row", "account", "base_url", "instance_id", "created_at_s") OVERRIDING SYSTEM VALUE VALUES (1, 'default', 'https://rivya.example', 'golden', 1000.0);
INSERT INTO "writers" ("writer_id", "role", "pid", "host", "since_s", "commits", "fenced", "ended_at_s") OVERRIDING SYSTEM VALUE VALUES (1, 'runner', 1, 'studio', 1000.0, 25, 0, 1000.0);
SELECT setval(pg_get_serial_sequence('writers', 'writer_id'), (SELECT coalesce(max(writer_id), 0) + 1 FROM writers), false);
INSERT INTO "runs" ("run_id", "name", "edition", "manifest_path", "manifest_sha256", "cap_credits", "out_dir") OVERRIDING SYSTEM VALUE VALUES ('night', 'night', '', '/manifests/night.yaml', '0000000000000000000000000000000000000000000000000000000000000000', 700, '/out/night');
INSERT INTO "runs" ("run_id", "name", "edition", "manifest_path", "manifest_sha256", "cap_credits", "out_dir") OVERRIDING SYSTEM VALUE VALUES ('night@2026-05-11', 'night', '2026-05-11', '/manifests/night.yaml', '0000000000000000000000000000000000000000000000000000000000000000', NULL, '/out/night');
INSERT INTO "lives" ("life_id", "run_id", "started_at_s", "pid", "host", "out_dir", "ended_at_s", "exit_code") OVERRIDING SYSTEM VALUE VALUES (1, 'night', 1000.0, 1, 'studio', '/out/night', 2000.0, 3);
INSERT INTO "lives" ("life_id", "run_id", "started_at_s", "pid", "host", "out_dir", "ended_at_s", "exit_code") OVERRIDING SYSTEM VALUE VALUES (2, 'night@2026-05-11', 3000.0, 2, 'studio', '/out/night', NULL, NULL);
INSERT INTO "lives" ("life_id", "run_id", "started_at_s", "pid", "host", "out_dir", "ended_at_s", "exit_code") OVERRIDING SYSTEM VALUE VALUES (3, 'night', 4000.0, 3, 'studio', '/out/night', 5000.0, 0);
SELECT setval(pg_get_serial_sequence('lives', 'life_id'), (SELECT coalesce(max(life_id), 0) + 1 FROM lives), false);
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'seedance', 'shoe number 90', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000005a"]', 1, '2026-05-11', 'seedance?duration=8', 'succeeded', 6, 3000.0, 1, 1, 0, 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 'seedance', 'refunded, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000e"]', 1, '', 'seedance?duration=8', 'succeeded', 5, 1000.0, 1, 1, 0, 'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl', 'seedance', 'submitting, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000001"]', 1, '', 'seedance?duration=8', 'submitting', 2, 1000.0, 1, 0, 0, 'rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz', NULL, NULL, NULL);
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-4qusg3tr25ltk7k75467c46beihdm4pu', 'seedance', 'accepted, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000003"]', 1, '', 'seedance?duration=8', 'accepted', 3, 1000.0, 1, 1, 0, 'rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz', 'seedance', 'shoe number 91', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000005b"]', 1, '2026-05-11', 'seedance?duration=8', 'planned', 1, 3000.0, 0, 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 'seedance', 'adopted, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000f"]', 1, '', 'seedance?duration=8', 'accepted', 5, 1000.0, 1, 1, 0, 'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', NULL, NULL, 'req-d');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 'seedance', 'stalled, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000c"]', 1, '', 'seedance?duration=8', 'stalled', 5, 1000.0, 1, 1, 0, 'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 'stalled', 'no end within 20 min', 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 'seedance', 'written-off, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000d"]', 1, '', 'seedance?duration=8', 'failed', 5, 1000.0, 1, 1, 0, 'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 'written_off', 'not worth it', 'req-d');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', 'seedance', 'doubtful, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000002"]', 1, '', 'seedance?duration=8', 'submitting', 3, 1000.0, 1, 1, 0, 'rvb1-4pmho24p6ieekawjilwlbr4csogp4le6', NULL, NULL, 'req-d');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'seedance', 'gone, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000006"]', 1, '', 'seedance?duration=8', 'succeeded', 6, 1000.0, 1, 1, 0, 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', 'seedance', 'rejected, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000008"]', 1, '', 'seedance?duration=8', 'rejected', 3, 1000.0, 1, 1, 0, 'rvb1-77i7wagdaf33wazizum5a6gcnweigsfo', 'validation_failed', 'prompt: no', 'req-n');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'seedance', 'failed, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000007"]', 1, '', 'seedance?duration=8', 'failed', 7, 1000.0, 2, 2, 2, 'rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr', 'generation_failed', 'no luck', 'req-f');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 'seedance', 'succeeded, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000004"]', 1, '', 'seedance?duration=8', 'succeeded', 4, 1000.0, 1, 1, 0, 'rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'seedance', 'again, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000010"]', 1, '', 'seedance?duration=8', 'accepted', 8, 1000.0, 2, 2, 0, 'rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 'seedance', 'vanished, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000b"]', 1, '', 'seedance?duration=8', 'vanished', 4, 1000.0, 1, 1, 0, 'rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit', 'vanished', 'HTTP 404', 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj', 'seedance', 'skipped, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000009"]', 1, '', 'seedance?duration=8', 'skipped', 2, 1000.0, 0, 0, 0, NULL, 'budget_exhausted', 'no room', NULL);
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 'seedance', 'uncertain, with an é and a 靴', '{"duration":"8"}', '["000000000000000000000000000000000000000000000000000000000000000a"]', 1, '', 'seedance?duration=8', 'uncertain', 4, 1000.0, 1, 1, 0, 'rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk', 'uncertain', 'the key''s hour is over', 'req-d');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'seedance', 'saved, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000005"]', 1, '', 'seedance?duration=8', 'succeeded', 6, 1000.0, 1, 1, 0, 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', NULL, NULL, 'req-a');
INSERT INTO "items" ("identity", "model", "prompt", "params", "reference_digests", "repeat", "edition", "price_class", "state", "version", "first_at_s", "attempts", "sends", "failures", "latest_attempt_key", "error_code", "error_message", "request_id") OVERRIDING SYSTEM VALUE VALUES ('i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q', 'seedance', 'planned, with an é and a 靴', '{"duration":"8"}', '["0000000000000000000000000000000000000000000000000000000000000000"]', 1, '', 'seedance?duration=8', 'planned', 1, 1000.0, 0, 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 14, 'reveal/refunded', 'reveal', '{"vars.n":14}', '["hero"]', 'reveal/14', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl', 1, 'reveal/submitting', 'reveal', '{"vars.n":1}', '["hero"]', 'reveal/1', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-4qusg3tr25ltk7k75467c46beihdm4pu', 3, 'reveal/accepted', 'reveal', '{"vars.n":3}', '["hero"]', 'reveal/3', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 15, 'reveal/adopted', 'reveal', '{"vars.n":15}', '["hero"]', 'reveal/15', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 12, 'reveal/stalled', 'reveal', '{"vars.n":12}', '["hero"]', 'reveal/12', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 13, 'reveal/written-off', 'reveal', '{"vars.n":13}', '["hero"]', 'reveal/13', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', 2, 'reveal/doubtful', 'reveal', '{"vars.n":2}', '["hero"]', 'reveal/2', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 6, 'reveal/gone', 'reveal', '{"vars.n":6}', '["hero"]', 'reveal/6', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', 8, 'reveal/rejected', 'reveal', '{"vars.n":8}', '["hero"]', 'reveal/8', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 7, 'reveal/failed', 'reveal', '{"vars.n":7}', '["hero"]', 'reveal/7', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 4, 'reveal/succeeded', 'reveal', '{"vars.n":4}', '["hero"]', 'reveal/4', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 16, 'reveal/again', 'reveal', '{"vars.n":16}', '["hero"]', 'reveal/16', 0);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 11, 'reveal/vanished', 'reveal', '{"vars.n":11}', '["hero"]', 'reveal/11', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj', 9, 'reveal/skipped', 'reveal', '{"vars.n":9}', '["hero"]', 'reveal/9', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 10, 'reveal/uncertain', 'reveal', '{"vars.n":10}', '["hero"]', 'reveal/10', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 5, 'reveal/saved', 'reveal', '{"vars.n":5}', '["hero"]', 'reveal/5', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night', 'i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q', 0, 'reveal/planned', 'reveal', '{"vars.n":0}', '["hero"]', 'reveal/0', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night@2026-05-11', 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 90, 'dated/90', 'reveal', '{"vars.n":90}', '["hero"]', 'reveal/90', 1);
INSERT INTO "run_items" ("run_id", "identity", "item_index", "item_key", "job", "axes", "tags", "output_stem", "wanted") OVERRIDING SYSTEM VALUE VALUES ('night@2026-05-11', 'i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz', 91, 'dated/91', 'reveal', '{"vars.n":91}', '["hero"]', 'reveal/91', 1);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me', 3, 'i1-4qusg3tr25ltk7k75467c46beihdm4pu', 0, 1, 'night', 'seedance?duration=8', 'accepted', 10, 10, 0, 0, 1, 'task-3-1004', 9, NULL, 1002.75, 1004.0, 1005.0, NULL, '9aa0b154d2916622dd5a6b0d44f74ebe7b235c55d9f1053fa6347db2b32c7a15', '\x7b226d6f64656c223a2273656564616e6365227d727662312d346a70706a776e6976666971756d6832673362767a3468723367746571376d65'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-4pmho24p6ieekawjilwlbr4csogp4le6', 2, 'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', 0, 1, 'night', 'seedance?duration=8', 'submitting', 10, 10, 0, 1, 1, NULL, NULL, NULL, 1000.75, 1002.0, NULL, NULL, '0e0116a085868c63e89cac69f8a6b92b417b79e1c8fa87c89f9f49c3ca0877da', '\x7b226d6f64656c223a2273656564616e6365227d727662312d34706d686f323470366965656b61776a696c776c62723463736f6770346c6536'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit', 11, 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 0, 1, 'night', 'seedance?duration=8', 'vanished', 10, 10, 0, 0, 1, 'task-11-1031', 9, NULL, 1029.75, 1031.0, 1032.0, NULL, 'bdb049e7ffaa3e714b3875a0a1feb1ea0ec104497f45bdce8fd263633ff4de30', '\x7b226d6f64656c223a2273656564616e6365227d727662312d3661756c3774367a776d64376267676578616d376e6a376279786a616e726974'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-77i7wagdaf33wazizum5a6gcnweigsfo', 9, 'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', 0, 1, 'night', 'seedance?duration=8', 'rejected', 10, 0, 0, 0, 1, NULL, NULL, NULL, 1023.75, 1025.0, NULL, 1026.0, '31e96758641f56d07ce8bc92c409fecb2a34cbb1020fc160f6c6acbd4ab68011', '\x7b226d6f64656c223a2273656564616e6365227d727662312d37376937776167646166333377617a697a756d35613667636e7765696773666f'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', 15, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 0, 1, 'night', 'seedance?duration=8', 'accepted', 10, 10, 0, 1, 1, 'task-by-hand', NULL, NULL, 1044.75, 1046.0, 1049.0, NULL, 'faa04451ce682bf3f47faac12fcf62622a085f1efa74ed3b75341419dd81b6fb', '\x7b226d6f64656c223a2273656564616e6365227d727662312d617a65726b686567736862356b74666b716a656a717662673334723275356570'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 5, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 0, 1, 'night', 'seedance?duration=8', 'succeeded', 10, 0, 9, 0, 1, 'task-5-1009', 9, 9, 1007.75, 1009.0, 1010.0, 1011.0, '5943c673bbb88af9b6689c664c7e3c749f226cc5d9237f3b19e3e7b75daa7a6a', '\x7b226d6f64656c223a2273656564616e6365227d727662312d617a6766796e6a766576746e7761357236636c71627765726d79667a7269736c'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 12, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 0, 1, 'night', 'seedance?duration=8', 'stalled', 10, 11, 0, 0, 1, 'task-12-1034', 11, NULL, 1032.75, 1034.0, 1035.0, NULL, '05d43cad7a8bb8fc759a67b287523fadc997c78e9b83d7ddaf07b63c23a9c267', '\x7b226d6f64656c223a2273656564616e6365227d727662312d6433676c6e7878377a7174787a6269757a6f6b6b6a3677733232346a64696834'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 14, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 0, 1, 'night', 'seedance?duration=8', 'succeeded', 10, 0, 5, 0, 1, 'task-14-1042', 9, 9, 1040.75, 1042.0, 1043.0, 1044.0, 'd7129c1b5dcce8c1c11dc9ad95f34d34022fba17b377fa869fb4e1536cd31d6e', '\x7b226d6f64656c223a2273656564616e6365227d727662312d66346f7279766d6e37373264746a7779377a6d70627836703776377a6f6f657a'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 13, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 0, 1, 'night', 'seedance?duration=8', 'failed', 10, 0, 10, 1, 1, NULL, NULL, NULL, 1036.75, 1038.0, NULL, 1041.0, '0ff183d7a80d30f138426f71e9cb9546186696bb1a753e23e8ea81e8acc22bcf', '\x7b226d6f64656c223a2273656564616e6365227d727662312d69353374657a77767064323576636236626b346a67637861613661677a687363'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz', 1, 'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl', 0, 1, 'night', 'seedance?duration=8', 'submitting', 10, 10, 0, 0, 0, NULL, NULL, NULL, 999.75, 1001.0, NULL, NULL, 'ae4ba0e5baa84d962f0ffdb8f6ae6bda4d54773863a2d23c37367de51d43e34c', '\x7b226d6f64656c223a2273656564616e6365227d727662312d696573617969626d72716b786d63616e336e347575716571786468333277647a'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr', 8, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 0, 2, 'night', 'seedance?duration=8', 'failed', 10, 0, 0, 0, 1, 'task-7-1022', 9, 0, 1020.75, 1022.0, 1023.0, 1024.0, 'ef00d9180c374ac2a07d8775e0a64836ba7af5f7714d02f2b549d0c60711f2ad', '\x7b226d6f64656c223a2273656564616e6365227d727662312d6a70676e613470366b34717879686669776379716d7170746765776861707772'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 18, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 0, 1, 'night@2026-05-11', 'seedance?duration=8', 'succeeded', 10, 0, 9, 0, 1, 'task-90-3001', 9, 9, 2999.75, 3001.0, 3002.0, 3003.0, '6ca293883e6800300ac7b2fd541ef2c565e33613be914b2a9ede1d140b595865', '\x7b226d6f64656c223a2273656564616e6365227d727662312d6b6c6734347777746b6f6a73797a68686d767972623674747476716864366662'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk', 10, 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 0, 1, 'night', 'seedance?duration=8', 'uncertain', 10, 10, 0, 1, 1, NULL, NULL, NULL, 1026.75, 1028.0, NULL, NULL, '3ebca1578776b715ea2a8fdebba7bb74fa95e43336f0c453a5487397a324ccee', '\x7b226d6f64656c223a2273656564616e6365227d727662312d716766646a6c7a626961366c706c71756d377271777a6b6e67376a327274756b'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 4, 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 0, 1, 'night', 'seedance?duration=8', 'succeeded', 10, 0, 9, 0, 1, 'task-4-1006', 9, 9, 1004.75, 1006.0, 1007.0, 1008.0, '4bdb4674b33e5b6d296cd922da4ae2dd95755d965ea2722c45ef09f866b92072', '\x7b226d6f64656c223a2273656564616e6365227d727662312d726167703636703566636163777333676469677934626e33616d376b78626836'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427', 7, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 0, 1, 'night', 'seedance?duration=8', 'failed', 10, 0, 0, 0, 1, 'task-7-1019', 9, 0, 1017.75, 1019.0, 1020.0, 1021.0, '12b8e2674ec70351043c58bd1411d34a7482291e78bbfc072d01074d22873995', '\x7b226d6f64656c223a2273656564616e6365227d727662312d726b7779377a6337766b71327034746677376c61746864686d67673372343237'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 6, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 0, 1, 'night', 'seedance?duration=8', 'succeeded', 10, 0, 9, 0, 1, 'task-6-1014', 9, 9, 1012.75, 1014.0, 1015.0, 1016.0, 'c27e08addd7c1d88e43aeb452c29942f5a7706331c8d832ec83a6e91878b258d', '\x7b226d6f64656c223a2273656564616e6365227d727662312d733673723279346b773563636c667136617869766d3378713466766d6d6f3472'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 16, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 0, 1, 'night', 'seedance?duration=8', 'succeeded', 10, 0, 9, 0, 1, 'task-16-1050', 9, 9, 1048.75, 1050.0, 1051.0, 1052.0, '52dc049e584d728f738594723ea802d34d35691fda7d1b7fb3f7023457f11822', '\x7b226d6f64656c223a2273656564616e6365227d727662312d77636c6f663432666d6b63347978696a6b36336b347565686879796337736472'::bytea);
INSERT INTO "attempts" ("key", "place", "identity", "epoch", "ordinal", "scope", "price_class", "state", "bound", "reserved", "settled", "ambiguous", "sends", "task_id", "reserved_credits", "final_credits", "server_at_s", "opened_at_s", "accepted_at_s", "finished_at_s", "body_sha256", "body") OVERRIDING SYSTEM VALUE VALUES ('rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg', 17, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 1, 1, 'night', 'seedance?duration=8', 'accepted', 12, 12, 0, 0, 1, 'task-16-1055', NULL, NULL, 1053.75, 1055.0, 1056.0, NULL, 'a9769bad38e1257a54d10dd78950075ac812235b14e4e43aa421628254151979', '\x7b226d6f64656c223a2273656564616e6365227d727662312d77697332727670626d68366c676c7a72327033673662666f6d61677978677367'::bytea);
SELECT setval(pg_get_serial_sequence('attempts', 'place'), (SELECT coalesce(max(place), 0) + 1 FROM attempts), false);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 1, 'https://cdn.example/1', 'verified', 'reveal/5.mp4', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 7, 'video/mp4', 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 2, 'https://cdn.example/2', 'partial', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 1, 'https://cdn.example/1', 'wanted', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 2, 'https://cdn.example/2', 'wanted', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 1, 'https://cdn.example/1', 'verified', 'reveal/90.mp4', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 7, 'video/mp4', 2);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 2, 'https://cdn.example/2', 'partial', NULL, NULL, NULL, NULL, 2);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 1, 'https://cdn.example/1', 'wanted', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 2, 'https://cdn.example/2', 'wanted', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 1, 'https://cdn.example/1', 'gone', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 2, 'https://cdn.example/2', 'gone', NULL, NULL, NULL, NULL, 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 1, 'https://cdn.example/1', 'verified', 'reveal/16.mp4', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 7, 'video/mp4', 1);
INSERT INTO "artifacts" ("attempt_key", "n", "url", "state", "file", "sha256", "bytes", "type", "life_id") OVERRIDING SYSTEM VALUE VALUES ('rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 2, 'https://cdn.example/2', 'partial', NULL, NULL, NULL, NULL, 1);
INSERT INTO "uploads" ("sha256", "file_id", "url", "kind", "name", "mime_type", "duration_token", "duration_s", "expires_at", "at_s") OVERRIDING SYSTEM VALUE VALUES ('0000000000000000000000000000000000000000000000000000000000000000', 'f1', 'https://files.example/f1', 'image', 'shoe.png', 'image/png', 'secret', 1.5, '2030-01-01T00:00:00Z', 5.0);
INSERT INTO "uploads" ("sha256", "file_id", "url", "kind", "name", "mime_type", "duration_token", "duration_s", "expires_at", "at_s") OVERRIDING SYSTEM VALUE VALUES ('0000000000000000000000000000000000000000000000000000000000000001', 'f1', 'https://files.example/f1', 'image', 'shoe.png', 'image/png', 'secret', 1.5, '2030-01-01T00:00:00Z', 5.0);
INSERT INTO "books" ("scope", "reserved", "settled") OVERRIDING SYSTEM VALUE VALUES ('night', 83, 51);
INSERT INTO "books" ("scope", "reserved", "settled") OVERRIDING SYSTEM VALUE VALUES ('night@2026-05-11', 0, 9);
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (1, 1000.0, 1, 'i1-ye5orjofydut4s7nd6yznnxwp6bfkr2q', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (2, 1000.0, 1, 'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (3, 1000.0, 1, 'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (4, 1000.0, 1, 'i1-4qusg3tr25ltk7k75467c46beihdm4pu', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (5, 1000.0, 1, 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (6, 1000.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (7, 1000.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (8, 1000.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (9, 1000.0, 1, 'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (10, 1000.0, 1, 'i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (11, 1000.0, 1, 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (12, 1000.0, 1, 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (13, 1000.0, 1, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (14, 1000.0, 1, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (15, 1000.0, 1, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (16, 1000.0, 1, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (17, 1000.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (18, 1001.0, 1, 'i1-32kg2xpkiwhvvumccubvg5pqtsdfbmvl', 'rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-iesayibmrqkxmcan3n4uuqeqxdh32wdz","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":999.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (19, 1002.0, 1, 'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', 'rvb1-4pmho24p6ieekawjilwlbr4csogp4le6', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-4pmho24p6ieekawjilwlbr4csogp4le6","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1000.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (20, 1003.0, 1, 'i1-dfvdq2wwhxe6vazbcvibnkhwjxb6i5q7', 'rvb1-4pmho24p6ieekawjilwlbr4csogp4le6', 'send_ended', '{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (21, 1004.0, 1, 'i1-4qusg3tr25ltk7k75467c46beihdm4pu', 'rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1002.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (22, 1005.0, 1, 'i1-4qusg3tr25ltk7k75467c46beihdm4pu', 'rvb1-4jppjwnivfiqumh2g3bvz4hr3gteq7me', 'accepted', '{"task_id":"task-3-1004","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (23, 1006.0, 1, 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 'rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1004.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (24, 1007.0, 1, 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 'rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 'accepted', '{"task_id":"task-4-1006","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (25, 1008.0, 1, 'i1-nfgbpmqagyg7y5sg23sl7yrbutgg44qx', 'rvb1-ragp66p5fcacws3gdigy4bn3am7kxbh6', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (26, 1009.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1007.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (27, 1010.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 'accepted', '{"task_id":"task-5-1009","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (28, 1011.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (29, 1012.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 'saved', '{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/5.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (30, 1013.0, 1, 'i1-szf5vowfuqr76vapalos5qlnkvcvmb6p', 'rvb1-azgfynjvevtnwa5r6clqbwermyfzrisl', 'saved', '{"n":2,"url":"https://cdn.example/2","state":"partial"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (31, 1014.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1012.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (32, 1015.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 'accepted', '{"task_id":"task-6-1014","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (33, 1016.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (34, 1017.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 'saved', '{"n":1,"url":"https://cdn.example/1","state":"gone"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (35, 1018.0, 1, 'i1-gd3d25qr5t6xvc57muwxoeo5lnwg47fe', 'rvb1-s6sr2y4kw5cclfq6axivm3xq4fvmmo4r', 'saved', '{"n":2,"url":"https://cdn.example/2","state":"gone"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (36, 1019.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1017.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (37, 1020.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427', 'accepted', '{"task_id":"task-7-1019","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (38, 1021.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-rkwy7zc7vkq2p4tfw7lathdhmgg3r427', 'failed', '{"assumed":false,"code":"generation_failed","message":"no luck","request_id":"req-f","final_credits":0,"charge":0}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (39, 1022.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr', 'intent', '{"epoch":0,"ordinal":2,"key":"rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1020.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (40, 1023.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr', 'accepted', '{"task_id":"task-7-1022","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (41, 1024.0, 1, 'i1-lyrjm5adgmreacqedezu5zie6asqxiup', 'rvb1-jpgna4p6k4qxyhfiwcyqmqptgewhapwr', 'failed', '{"assumed":false,"code":"generation_failed","message":"no luck","request_id":"req-f","final_credits":0,"charge":0}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (42, 1025.0, 1, 'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', 'rvb1-77i7wagdaf33wazizum5a6gcnweigsfo', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-77i7wagdaf33wazizum5a6gcnweigsfo","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1023.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (43, 1026.0, 1, 'i1-ikmzuupon7ibchl65yuzooeihvo5q2wj', 'rvb1-77i7wagdaf33wazizum5a6gcnweigsfo', 'rejected', '{"by":"service","code":"validation_failed","message":"prompt: no","request_id":"req-n"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (44, 1027.0, 1, 'i1-rpy3sxiyeksgr7t2zjs2mlpgedhvhuoj', NULL, 'skipped', '{"code":"budget_exhausted","message":"no room"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (45, 1028.0, 1, 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 'rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1026.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (46, 1029.0, 1, 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 'rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk', 'send_ended', '{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (47, 1030.0, 1, 'i1-rvzkcz5v4yasjv24mccxapwwfxnlgqs5', 'rvb1-qgfdjlzbia6lplqum7rqwzkng7j2rtuk', 'uncertain', '{"reason":"the key''s hour is over"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (48, 1031.0, 1, 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 'rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1029.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (49, 1032.0, 1, 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 'rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit', 'accepted', '{"task_id":"task-11-1031","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (50, 1033.0, 1, 'i1-qunn2t2kan5qjajbtdyyroc3ljnmjuer', 'rvb1-6aul7t6zwmd7bggexam7nj7byxjanrit', 'vanished', '{"reason":"HTTP 404"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (51, 1034.0, 1, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1032.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (52, 1035.0, 1, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 'accepted', '{"task_id":"task-12-1034","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (53, 1036.0, 1, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 'seen', '{"status":"processing","reserved_credits":11}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (54, 1037.0, 1, 'i1-6tph7e6qlflo2tosn6w7j3xw6erpb2tp', 'rvb1-d3glnxx7zqtxzbiuzokkj6ws224jdih4', 'stalled', '{"reason":"no end within 20 min"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (55, 1038.0, 1, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1036.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (56, 1039.0, 1, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 'send_ended', '{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (57, 1040.0, 1, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 'uncertain', '{"reason":"the key''s hour is over"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (58, 1041.0, 1, 'i1-7ypt34iuepgt6qqulnkevgzaocg7ekam', 'rvb1-i53tezwvpd25vcb6bk4jgcxaa6agzhsc', 'written_off', '{"message":"not worth it","charge":10,"by":"ann"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (59, 1042.0, 1, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1040.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (60, 1043.0, 1, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 'accepted', '{"task_id":"task-14-1042","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (61, 1044.0, 1, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (62, 1045.0, 1, 'i1-2lslbp32wnzkp26a4flky6ciuveus6s2', 'rvb1-f4oryvmn772dtjwy7zmpbx6p7v7zooez', 'refunded', '{"credits":4}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (63, 1046.0, 1, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1044.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (64, 1047.0, 1, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', 'send_ended', '{"ambiguous":true,"outcome":"ambiguous","status":502,"request_id":"req-d","reason":"HTTP 502"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (65, 1048.0, 1, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', 'uncertain', '{"reason":"the key''s hour is over"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (66, 1049.0, 1, 'i1-5ntq7u7aoqnaqy4okqjhlmkt2s5szszt', 'rvb1-azerkhegshb5ktfkqjejqvbg34r2u5ep', 'accepted', '{"task_id":"task-by-hand","reserved_credits":null,"by":"ann"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (67, 1050.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr","bound":10,"price_class":"seedance?duration=8","scope":"night","server_at_s":1048.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (68, 1051.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 'accepted', '{"task_id":"task-16-1050","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (69, 1052.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (70, 1053.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 'saved', '{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/16.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (71, 1054.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wclof42fmkc4yxijk63k4uehhyyc7sdr', 'saved', '{"n":2,"url":"https://cdn.example/2","state":"partial"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (72, 1055.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg', 'intent', '{"epoch":1,"ordinal":1,"key":"rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg","bound":12,"price_class":"seedance?duration=8","scope":"night","server_at_s":1053.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (73, 1056.0, 1, 'i1-pbrwllarsxsm4swedwndrxyxs6hwwrsp', 'rvb1-wis2rvpbmh6lglzr2p3g6bfomagyxgsg', 'accepted', '{"task_id":"task-16-1055","reserved_credits":null,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (74, 3000.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (75, 3000.0, 2, 'i1-57gj6n7p5oy37sqpqqt4rhac4gozh3fz', NULL, 'planned', '{}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (76, 3001.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 'intent', '{"epoch":0,"ordinal":1,"key":"rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb","bound":10,"price_class":"seedance?duration=8","scope":"night@2026-05-11","server_at_s":2999.75}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (77, 3002.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 'accepted', '{"task_id":"task-90-3001","reserved_credits":9,"request_id":"req-a","by":"service"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (78, 3003.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 'succeeded', '{"final_credits":9,"charge":9,"urls":["https://cdn.example/1","https://cdn.example/2"],"assumed":false}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (79, 3004.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 'saved', '{"n":1,"url":"https://cdn.example/1","state":"verified","file":"reveal/90.mp4","sha256":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","bytes":7,"type":"video/mp4"}');
INSERT INTO "events" ("seq", "at_s", "life_id", "identity", "attempt_key", "type", "data") OVERRIDING SYSTEM VALUE VALUES (80, 3005.0, 2, 'i1-26tz4xex6orhts3r6wk6fgew6qwqdtlh', 'rvb1-klg44wwtkojsyzhhmvyrb6tttvqhd6fb', 'saved', '{"n":2,"url":"https://cdn.example/2","state":"partial"}');
SELECT setval(pg_get_serial_sequence('events', 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM events), false);
INSERT INTO "notes" ("note_id", "life_id", "at_s", "name", "data") OVERRIDING SYSTEM VALUE VALUES (1, 1, 1500.0, 'rate', '{"limit":"creates","before":1.0,"after":0.5,"full":1.0,"wait_s":5.0,"why":"HTTP 429, é 靴"}');
SELECT setval(pg_get_serial_sequence('notes', 'note_id'), (SELECT coalesce(max(note_id), 0) + 1 FROM notes), false);
INSERT INTO "layouts" ("run_id", "layout") OVERRIDING SYSTEM VALUE VALUES ('night', '{"reveal":{"x":"params.duration","pages":[]}}');
INSERT INTO "layouts" ("run_id", "layout") OVERRIDING SYSTEM VALUE VALUES ('night@2026-05-11', '{"reveal":{"x":"params.duration","pages":[]}}');
INSERT INTO "class_prices" ("price_class", "credits") OVERRIDING SYSTEM VALUE VALUES ('seedance?duration=8', 11);
