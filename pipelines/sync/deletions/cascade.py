"""Deletes and brings back what hangs under rows, along the paths, and counts it by table.

Below comes before above: whoever dies in between leaves rows that are gone under a row that lives, never the other way
round.
Does not belong here: what is gone (proving.py), one table at a time (pipelines/lake/family.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from pipelines.contract import PARENTS, RESOURCES, Link, links_under
from pipelines.lake import FamilyTable, Lake
from pipelines.sync.report import counted

AT_ONCE = {"sessions": 5_000, "charging_locations": 100}
OTHERS_AT_ONCE = 500
"""How many rows of a table have what hangs under them in memory together: a location has some thousand prices a month.
"""
NOTHING: frozenset[str] = frozenset()


class Cascade:
    """What one run deletes and brings back in this way. deleted, restored: rows by table."""

    def __init__(self, lake: Lake, run_id: str) -> None:
        self.deleted: Counter[str] = Counter()
        self.restored: Counter[str] = Counter()
        self._lake = lake
        self._run_id = run_id
        self._told: tuple[Counter[str], Counter[str]] = (Counter(), Counter())

    def news(self) -> list[str]:
        """What was done since this was last asked, for people."""
        done = Counter(self.deleted), Counter(self.restored)
        fresh = [now - before for now, before in zip(done, self._told, strict=True)]
        self._told = done
        words = ("deleted with what they hang under", "brought back with what they hang under")
        return [f"{word}: {counted(rows)}" for word, rows in zip(words, fresh, strict=True) if rows]

    def bury_under(
        self, table: str, ids: Mapping[str, datetime | None], spared: Collection[str] = NOTHING
    ) -> datetime | None:
        """Delete all that hangs under rows of a table; the newest stamp.

        ids: with the time of each row's end, where rows that were read after it stay. spared: tables that are left
        alone.
        """
        stamps: list[datetime] = []
        for part in _parts(table, ids):
            for link, family in self._families(table):
                if link.child not in spared:
                    stamps += self._bury(link, family, part, max(stamps, default=None))
        return max(stamps, default=None)

    def _bury(
        self, link: Link, family: FamilyTable, parents: Mapping[str, datetime | None], after: datetime | None
    ) -> Iterator[datetime]:
        if link.child in PARENTS:
            below = self.bury_under(link.child, family.living(parents))
            after = max(filter(None, (after, below)), default=None)
        turned = family.bury(parents, self._run_id, after)
        self.deleted[link.child] += turned.rows
        yield from filter(None, (after, turned.at))

    def bring_back_under(self, table: str, ids: Sequence[str]) -> None:
        """Bring back all that was deleted with rows of a table, and what was deleted with that.

        What lives below is looked at too: a kill may have come before it was deleted itself.
        """
        for part in _parts(table, dict.fromkeys(ids)):
            for link, family in self._families(table):
                self.restored[link.child] += family.bring_back(part, self._run_id).rows
                if link.child in PARENTS:
                    self.bring_back_under(link.child, list(family.living(part)))

    def _families(self, table: str) -> Iterator[tuple[Link, FamilyTable]]:
        for link in links_under(table):
            if self._lake.holds(link.child):
                yield link, self._lake.family(RESOURCES[link.child], link)


def _parts(table: str, ids: Mapping[str, datetime | None]) -> Iterator[dict[str, datetime | None]]:
    waiting = iter(ids.items())
    while part := dict(islice(waiting, AT_ONCE.get(table, OTHERS_AT_ONCE))):
        yield part
