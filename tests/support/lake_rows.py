"""Rows for lake tables, without an API: what a sync would hand to `ChangelogTable.commit`."""

from datetime import datetime, timezone

import pyarrow as pa
import xxhash

from pipelines.contract import RESOURCES
from pipelines.lake.schemas import table_schema

USERS = RESOURCES["users"]


def user_id(number):
    return f"00000000-0000-4000-8000-{number:012x}"


def user_rows(versions, run_id="run"):
    """versions: (user number, locale, read time, deleted) -> a batch for the table `users`."""
    schema = table_schema(USERS)
    rows = [
        {
            "id": user_id(number),
            "locale": locale,
            "created_at": datetime(2025, 1, 1, tzinfo=timezone.utc),
            "_synced_at": read_at,
            "_run_id": run_id,
            "_row_hash": xxhash.xxh3_128_hexdigest(locale.encode()),
            "_deleted": deleted,
        }
        for number, locale, read_at, deleted in versions
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    return table.append_column("_key", table["id"])
