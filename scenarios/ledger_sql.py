"""The statements by which the intake stores deliveries with their runs (ledger.py), and finds them again."""

# One statement, one transaction. Who comes second with a key gets no run: the table of keys decides, also between two
# deliveries of one batch, and the keys are taken in one order so that no two processes wait for each other. A run of a
# scenario with a limit begins without `wake_at`: the scheduler lets it in.
STORE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int8[], %s::int8[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::bytea[], %s::int8[], %s::inet[], %s::text[], %s::int2[])
        AS rows(id, run_id, scenario_id, version_id, verdict, method, query, headers, content_type, body, size, source,
            dedupe_key, depth)
), live AS MATERIALIZED (
    SELECT given.*, scenario.workspace_id, scenario.published_id, scenario.engine, scenario.max_concurrent,
        scenario.status = 'active' AND scenario.deleted_at IS NULL AND given.verdict = 'accepted' AS runs
    FROM given JOIN scenarios_scenario scenario ON scenario.id = given.scenario_id
    WHERE given.verdict <> 'accepted' OR scenario.status <> 'active' OR scenario.published_id = given.version_id
), keyed AS (
    INSERT INTO scenarios_dedupekey (scenario_id, key, run_id)
    SELECT scenario_id, dedupe_key, run_id FROM live WHERE runs AND dedupe_key IS NOT NULL
    ORDER BY scenario_id, dedupe_key, id
    ON CONFLICT (scenario_id, key) DO NOTHING
    RETURNING run_id
), firsts AS (
    SELECT * FROM live WHERE NOT runs OR dedupe_key IS NULL OR run_id IN (SELECT run_id FROM keyed)
), delivered AS (
    INSERT INTO scenarios_delivery (id, workspace_id, scenario_id, verdict, method, query, headers, content_type, body,
        size, source, dedupe_key, run_id)
    SELECT id, workspace_id, scenario_id,
        CASE WHEN verdict = 'accepted' AND NOT runs THEN 'disabled' ELSE verdict END,
        method, query, headers::jsonb, content_type, CASE WHEN runs THEN body END, size, source, dedupe_key,
        CASE WHEN runs THEN run_id END
    FROM firsts ORDER BY id
    RETURNING id, verdict
), started AS (
    INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, delivery_id, key, depth, engine,
        is_limited, wake_at, status, fence, owner, waits_for, stalls)
    SELECT run_id, workspace_id, scenario_id, published_id, 'webhook', id, run_id, depth, engine,
        max_concurrent > 0, CASE WHEN max_concurrent = 0 THEN statement_timestamp() END, 'queued', 0, '', '', 0
    FROM firsts WHERE runs ORDER BY id
)
SELECT id, verdict FROM delivered
"""
# Those that came second are noted with the first one's run.
REPEATED = """
INSERT INTO scenarios_delivery (id, workspace_id, scenario_id, verdict, method, query, headers, content_type, body,
    size, source, dedupe_key, run_id)
SELECT given.id, scenario.workspace_id, scenario.id, 'duplicate', method, query, headers::jsonb, content_type, body,
    size, source, first.key, first.run_id
FROM unnest(%s::uuid[], %s::int8[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::int8[],
    %s::inet[], %s::text[])
    AS given(id, scenario_id, method, query, headers, content_type, body, size, source, dedupe_key)
JOIN scenarios_scenario scenario ON scenario.id = given.scenario_id
JOIN scenarios_dedupekey first ON first.scenario_id = given.scenario_id AND first.key = given.dedupe_key
ORDER BY given.id
RETURNING id, run_id
"""
# What a broken connection left behind is ended first: from then on the rows tell the whole truth.
END_SESSIONS = """
SELECT COALESCE(bool_and(pg_terminate_backend(pid, 1500)), true) FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid()
"""
WHICH_ARE_THERE = "SELECT id, verdict FROM scenarios_delivery WHERE id = ANY(%s)"
