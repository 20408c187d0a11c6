"""What holds for several assets: pools, and how old a table may be.

Does not belong here: how many places a pool has (instance.py).
"""

from __future__ import annotations

from datetime import timedelta

from dagster import FreshnessPolicy

API_POOL = "api"
"""One step at a time asks the API: its limits of rate and concurrency hold per process."""

WRITER_POOL = "duckdb_writer"
"""One step at a time writes the warehouse: DuckDB has one writer."""

FRESHNESS = FreshnessPolicy.time_window(fail_window=timedelta(hours=36))
"""A night may be late, but none may be missing. Whether it went well is told by checks."""
