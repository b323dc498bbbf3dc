-- The statements that PostgreSQL says otherwise, or has alone; `runner/ledger/postgres_statements.py` makes the rest out
-- of `queries.sql`. Where `:rows` stands, a statement takes any number of rows, as JSON.

-- name: plan_item
-- Write items the ledger has never seen.
INSERT INTO items (
    identity, model, prompt, params, reference_digests, repeat, edition, price_class, state, version, first_at_s
)
SELECT identity, model, prompt, params, reference_digests, repeat, edition, price_class, 'planned', 1, at_s
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    identity TEXT, model TEXT, prompt TEXT, params TEXT, reference_digests TEXT, repeat BIGINT, edition TEXT,
    price_class TEXT, at_s DOUBLE PRECISION
);

-- name: want_item
-- Write how a run names items now.
INSERT INTO run_items (run_id, identity, item_index, item_key, job, axes, tags, output_stem, wanted)
SELECT run_id, identity, item_index, item_key, job, axes, tags, output_stem, 1
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    run_id TEXT, identity TEXT, item_index BIGINT, item_key TEXT, job TEXT, axes TEXT, tags TEXT, output_stem TEXT
)
ON CONFLICT (run_id, identity) DO UPDATE SET
    item_index = excluded.item_index,
    item_key = excluded.item_key,
    job = excluded.job,
    axes = excluded.axes,
    tags = excluded.tags,
    output_stem = excluded.output_stem,
    wanted = 1;

-- name: add_event
-- Append events.
INSERT INTO events (at_s, life_id, identity, attempt_key, type, data)
SELECT at_s, life_id, identity, attempt_key, type, data
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    at_s DOUBLE PRECISION, life_id BIGINT, identity TEXT, attempt_key TEXT, type TEXT, data TEXT
);

-- name: add_note
-- What happened to a run as a whole.
INSERT INTO notes (life_id, at_s, name, data)
SELECT life_id, at_s, name, data
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (life_id BIGINT, at_s DOUBLE PRECISION, name TEXT, data TEXT);

-- name: add_attempt
-- Write attempts with their frozen bodies.
INSERT INTO attempts (
    "key", identity, epoch, ordinal, scope, price_class, state, body, body_sha256, bound, reserved, server_at_s,
    opened_at_s
)
SELECT
    "key", identity, epoch, ordinal, scope, price_class, state, decode(body, 'base64'), body_sha256, bound, reserved,
    server_at_s, opened_at_s
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    "key" TEXT, identity TEXT, epoch BIGINT, ordinal BIGINT, scope TEXT, price_class TEXT, state TEXT, body TEXT,
    body_sha256 TEXT, bound BIGINT, reserved BIGINT, server_at_s DOUBLE PRECISION, opened_at_s DOUBLE PRECISION
);

-- name: move_attempt
-- Write where attempts stand.
UPDATE attempts AS a SET
    state = new.state,
    reserved = new.reserved,
    settled = new.settled,
    ambiguous = new.ambiguous,
    sends = new.sends,
    task_id = new.task_id,
    reserved_credits = new.reserved_credits,
    final_credits = new.final_credits,
    accepted_at_s = new.accepted_at_s,
    finished_at_s = new.finished_at_s
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    "key" TEXT, state TEXT, reserved BIGINT, settled BIGINT, ambiguous BIGINT, sends BIGINT, task_id TEXT,
    reserved_credits BIGINT, final_credits BIGINT, accepted_at_s DOUBLE PRECISION, finished_at_s DOUBLE PRECISION
)
WHERE a."key" = new."key";

-- name: move_item
-- Write where items stand, unless somebody wrote them since.
UPDATE items AS i SET
    state = new.state,
    version = new.version,
    attempts = new.attempts,
    sends = new.sends,
    failures = new.failures,
    latest_attempt_key = new.latest_attempt_key,
    error_code = new.error_code,
    error_message = new.error_message,
    request_id = new.request_id
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    identity TEXT, state TEXT, version BIGINT, attempts BIGINT, sends BIGINT, failures BIGINT, latest_attempt_key TEXT,
    error_code TEXT, error_message TEXT, request_id TEXT
)
WHERE i.identity = new.identity AND i.version = new.version - 1;

