"""What the lake remembers of a fan-out, bucket by bucket, as application transactions of the tables it feeds.

`financials/64/017` is up to when the parents of bucket 17 were asked, `financials/64/017/deep` the same of deep runs;
`financials/64/017/sessions` how much of the lake's sessions was known then (microseconds of the newest read);
`session_tariffs/64/017/back` how far back into history; `rewards/served` and `rewards/unserved` when the tenant last
turned out to have, or not to have, such a path.
Does not belong here: what follows from a mark (choosing.py), committing marks (pipelines/lake).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from pipelines.contract.fan_outs import BUCKETS, FanOut, Worth
from pipelines.lake import ChildTable
from pipelines.lake.changelog import from_version, to_version
from pipelines.sync.ahead import AHEAD

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
BACK = "back"
DEEP = "deep"
BACK_FROM = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""Transactions only rise, history is asked backwards: so what is kept is the distance from here."""
ALL_OF_IT = 2**62
"""The distance of a bucket whose history has been asked to its beginning."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One bucket's state; None: never.

    until: up to when its parents were asked. seen: by watched table, up to which read time that table was known.
    back: sessions that started before are still to be asked, None where there are none left.
    deep: up to when its parents were asked by a deep run.
    """

    bucket: int
    until: datetime | None = None
    seen: Mapping[str, datetime | None] = field(default_factory=dict)
    back: datetime | None = None
    deep: datetime | None = None

    def is_due(self, until: datetime, now: datetime, *, deep: bool) -> bool:
        """Whether time has passed since a run of this depth asked the bucket's parents.

        A mark from a time that has not come (the API's clock was wrong once) must not blind the nights until then.
        """
        last = self.deep if deep else self.until
        return last is None or last < until or last > now + AHEAD


def app_id(table: str, bucket: int, about: str = "") -> str:
    """The name of a bucket's transaction."""
    return f"{table}/{BUCKETS}/{bucket:03d}" + (f"/{about}" if about else "")


def read_marks(fan_out: FanOut, tables: Mapping[str, ChildTable]) -> list[Mark]:
    """The state of every bucket: where a fan-out feeds several tables, that of the one that is furthest behind."""
    watched, is_backwards = set(fan_out.watches.values()), Worth.BACKFILL in fan_out.worth
    return [_mark(tables, bucket, watched, is_backwards=is_backwards) for bucket in range(BUCKETS)]


def known_until(tables: Mapping[str, ChildTable]) -> datetime | None:
    """Up to when the parents of every bucket were asked; None while some bucket never was."""
    least = [_least(tables, bucket) for bucket in range(BUCKETS)]
    known = [version for version in least if version is not None]
    return from_version(min(known)) if len(known) == BUCKETS else None


def _mark(tables: Mapping[str, ChildTable], bucket: int, watched: Iterable[str], *, is_backwards: bool) -> Mark:
    until = _least(tables, bucket)
    if until is None:
        return Mark(bucket)
    deep = _least(tables, bucket, DEEP)
    back = _least(tables, bucket, BACK) if is_backwards else None
    return Mark(
        bucket,
        until=from_version(until),
        seen={name: _read_time(_least(tables, bucket, name)) for name in watched},
        back=None if back is None or back >= ALL_OF_IT else BACK_FROM - back * MICROSECOND,
        deep=None if deep is None else from_version(deep),
    )


def _least(tables: Mapping[str, ChildTable], bucket: int, about: str = "") -> int | None:
    known = []
    for name, table in tables.items():
        version = table.mark(app_id(name, bucket, about))
        if version is None:
            return None
        known.append(version)
    return min(known)


def bucket_versions(
    table: str,
    buckets: Iterable[int],
    until: datetime,
    seen: Mapping[str, datetime | None],
    back: datetime | None,
    *,
    is_backwards: bool,
    deep: bool,
) -> dict[str, int]:
    """The transactions of finished buckets. back: how far back history was asked, None to its beginning."""
    versions = {}
    for bucket in buckets:
        versions[app_id(table, bucket)] = to_version(until)
        for name, newest in seen.items():
            versions[app_id(table, bucket, name)] = 0 if newest is None else (newest - EPOCH) // MICROSECOND
        if deep:
            versions[app_id(table, bucket, DEEP)] = to_version(until)
        if is_backwards:
            versions[app_id(table, bucket, BACK)] = ALL_OF_IT if back is None else (BACK_FROM - back) // MICROSECOND
    return versions


def _read_time(version: int | None) -> datetime | None:
    return None if version is None else EPOCH + version * MICROSECOND
