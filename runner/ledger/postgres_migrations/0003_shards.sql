-- Several workers on one run: what is handed out, and who has which piece of it for how long.

-- What is being worked on: the latest life's terms, and its coordinator's word to all who work.
CREATE TABLE handouts (
    run_id TEXT COLLATE "C" PRIMARY KEY REFERENCES runs,
    life_id BIGINT NOT NULL REFERENCES lives,
    terms TEXT NOT NULL,
    word TEXT NOT NULL CHECK (word IN ('go', 'hold', 'end', 'stop')),
    why TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT ''
) WITH (fillfactor = 50);

-- A piece of a run. Each claim makes the fence grow, so that a write of who had it before is refused. A shard that is
-- closed keeps its fence, for what its last worker has still to write.
CREATE TABLE shards (
    shard_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES handouts,
    items TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    worker TEXT,
    fence BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ,
    CHECK (state = 'open' OR lease_until IS NULL)
) WITH (fillfactor = 70);

CREATE INDEX open_shards ON shards (run_id, shard_id) WHERE state = 'open';