-- name: put_artifact
-- Write result files, or where they stand.
INSERT INTO artifacts (attempt_key, n, url, state, file, sha256, bytes, type, life_id)
SELECT attempt_key, n, url, state, file, sha256, bytes, type, life_id
FROM json_to_recordset(CAST(:rows AS JSON)) AS new (
    attempt_key TEXT, n BIGINT, url TEXT, state TEXT, file TEXT, sha256 TEXT, bytes BIGINT, type TEXT, life_id BIGINT
)
ON CONFLICT (attempt_key, n) DO UPDATE SET
    url = excluded.url,
    state = excluded.state,
    file = excluded.file,
    sha256 = excluded.sha256,
    bytes = excluded.bytes,
    type = excluded.type,
    life_id = excluded.life_id;

-- name: reserve_beside
-- The same as `reserve` for one of several writers, who may not have heard of the run's budget yet: it must fit that as
-- well, and until the end of the transaction nobody changes it.
WITH run AS MATERIALIZED (SELECT r.cap_credits FROM runs AS r WHERE r.run_id = :scope FOR SHARE OF r)
UPDATE books SET reserved = reserved + :bound
WHERE scope = :scope AND coalesce(
    reserved + settled + :bound <= least(CAST(:cap AS BIGINT), (SELECT run.cap_credits FROM run)), TRUE
);

-- name: ends_seen
-- Ages between which the latest tasks of these price classes ended, the oldest first.
WITH late AS (
    SELECT a.place, a.identity, a."key", a.price_class, a.finished_at_s - a.accepted_at_s AS age_s,
        row_number() OVER (PARTITION BY a.price_class ORDER BY a.place DESC) AS nth
    FROM attempts AS a
    WHERE a.place > (SELECT max(place) FROM attempts) - :late
    AND a.state IN ('succeeded', 'failed') AND a.finished_at_s > a.accepted_at_s
    AND a.price_class IN (SELECT value FROM json_each(:classes) AS c)
), seen AS (
    SELECT late.price_class, late.age_s, late.place, e.data::json ->> 'polls' AS polls,
        (e.data::json ->> 'unseen_s')::DOUBLE PRECISION AS unseen_s
    FROM late JOIN events AS e ON e.identity = late.identity AND e.attempt_key = late."key"
    WHERE late.nth <= :kept AND e.type IN ('succeeded', 'failed')
)
SELECT price_class, age_s, greatest(0.0, age_s - coalesce(unseen_s, 0.1 * age_s)) AS ran_s
FROM seen WHERE unseen_s IS NOT NULL OR polls IS NULL
ORDER BY place;

-- name: run_looks
-- How the ends of a run's purchases were noticed: by how many polls, and how late, if they lay in the middle of what was
-- not seen.
SELECT i.model, (e.data::json ->> 'polls')::BIGINT AS polls,
    0.5 * (e.data::json ->> 'unseen_s')::DOUBLE PRECISION AS noticed_s
FROM run_items AS r
JOIN items AS i USING (identity)
JOIN attempts AS a USING (identity)
JOIN events AS e ON e.identity = a.identity AND e.attempt_key = a."key"
WHERE r.run_id = :run_id AND a.scope = :run_id AND e.type IN ('succeeded', 'failed')
AND e.data::json ->> 'unseen_s' IS NOT NULL;

-- name: run_refusals
-- Creates of a run that ended without a task by the service's word, by what they proved. An attempt that was sent once
-- and taken has none, and its events are not looked at.
SELECT CASE e.type WHEN 'rejected' THEN 'rejected' ELSE e.data::json ->> 'outcome' END AS reason, count(*) AS sends
FROM run_items AS r
JOIN attempts AS a USING (identity)
JOIN events AS e ON e.identity = a.identity AND e.attempt_key = a."key"
WHERE r.run_id = :run_id AND a.scope = :run_id AND e.type IN ('rejected', 'send_ended')
AND (a.sends > 1 OR a.state IN ('submitting', 'uncertain', 'rejected'))
AND coalesce(e.data::json ->> 'by', 'service') = 'service'
GROUP BY reason;

