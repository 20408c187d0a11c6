"""The way back out of quarantine: rows that could not be read are read again, by the contract as it is now.

A row that can be read is committed as if it had come late: where its key was read since then, the newer reading stays.
Its record is resolved after that, so that a death in between costs nothing but doing it again.
Does not belong here: setting rows aside (setting_aside.py, asides.py), how it is shown (pipelines/views.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pyarrow as pa

from pipelines import local_clock
from pipelines.contract import FAN_OUTS, RESOURCES
from pipelines.contract.fan_outs import BUCKETS
from pipelines.errors import ConfigurationError
from pipelines.lake import ChildTable, Lake, Record
from pipelines.normalise import BadRow, RawPage, normalise
from pipelines.normalise.brackets import decode_leniently
from pipelines.sync.setting_aside import RESOLVED

ID_CHARACTERS = 8
"""Of a record's id, which is a hash, that must be named at the least."""


@dataclass(slots=True)
class Replayed:
    """What became of the records of one collection.

    readable: now. added, changed: rows that the lake lacked, or held otherwise. older: the key was read since.
    unreadable: why a row still cannot be read, by record.
    """

    collection: str
    readable: int = 0
    added: int = 0
    changed: int = 0
    older: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


def waiting(lake: Lake, collections: Sequence[str] = (), ids: Sequence[str] = ()) -> list[Record]:
    """Records of rows that are set aside, oldest first; all where nothing is named.

    ids: at least the first eight characters of records' ids. Raises ConfigurationError for a name or an id of none.
    """
    if unknown := sorted(set(collections) - set(RESOURCES)):
        raise ConfigurationError(f"unknown collection {', '.join(unknown)}; there are: {', '.join(RESOURCES)}")
    records = [record for record in _all(lake) if record["status"] != RESOLVED]
    if collections:
        records = [record for record in records if record["collection"] in collections]
    if ids:
        chosen = [find(records, wanted)["id"] for wanted in ids]
        records = [record for record in records if record["id"] in chosen]
    return sorted(records, key=lambda record: (record["first_seen_at"], record["id"]))


def one(lake: Lake, wanted: str) -> Record:
    """The record with this id, resolved or not. Raises ConfigurationError where there is none, or more than one."""
    return find(_all(lake), wanted)


def find(records: Sequence[Record], wanted: str) -> Record:
    """The record whose id begins so."""
    if len(wanted) < ID_CHARACTERS:
        raise ConfigurationError(f"{wanted!r}: expected at least {ID_CHARACTERS} characters of an id")
    found = [record for record in records if record["id"].startswith(wanted)]
    if len(found) != 1:
        number = "no row" if not found else f"{len(found)} rows"
        raise ConfigurationError(f"{wanted}: {number} with such an id set aside; see `chargelake quarantine list`")
    return found[0]


def replay(lake: Lake, records: Sequence[Record], run_id: str | None = None) -> list[Replayed]:
    """Read set-aside rows again, and keep what can be read now. records: as `waiting` gives them."""
    run_id = run_id or str(uuid.uuid4())
    by_collection = groupby(
        sorted(records, key=lambda record: str(record["collection"])), key=lambda record: record["collection"]
    )
    return [_replay(lake, name, list(mine), run_id) for name, mine in by_collection]


def _all(lake: Lake) -> list[Record]:
    """Asking what is set aside makes no table."""
    return list(lake.quarantine().current().values()) if lake.holds("_quarantine") else []


def _replay(lake: Lake, collection: str, records: Sequence[Record], run_id: str) -> Replayed:
    resource = RESOURCES[collection]
    normalised = normalise(resource, [_page(record) for record in records])
    unreadable = {records[row.page]["id"]: _why(row) for row in normalised.bad}
    done = Replayed(collection, readable=len(records) - len(unreadable), unreadable=unreadable)
    if done.readable:
        readable = [record for record in records if record["id"] not in unreadable]
        _commit(lake, normalised.rows, run_id, done)
        lake.quarantine().write(_resolved({record["id"] for record in readable}, run_id))
    return done


def _page(record: Record) -> RawPage:
    body = b"[" + record["raw"].encode(errors="surrogatepass") + b"]"
    path_ids = json.loads(record["path_ids"]) if record["path_ids"] else {}
    return RawPage(body, decode_leniently(body), record["_synced_at"], path_ids)


def _why(row: BadRow) -> str:
    return row.reason if row.field is None else f"{row.field}: {row.reason}"


def _commit(lake: Lake, rows: pa.Table, run_id: str, done: Replayed) -> None:
    resource = RESOURCES[done.collection]
    rows = rows.append_column("_run_id", pa.repeat(pa.scalar(run_id), rows.num_rows))
    rows = rows.append_column("_deleted", pa.repeat(pa.scalar(False), rows.num_rows))
    fan_out = next((fan_out for fan_out in FAN_OUTS.values() if done.collection in fan_out.tables), None)
    table = lake.table(resource) if fan_out is None else lake.children(resource, fan_out.parent_id)
    try:
        if isinstance(table, ChildTable):
            rows = table.complete(rows)
            table.narrow(range(BUCKETS), None)
        committed = table.commit_late(rows, local_clock.utc_now())
    finally:
        table.close()
    done.added, done.changed, done.older = committed.new, committed.changed, committed.stale


def _resolved(ids: set[str], run_id: str) -> Callable[[Mapping[str, Record]], list[Record]]:
    """The records as they are once their rows can be read."""
    now = local_clock.utc_now()

    def news(held: Mapping[str, Record]) -> list[Record]:
        return [
            {**held[id_], "status": RESOLVED, "_synced_at": now, "_run_id": run_id}
            for id_ in sorted(ids)
            if held[id_]["status"] != RESOLVED
        ]

    return news
