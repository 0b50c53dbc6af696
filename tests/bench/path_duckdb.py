"""The data path as a DuckDB script on one machine, like `path_polars`.

python -m tests.bench.path_duckdb KEY OUT FILE…
"""

import hmac
import sys
from pathlib import Path

import duckdb
import pyarrow as pa

COLUMNS = "{uid: 'VARCHAR', ts: 'TIMESTAMP', action: 'VARCHAR', sku: 'VARCHAR', price: 'DOUBLE', qty: 'DOUBLE'}"
TYPES = "('impression', 'view', 'search', 'cart', 'favorite', 'purchase', 'return', 'review')"
NAMED = f"""
    CREATE TABLE named AS
    SELECT account_id, 'shop:' || sku AS item_id, action AS event_type, ts AS event_time, price, qty AS quantity,
           substr(sha256(concat_ws('|', account_id, sku, action, ts, price, qty)), 1, 32) AS event_id
    FROM landed JOIN accounts USING (uid) WHERE action IN {TYPES}"""
UNIQUE = """
    CREATE TABLE unique_events AS
    SELECT * EXCLUDE (before) FROM (
        SELECT *, lag(event_time) OVER (
            PARTITION BY account_id, item_id, event_type, quantity, price ORDER BY event_time, event_id) AS before
        FROM named)
    WHERE before IS NULL OR epoch(event_time) - epoch(before) > 2"""
BOTS = """
    CREATE TABLE bots AS
    SELECT account_id FROM (
        SELECT account_id, count(*) AS n FROM unique_events WHERE event_type IN ('impression', 'view', 'search')
        GROUP BY account_id, date_trunc('minute', event_time))
    GROUP BY account_id HAVING sum(n) > 1000 OR max(n) > 60"""
EVENTS = "CREATE TABLE events AS SELECT * FROM unique_events WHERE account_id NOT IN (SELECT account_id FROM bots)"
NUMBERED = """
    CREATE TABLE numbered AS
    SELECT *, sum(new::INT) OVER (
        PARTITION BY account_id ORDER BY event_time, event_id ROWS UNBOUNDED PRECEDING) AS session
    FROM (SELECT *, coalesce(epoch(event_time) - lag(epoch(event_time)) OVER (
              PARTITION BY account_id ORDER BY event_time, event_id) >= 1800, true) AS new
          FROM events)"""
SESSIONS = """
    SELECT account_id, session, min(event_time) AS started_at, max(event_time) AS ended_at, count(*) AS events,
           count(DISTINCT item_id) AS items, count_if(event_type = 'purchase') AS purchases,
           sum(quantity * price) FILTER (event_type = 'purchase') AS value,
           list(item_id ORDER BY event_time) AS item_ids
    FROM numbered GROUP BY ALL"""
HISTORIES = """
    WITH counts AS (
        SELECT account_id, event_type, count(*) AS n, sum(quantity) AS quantity, sum(quantity * price) AS value
        FROM events GROUP BY ALL),
    daily AS (SELECT account_id, list(struct_pack(event_type, n, quantity, value)) AS daily FROM counts GROUP BY ALL),
    newest AS (
        SELECT account_id, list_slice(list(
            struct_pack(item_id, event_type, event_time, quantity, price) ORDER BY event_time), -1024, -1) AS events
        FROM events WHERE event_type <> 'impression' GROUP BY ALL)
    SELECT * FROM daily LEFT JOIN newest USING (account_id)"""


def main() -> None:
    key, out, *files = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    for name, value in {
        "threads": 2,
        "enable_progress_bar": False,
        "temp_directory": f"{folder}/spilled",
        "preserve_insertion_order": False,
        "TimeZone": "UTC",
    }.items():
        connection.execute(f"SET {name} = '{value}'")
    if files[0].endswith(".parquet"):
        read = f"SELECT * REPLACE (ts::TIMESTAMP AS ts) FROM read_parquet({files})"
    else:
        read = f"SELECT * FROM read_json({files}, format = 'newline_delimited', columns = {COLUMNS})"
    connection.execute(f"CREATE TABLE landed AS {read}")
    raw = [name for (name,) in connection.execute("SELECT DISTINCT uid FROM landed").fetchall()]
    names = [hmac.digest(key.encode(), f"shop:{name}".encode(), "sha256").hex()[:32] for name in raw]
    connection.register("known_accounts", pa.table({"uid": raw, "account_id": names}))
    connection.execute("CREATE TABLE accounts AS SELECT * FROM known_accounts")
    connection.execute(
        f"COPY (SELECT * FROM landed WHERE action NOT IN {TYPES}) TO '{folder}/quarantine.parquet' (FORMAT parquet)"
    )
    for statement in (NAMED, UNIQUE, BOTS, EVENTS, NUMBERED):
        connection.execute(statement)
    for name, rows in (("events", "events"), ("sessions", f"({SESSIONS})"), ("user_history", f"({HISTORIES})")):
        connection.execute(f"COPY (FROM {rows}) TO '{folder}/{name}.parquet' (FORMAT parquet)")


if __name__ == "__main__":
    main()