-- name: find_by_prefix
-- Items whose identity begins so, with or without its tag.
SELECT identity FROM items
WHERE substr(identity, 1, length(:word)) = :word
    OR substr(identity, strpos(identity, '-') + 1, length(:word)) = :word
ORDER BY identity LIMIT :limit;

-- name: sign_in
-- A writer comes.
INSERT INTO writers (role, pid, host, since_s) VALUES (:role, :pid, :host, :since_s) RETURNING writer_id;

-- name: fence_runners
-- Whoever was the runner before may write nothing more. This waits for a commit of theirs that is under way.
UPDATE writers SET fenced = 1 WHERE role = 'runner' AND fenced = 0 AND ended_at_s IS NULL;

-- name: sign_out
-- A writer goes.
UPDATE writers SET ended_at_s = :at_s WHERE writer_id = :writer_id AND ended_at_s IS NULL;

-- name: writer
-- Where a writer stands.
SELECT commits, fenced FROM writers WHERE writer_id = :writer_id;

-- name: runner
-- Who the runner is, or was when it died.
SELECT pid, host, since_s FROM writers
WHERE role = 'runner' AND fenced = 0 AND ended_at_s IS NULL ORDER BY writer_id DESC;

-- name: shares
-- What all workers have of the account's limits, and the server's clock: one row of nobody where there are none.
SELECT said.at_s, s.worker, s.parts, s.lease_until_s, s.free_at_s
FROM (SELECT CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION) AS at_s) AS said
LEFT JOIN shares AS s ON TRUE;

-- name: keep_share
-- Write what one worker has, and forget workers of whom nothing can count any more.
WITH gone AS (DELETE FROM shares WHERE free_at_s <= :at_s AND worker <> :worker)
INSERT INTO shares AS s (worker, parts, lease_until_s, free_at_s)
VALUES (:worker, :parts, :lease_until_s, :free_at_s)
ON CONFLICT (worker) DO UPDATE SET
    parts = excluded.parts, lease_until_s = excluded.lease_until_s, free_at_s = excluded.free_at_s;

-- name: hand_out
-- A life begins to be worked on by several, or goes on with what an earlier one handed out.
INSERT INTO handouts (run_id, life_id, terms, word) VALUES (:run_id, :life_id, :terms, 'go')
ON CONFLICT (run_id) DO UPDATE SET
    life_id = excluded.life_id, terms = excluded.terms, word = 'go', why = '', reason = '';

-- name: say_terms
-- The terms are others from now on.
UPDATE handouts SET terms = :terms WHERE run_id = :run_id;

-- name: say_word
-- Tell all workers of a life, unless something that weighs more was said: nobody goes on after an end. What an earlier
-- life ended for is not said of the next one, and what a smaller budget ended for not under a larger one.
UPDATE handouts SET word = :word, why = :why, reason = :reason
WHERE run_id = :run_id AND life_id = :life_id AND word <> :word AND (word IN ('go', 'hold') OR :word = 'stop')
AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = :run_id AND r.cap_credits > CAST(:cap AS BIGINT));

-- name: fund
-- The budget that had ended a life is a larger one.
UPDATE handouts SET word = 'go', why = '', reason = '', terms = :terms
WHERE run_id = :run_id AND life_id = :life_id AND word = 'end' AND why = 'budget';

-- name: complain
-- A worker tells whoever handed a run out why it does nothing of it. The latest one is heard.
UPDATE handouts SET reason = :reason WHERE run_id = :run_id AND life_id = :life_id AND word IN ('go', 'hold');

-- name: handouts
-- What is said of these runs.
SELECT h.run_id, h.life_id, h.terms, h.word, h.why, h.reason
FROM handouts AS h WHERE h.run_id IN (SELECT value FROM json_each(:runs) AS r);

-- name: others_shards
-- What is not done of all runs but this one, and whether somebody is at it. Until the end of the transaction nobody
-- claims it, and nobody writes of it.
SELECT s.shard_id, s.run_id, s.worker, s.items,
    (s.lease_until IS NOT NULL AND s.lease_until > clock_timestamp()) AS is_held
