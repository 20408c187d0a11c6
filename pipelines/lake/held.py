"""When the rows that the lake holds happened: for finding the oldest and for counting.

Does not belong here: which months are counted (pipelines/sync/rereads.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.lake.scratch import in_parts, scratch_database

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_INSTANTS = """select version.instant from (
  select arg_max(struct_pack(instant := instant, gone := gone), read_at) as version from versions group by key
) where not version.gone and version.instant is not null"""


@dataclass(frozen=True, slots=True)
class HeldTimes:
    """Instants of current rows, in order; microseconds since 1970, 8 bytes a row."""

    microseconds: npt.NDArray[np.int64]

    @classmethod
    def read(cls, versions: pa.RecordBatchReader, column: str) -> HeldTimes:
        """versions: every version of every row, with `_key`, `_synced_at`, `_deleted` and the column of instants."""
        with scratch_database() as connection:
            kept = f"md5_number(_key) as key, epoch_us({column}) as instant, _deleted as gone, _synced_at as read_at"
            found: list[npt.NDArray[np.int64]] = [
                np.asarray(connection.execute(_INSTANTS).fetchnumpy()["instant"], dtype=np.int64)
                for _ in in_parts(connection, versions, kept)
            ]
        return cls(np.sort(np.concatenate(found)))

    @property
    def oldest(self) -> datetime | None:
        """UTC; None where nothing is held."""
        return _EPOCH + int(self.microseconds[0]) * _MICROSECOND if len(self.microseconds) else None

    def count(self, lower: datetime | None, upper: datetime | None) -> int:
        """Rows from `lower` on and before `upper`; None is no bound on that side."""
        begin = 0 if lower is None else self._before(lower)
        return (len(self.microseconds) if upper is None else self._before(upper)) - begin

    def _before(self, instant: datetime) -> int:
        return int(np.searchsorted(self.microseconds, np.int64((instant - _EPOCH) // _MICROSECOND)))
