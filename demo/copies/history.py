"""The rows of the original at any moment: copies live at different ones.

A row is one of a few versions, and what a user has of a table is told by how many of its moments are over; so rows and
lists are made once for all the copies that see the same.
Does not belong here: what is told otherwise of a copy (copy.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from demo.copies.edits import Edits
from demo.copies.template import Template, template_of
from demo.listing import Listing, Row
from demo.tables import TABLES, Thing, things
from demo.world.world import World

KEPT_LISTINGS = 20
"""Of one user's table; copies see only those of their hours."""


class Versions:
    """The rows of one thing, each made when it is first asked for."""

    def __init__(self, thing: Thing) -> None:
        self.moments = thing.moments
        self._row_at = thing.row_at
        self._rows: dict[int, Row] = {}
        self._templates: dict[int, Template] = {}

    def at(self, now_ms: int) -> Row | None:
        """The row at a moment; None before it comes into being."""
        number = bisect_right(self.moments, now_ms)
        return self._row(number) if number else None

    def template_at(self, now_ms: int) -> Template:
        """The row at a moment when there is one, taken apart."""
        number = bisect_right(self.moments, now_ms)
        template = self._templates.get(number)
        if template is None:
            row = self._row(number)
            template = self._templates[number] = template_of(row.id, row.body)
        return template

    @property
    def last(self) -> Row:
        """The row after all that ever happens to it."""
        return self._row(len(self.moments))

    def _row(self, number: int) -> Row:
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = self._row_at(self.moments[number - 1])
        return row


class Timeline:
    """A table, or one user's part of it, at any moment."""

    def __init__(self, versions: Sequence[Versions]) -> None:
        self._versions = versions
        self._moments = sorted(moment for each in versions for moment in each.moments)
        self._kept: dict[int, Listing] = {}

    def at(self, now_ms: int) -> Listing:
        over = bisect_right(self._moments, now_ms)
        listing = self._kept.get(over)
        if listing is None:
            rows = (each.at(now_ms) for each in self._versions)
            listing = Listing(row for row in rows if row is not None)
            if len(self._kept) == KEPT_LISTINGS:
                del self._kept[next(iter(self._kept))]
            self._kept[over] = listing
        return listing


class History:
    """Everything that the original ever has. versions: by table, of every thing in it."""

    def __init__(self, world: World) -> None:
        self.versions: dict[str, list[Versions]] = {name: [] for name in TABLES}
        of_user: dict[tuple[str, str], list[Versions]] = {}
        for thing in things(world):
            versions = Versions(thing)
            self.versions[thing.table].append(versions)
            of_user.setdefault((thing.table, thing.user_id), []).append(versions)
        self._tables = {name: Timeline(versions) for name, versions in self.versions.items()}
        self._of_user = {place: Timeline(versions) for place, versions in of_user.items()}

    def table(self, name: str, now_ms: int) -> Listing:
        return self._tables[name].at(now_ms)

    def of_user(self, name: str, user_id: str, now_ms: int) -> Listing:
        timeline = self._of_user.get((name, user_id))
        return Listing() if timeline is None else timeline.at(now_ms)


class Moment:
    """The original's rows at one moment, with what was changed in one copy."""

    def __init__(self, history: History, now_ms: int, edits: Edits) -> None:
        self._edits = edits
        self._history = history
        self._now_ms = now_ms

    def __getitem__(self, name: str) -> Listing:
        return self._edited(name, self._history.table(name, self._now_ms))

    def of_user(self, name: str, user_id: str) -> Listing:
        return self._edited(name, self._history.of_user(name, user_id, self._now_ms))

    def _edited(self, name: str, listing: Listing) -> Listing:
        if not self._edits.touch(name):
            return listing
        return Listing(self._edits.row(name, row, self._now_ms) for row in listing)