FROM shards AS s WHERE s.state = 'open' AND s.run_id <> :run_id ORDER BY s.shard_id FOR UPDATE OF s;

-- name: add_shard
-- A piece to be worked on.
INSERT INTO shards (run_id, items) VALUES (:run_id, :items) RETURNING shard_id;

-- name: claim_shard
-- Have a shard for a while, if nobody else has and its run is not refused here. Whoever had it before can write nothing of it any more.
UPDATE shards SET worker = :worker, fence = fence + 1, lease_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE shard_id = :shard_id AND state = 'open'
AND (lease_until IS NULL OR lease_until < clock_timestamp() OR worker = :worker)
AND run_id NOT IN (SELECT value FROM json_each(:refused) AS r)
RETURNING shard_id, run_id, fence, items;

-- name: left_shards
-- Open shards that somebody had and nobody has now, of runs that go on. What whoever asks cannot do is left out here: it
-- would fill the limit for ever. Who was had seldom comes first: nobody is crowded out by many that cannot be done.
SELECT s.shard_id FROM shards AS s JOIN handouts AS h ON h.run_id = s.run_id
WHERE s.state = 'open' AND s.fence > 0 AND h.word <> 'stop'
AND (s.lease_until IS NULL OR s.lease_until < clock_timestamp())
AND s.shard_id NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(:put_off) AS p)
AND s.run_id NOT IN (SELECT value FROM json_each(:refused) AS r)
ORDER BY s.fence, s.shard_id LIMIT :limit;

-- name: renew_shards
-- Keep what one worker has.
UPDATE shards SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE state = 'open' AND worker = :worker AND lease_until IS NOT NULL
RETURNING shard_id, fence;

-- name: fences
-- Of these shards, the fences. Until the end of the transaction nobody claims them.
SELECT s.shard_id, s.fence FROM shards AS s
WHERE s.shard_id IN (SELECT CAST(value AS BIGINT) FROM json_each(:shards) AS w) ORDER BY s.shard_id FOR SHARE OF s;

-- name: close_shard
-- Nothing more is to be done of it.
UPDATE shards SET state = 'closed', items = '', lease_until = NULL WHERE shard_id = :shard_id AND fence = :fence;

-- name: give_back_shards
-- A worker that ends leaves what it has to others.
UPDATE shards SET lease_until = NULL WHERE state = 'open' AND worker = :worker AND lease_until IS NOT NULL;

-- name: put_down_shard
-- It leaves one of them to others, unless they have it already.
UPDATE shards SET lease_until = NULL WHERE shard_id = :shard_id AND fence = :fence;

-- name: withdraw_shard
-- Take it back from whoever has it.
UPDATE shards SET state = 'closed', items = '', lease_until = NULL, fence = fence + 1
WHERE shard_id = :shard_id AND state = 'open';

-- name: open_shards
-- What is not done of a run, and whether somebody is at it.
SELECT s.shard_id, s.items, s.fence, (s.lease_until IS NOT NULL AND s.lease_until > clock_timestamp()) AS is_held
FROM shards AS s WHERE s.run_id = :run_id AND s.state = 'open' ORDER BY s.shard_id;

-- name: standing_shards
-- The same without the items.
SELECT s.shard_id, s.fence, (s.lease_until IS NOT NULL AND s.lease_until > clock_timestamp()) AS is_held, s.worker
FROM shards AS s WHERE s.run_id = :run_id AND s.state = 'open' ORDER BY s.shard_id;

-- name: shared_books
-- A run's budget and books, and what of them open attempts hold: that may come back.
SELECT r.cap_credits, b.reserved, b.settled, (
    SELECT coalesce(sum(a.reserved), 0) FROM attempts AS a
    WHERE a.scope = :scope AND a.state IN ('submitting', 'accepted')
) AS back
FROM books AS b JOIN runs AS r ON r.run_id = b.scope WHERE b.scope = :scope;

-- name: late_events
-- What happened after a moment, in order.
SELECT e.seq, e.at_s, e.identity, e.type, e.data FROM events AS e WHERE e.seq > :after ORDER BY e.seq;
