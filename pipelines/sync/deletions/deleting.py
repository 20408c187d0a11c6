"""Deletes rows that are proved gone, with all that hangs under them.

The order survives a kill at any instant: the proof is written down, then what is below is deleted, then the rows
themselves, then the record is closed. A record that stays open is asked about again by the next run.
Does not belong here: what proves (proving.py), one level of the family (cascade.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from pipelines import local_clock
from pipelines.contract import RESOURCES, Resource, links_under
from pipelines.errors import ApiError, CredentialsRefused, NotPermitted
from pipelines.lake.changelog import TICK
from pipelines.sync.deletions.absence import Row, row_of
from pipelines.sync.deletions.candidates import DELETED, proved_news, settled_news
from pipelines.sync.deletions.listed import may_show, page_around
from pipelines.sync.deletions.work import Work


async def delete(work: Work, gone: Sequence[Row]) -> dict[Row, str]:
    """Delete rows; returns those of which it could not be told what is to go with them, and why."""
    kept, unclear = await _kept(work, gone)
    gone = [row for row in gone if row not in unclear]
    if not gone:
        return unclear
    work.note_candidates(lambda name, run_id, at, held: proved_news(name, run_id, at, gone, kept, held))
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for row in gone:
        groups[kept.get(row.id, frozenset())].append(row.id)
    stamps = [work.cascade.bury_under(work.resource.name, dict.fromkeys(ids), spared) for spared, ids in groups.items()]
    after = max(filter(None, stamps), default=None)
    ids = [row.id for row in gone]
    if _commit(work, ids, after) == len(ids):
        work.note_candidates(lambda name, run_id, at, held: settled_news(name, run_id, at, ids, DELETED, held))
    return unclear


def _commit(work: Work, ids: Sequence[str], after: datetime | None) -> int:
    """Mark the rows themselves as deleted, later than all below; how many are."""
    now = local_clock.utc_now()
    at = work.clock.stamp(now if after is None else max(now, after + TICK))
    rows = work.lake.rows(work.resource, ids)
    for name, value in (("_deleted", True), ("_run_id", work.run.run_id), ("_synced_at", at)):
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(place)
        rows = rows.set_column(place, field, pa.repeat(pa.scalar(value, field.type), rows.num_rows))
    return work.writer.delete(rows.append_column("_key", rows["id"]))


async def _kept(work: Work, gone: Sequence[Row]) -> tuple[dict[str, frozenset[str]], dict[Row, str]]:
    """Which tables' rows stay although their user is gone, because the tenant still lists the newest of them.

    No source says whether a tenant's lists go on to show what deleted users had; those lists are the truth.
    """
    kept: dict[str, frozenset[str]] = {}
    unclear: dict[Row, str] = {}
    listed = [RESOURCES[link.child] for link in links_under(work.resource.name) if RESOURCES[link.child].listed_by]
    for row in gone:
        try:
            spared = [resource.name for resource in listed if await _is_still_listed(work, resource, row)]
        except ApiError as error:
            if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
                raise
            unclear[row] = str(error)
            continue
        if spared:
            kept[row.id] = frozenset(spared)
    return kept, unclear


async def _is_still_listed(work: Work, resource: Resource, user: Row) -> bool:
    newest = _newest_of(work, resource, user)
    return newest is not None and may_show(await page_around(work.api, work.clock, resource, newest), newest)


def _newest_of(work: Work, resource: Resource, user: Row) -> Row | None:
    work.known.load(resource.name)
    found = work.known.sql.execute(
        f"""select id::varchar, user_id::varchar, begun from known_{resource.name}
            where not gone and user_id = ?::uuid and begun is not null order by begun desc, id limit 1""",  # noqa: S608
        [user.id],
    ).fetchone()
    return None if found is None else row_of(*found)
