"""When the rows that the lake holds happened: for finding the oldest and for counting.

Does not belong here: which months are counted (pipelines/sync/rereads.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HeldTimes:
    """Instants of current rows, in order; microseconds since 1970, 8 bytes a row."""

    microseconds: npt.NDArray[np.int64]

    @classmethod
    def read(cls, versions: pa.RecordBatchReader, column: str) -> HeldTimes:
        """versions: every version of every row, with `_key`, `_synced_at`, `_deleted` and the column of instants."""
        with duckdb.connect(":memory:") as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.register("versions", versions)
            found: dict[str, Any] = connection.execute(
                f"""with newest as (
                      select arg_max(struct_pack(at := {column}, gone := _deleted), _synced_at) as version
                      from versions group by md5_number(_key)
                    )
                    select epoch_us(version.at) as at from newest
                    where not version.gone and version.at is not null order by 1"""  # noqa: S608 - a name of the contract
            ).fetchnumpy()
        return cls(np.asarray(found["at"], dtype=np.int64))

    @property
    def oldest(self) -> datetime | None:
        """UTC; None where nothing is held."""
        return _EPOCH + int(self.microseconds[0]) * _MICROSECOND if len(self.microseconds) else None

    def count(self, lower: datetime, upper: datetime) -> int:
        """Rows from `lower` on and before `upper`."""
        borders = [(border - _EPOCH) // _MICROSECOND for border in (lower, upper)]
        begin, end = np.searchsorted(self.microseconds, np.array(borders, dtype=np.int64))
        return int(end - begin)
