"""What the lake holds, up to when it is complete, and who is still to be asked; read from the lake alone.

Does not belong here: how it is shown (views.py), the warehouse's own freshness (warehouse/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.contract import FAN_OUTS, LISTS, RESOURCES, Answer, FanOut, Resource
from pipelines.erasure import waits_to_be_ended
from pipelines.lake import Lake, Record
from pipelines.lake.scratch import count_living, scratch_database
from pipelines.settings import LakeSettings
from pipelines.sync.deletions.candidates import OPEN
from pipelines.sync.fanout import known_until
from pipelines.sync.fanout.pending import PENDING as UNASKED
from pipelines.sync.fanout.pending import is_failing
from pipelines.sync.report import Status
from pipelines.sync.setting_aside import PENDING, PERMANENT


@dataclass(slots=True)
class TableStatus:
    """One lake table. watermarks: by question, up to when it was asked without a gap (UTC)."""

    collection: str
    rows: int = 0
    watermarks: dict[str, datetime | None] = field(default_factory=dict)
    last_run_at: datetime | None = None
    last_status: str | None = None
    last_message: str | None = None
    pending: int = 0
    permanent: int = 0
    drift: int = 0


@dataclass(frozen=True, slots=True)
class FailingParent:
    """Somebody whose answers fail. parent_id: of a user, location, vehicle or session. runs: that failed in a row."""

    fan_out: str
    parent_id: str
    user_id: str | None
    failing_since: datetime
    runs: int
    reason: str


@dataclass(frozen=True, slots=True)
class UnprovedDeletion:
    """A row that its list no longer shows and that is not proved gone. runs: that asked for it in vain."""

    collection: str
    row_id: str
    user_id: str | None
    missing_since: datetime
    runs: int
    reason: str


@dataclass(frozen=True, slots=True)
class LakeStatus:
    """tables: that a sync has made. failing: the longest first.

    unfinished: by fan-out, of how many parents the history goes on. unproved: the longest missing first.
    erasure_waits: an erasure was begun and not ended.
    """

    tables: Sequence[TableStatus]
    failing: Sequence[FailingParent]
    unfinished: Mapping[str, int]
    unproved: Sequence[UnprovedDeletion] = ()
    erasure_waits: bool = False


def lake_status(settings: LakeSettings) -> LakeStatus:
    """The state of the lake. Writes nothing."""
    lake = Lake(settings.lake_root)
    unasked = _unasked(lake)
    return LakeStatus(
        _tables(lake),
        _failing(unasked),
        _unfinished(unasked),
        _unproved(lake),
        erasure_waits=waits_to_be_ended(settings.home),
    )


def _tables(lake: Lake) -> list[TableStatus]:
    aside = _count(lake, "_quarantine", ("collection", "status"))
    drift = _count(lake, "_contract_drift", ("collection",))
    last_runs = _last_runs(lake)
    found = []
    for name in filter(lake.holds, RESOURCES):
        rows, watermarks = _extent(lake, name)
        run = last_runs.get(name, {})
        found.append(
            TableStatus(
                collection=name,
                rows=rows,
                watermarks=watermarks,
                last_run_at=run.get("finished_at"),
                last_status=run.get("status"),
                last_message=run.get("message"),
                pending=aside[name, PENDING],
                permanent=aside[name, PERMANENT],
                drift=drift[(name,)],
            )
        )
    return found


def _extent(lake: Lake, name: str) -> tuple[int, dict[str, datetime | None]]:
    """How many rows a table holds, and up to when it is complete."""
    if name in LISTS:
        return _extent_of_list(lake, LISTS[name])
    fan_out = next(fan_out for fan_out in FAN_OUTS.values() if name in fan_out.tables)
    return _extent_of_children(lake, RESOURCES[name], fan_out)


def _extent_of_list(lake: Lake, resource: Resource) -> tuple[int, dict[str, datetime | None]]:
    table = lake.table(resource)
    app_ids = [resource.app_id(question) for question in resource.all_questions]
    if resource.answer is Answer.ARRAY:
        app_ids = [resource.name]
    rows, watermarks = len(table), {app_id: table.watermark(app_id) for app_id in app_ids}
    table.close()
    return rows, watermarks


def _extent_of_children(lake: Lake, resource: Resource, fan_out: FanOut) -> tuple[int, dict[str, datetime | None]]:
    table = lake.children(resource, fan_out.parent_id)
    # one of them is None: either the tenant has a list of its own, or parents are asked
    known = filter(None, (table.watermark(resource.name), known_until({resource.name: table})))
    until = max(known, default=None)
    table.close()
    return _rows(lake, resource), {resource.name: until}


def _rows(lake: Lake, resource: Resource) -> int:
    """Keys that are held and not deleted. Only where a key never changes its form; such tables may be long."""
    keys = list(resource.key_columns)
    with (
        lake.reading(resource, [*keys, "_synced_at", "_deleted"]) as versions,
        scratch_database() as connection,
    ):
        return count_living(connection, versions, f"struct_pack({', '.join(f'{key} := {key}' for key in keys)})")


def _unasked(lake: Lake) -> list[Record]:
    """Parents that some run could not ask to the end."""
    if not lake.holds("_pending_parents"):
        return []
    return [record for record in lake.pending_parents().current().values() if record["status"] == UNASKED]


def _failing(unasked: Sequence[Record]) -> list[FailingParent]:
    return [
        FailingParent(
            fan_out=record["fan_out"],
            parent_id=record["parent_id"],
            user_id=record["user_id"],
            failing_since=record["failing_since"],
            runs=record["attempts"],
            reason=record["reason"] or "",
        )
        for record in sorted(unasked, key=lambda record: (record["failing_since"], record["id"]))
        if is_failing(record)
    ]


def _unfinished(unasked: Sequence[Record]) -> dict[str, int]:
    counts = Counter(record["fan_out"] for record in unasked if not is_failing(record))
    return {name: counts[name] for name in FAN_OUTS if counts[name]}


def _unproved(lake: Lake) -> list[UnprovedDeletion]:
    if not lake.holds("_deletion_candidates"):
        return []
    records = lake.deletion_candidates().current().values()
    return [
        UnprovedDeletion(
            collection=record["collection"],
            row_id=record["row_id"],
            user_id=record["user_id"],
            missing_since=record["missing_since"],
            runs=record["attempts"],
            reason=record["reason"] or "",
        )
        for record in sorted(records, key=lambda record: (record["missing_since"], record["id"]))
        if record["status"] in OPEN
    ]


def _count(lake: Lake, table: str, fields: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    if not lake.holds(table):
        return Counter()
    records = (lake.quarantine() if table == "_quarantine" else lake.drift()).current().values()
    return Counter(tuple(record[name] for name in fields) for record in records)


def _last_runs(lake: Lake) -> dict[str, dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    for row in lake.runs().rows() if lake.holds("_runs") else []:
        if row["status"] == Status.CASCADE.value:
            continue
        held = last.get(row["collection"])
        if held is None or held["started_at"] <= row["started_at"]:
            last[row["collection"]] = row
    return last
