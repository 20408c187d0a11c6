"""What a lake table should hold, worked out from a tenant's JSON in another way than the pipeline does.

Values are compared as text: numbers through Decimal, instants through datetime, columns named by a rule of its own.
"""

import re
from datetime import datetime, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
from deltalake import DeltaTable

ENUMS = {
    "active": "Active", "complete": "Complete", "forceEnded": "ForceEnded", "standard": "Standard", "peak": "Peak",
    "offPeak": "OffPeak", "superOffPeak": "SuperOffPeak", "dynamic": "Dynamic", "monday": "Monday",
    "tuesday": "Tuesday", "wednesday": "Wednesday", "thursday": "Thursday", "friday": "Friday",
    "saturday": "Saturday", "sunday": "Sunday",
}  # fmt: skip


INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SYSTEM = ("_synced_at", "_run_id", "_row_hash", "_deleted", "_deleted_with", "_extra", "start_month")


@cache
def database():
    """One engine for all tables; to open one for each takes longer than to read them."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


@cache
def column(path):
    return re.sub(r"[A-Z]", lambda letter: "_" + letter.group().lower(), path.replace(".", "_"))


def flat(item, prefix=""):
    found = {}
    for name, value in item.items():
        if isinstance(value, dict):
            found |= flat(value, prefix + name + ".")
        else:
            found[column(prefix + name)] = value
    return found


def plain(value):
    """One value in a form in which both sides can be compared."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float, Decimal)):
        return Decimal(str(value)).normalize() + 0
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    if isinstance(value, dict):
        return tuple(sorted((column(name), plain(part)) for name, part in value.items() if part is not None))
    if isinstance(value, list):
        return tuple(plain(part) for part in value)
    if INSTANT.fullmatch(value):
        return datetime.fromisoformat(value)
    return ENUMS.get(value, value)


def expected(items, key=("id",)):
    """Rows by key, without nulls."""
    rows = {}
    for item in items:
        row = {name: plain(value) for name, value in flat(item).items() if value is not None}
        rows[tuple(row.get(part) for part in key)] = row
    return rows


def held(lake, table, key=("id",)):
    """The current rows of a lake table by key, content columns that are not null; read by DuckDB."""
    files = DeltaTable(str(Path(lake) / table)).file_uris()
    if not files:
        return {}
    parts = ", ".join(key)
    answer = database().execute(
        f"""select columns(name -> name not in {SYSTEM}) from (
              select * from read_parquet({files!r}, union_by_name => true)
              qualify row_number() over (partition by {parts} order by _synced_at desc) = 1
            ) where not _deleted"""
    )
    names = [entry[0] for entry in answer.description]
    rows = {}
    for values in answer.fetchall():
        row = {name: plain(value) for name, value in zip(names, values, strict=True) if value is not None}
        rows[tuple(row.get(part) for part in key)] = row
    return rows


def differences(lake, table, items, key=("id",)):
    """missing, extra and different rows: three lists that should be empty."""
    ours, truth = held(lake, table, key), expected(items, key)
    return (
        sorted(map(str, set(truth) - set(ours))),
        sorted(map(str, set(ours) - set(truth))),
        [(name, ours[name], truth[name]) for name in set(ours) & set(truth) if ours[name] != truth[name]],
    )


def versions_per_key(lake, table):
    """How many versions each key has."""
    files = DeltaTable(str(Path(lake) / table)).file_uris()
    return dict(duckdb.sql(f"select id, count(*) from read_parquet({files!r}) group by id").fetchall())


def doubled(lake, table, key=("id",)):
    """Keys of which two versions follow each other that say the same, or were read at the same instant."""
    files = DeltaTable(str(Path(lake) / table)).file_uris()
    if not files:
        return []
    parts = ", ".join(key)
    rows = database().execute(
        f"""select distinct {parts} from (
              select {parts}, _synced_at, _deleted, _row_hash,
                     lag(_synced_at) over before as read_before, lag(_deleted) over before as deleted_before,
                     lag(_row_hash) over before as hash_before
              from read_parquet({files!r}, union_by_name => true)
              window before as (partition by {parts} order by _synced_at)
            ) where _synced_at = read_before
                 or (_deleted = deleted_before and (_deleted or _row_hash = hash_before))"""
    )
    return sorted(map(str, rows.fetchall()))


SAME = ([], [], [])
