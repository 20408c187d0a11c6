"""Dagster's event log in SQLite, with its files kept open: for the command, which writes hundreds of events a night.

Dagster's own class opens a file anew for each event and closes it again, upon which SQLite works the journal into the
file: 40 to 70 ms an event on two busy cores, 10 to 20 without. The files are the same, so that the page reads them
with Dagster's own class. Does not belong here: who uses it (instance.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine


class OpenEventLog(SqliteEventLogStorage):
    """Shards are Dagster's files: one for each run, and one for what is asked across runs."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> OpenEventLog:
        return cls(inst_data=inst_data, **config_value)

    def dispose(self) -> None:
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                engine = create_engine(
                    self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
                )
                self._initdb(engine)
                self._engines[shard] = engine
            with self._engines[shard].begin() as connection:
                yield connection
