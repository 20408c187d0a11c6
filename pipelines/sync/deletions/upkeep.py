"""The check at the end of every run: no row lives under one that is gone, and what came back has back what went with
it.

A commit in which a parent is deleted or comes back says so itself (pipelines/lake/changelog.TURNED), and the check
leaves a mark up to where it came. So a night in which nothing turned reads two marks for each table of parents, and
nothing a kill left half done is forgotten.
Does not belong here: what is gone (proving.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pipelines.contract import PARENTS, RESOURCES
from pipelines.lake import Lake
from pipelines.lake.changelog import EPOCH, TURNED
from pipelines.lake.scratch import scratch_database
from pipelines.sync.deletions.cascade import Cascade
from pipelines.sync.deletions.owners import USERS

CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class _Turned:
    """Rows of a table that turned since the last check. gone: with the time of their end. back: there again."""

    gone: Mapping[str, datetime]
    back: list[str]


def keep_up(lake: Lake, cascade: Cascade) -> None:
    """Make it so, from the top down: what comes back with a user brings back in its turn what is below."""
    for name in PARENTS:
        turned, checked = lake.marks(name, [f"{name}/{TURNED}", f"{name}/{CHECKED}"])
        if turned is not None and (checked is None or checked < turned):
            found = _turned_since(lake, name, checked)
            cascade.bring_back_under(name, found.back)
            for spared, ids in _by_spared(lake, name, found.gone).items():
                cascade.bury_under(name, ids, spared)
            table = lake.table(RESOURCES[name])
            table.leave_mark(f"{name}/{CHECKED}", turned)
            table.close()


def _turned_since(lake: Lake, name: str, checked: int | None) -> _Turned:
    since = EPOCH if checked is None else EPOCH + timedelta(microseconds=checked)
    with (
        lake.reading(RESOURCES[name], ["id", "_synced_at", "_deleted"]) as versions,
        scratch_database() as connection,
    ):
        connection.register("versions", versions)
        rows = connection.execute(
            """select id, gone, ended from (
                 select id, max(_synced_at) as seen, arg_max(_deleted, _synced_at) as gone,
                        max(_synced_at) filter (where _deleted) as ended
                 from versions group by id
               ) where seen > ? and ended is not null order by id""",
            [since],
        ).fetchall()
    return _Turned(
        gone={id_: ended.astimezone(timezone.utc) for id_, gone, ended in rows if gone},
        back=[id_ for id_, gone, _ in rows if not gone],
    )


def _by_spared(lake: Lake, name: str, gone: Mapping[str, datetime]) -> dict[frozenset[str], dict[str, datetime | None]]:
    """The rows that are gone, by the tables that were left alone when they were deleted."""
    kept: dict[str, frozenset[str]] = {}
    if name == USERS and lake.holds("_deletion_candidates"):
        records = lake.deletion_candidates().current().values()
        kept = {r["row_id"]: frozenset(r["kept"] or ()) for r in records if r["collection"] == name}
    groups: dict[frozenset[str], dict[str, datetime | None]] = defaultdict(dict)
    for id_, ended in gone.items():
        groups[kept.get(id_, frozenset())][id_] = ended
    return groups
