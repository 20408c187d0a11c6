"""What was changed behind the API's back in one copy: a world of its own from then on, and its changed rows.

Does not belong here: which changes there are (demo/editing.py).
"""

from __future__ import annotations

from demo.editing import Edited
from demo.listing import Row
from demo.tables import Thing, thing_of
from demo.world.putting import put
from demo.world.world import World


class Edits:
    """world: the original's until something is changed. An edit moves nothing in time, so lists keep their order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._things: dict[str, dict[str, Thing]] = {}

    def put(self, thing: Edited, now_ms: int) -> None:
        if not self._things:
            self.world = self.world.copy()
        for (table, id_), entity in put(thing, self.world, now_ms):
            assert entity is not None, "an edit removes nothing"
            self._things.setdefault(table, {})[id_] = thing_of(entity)

    def touch(self, table: str) -> bool:
        """Whether anything in the table was changed."""
        return table in self._things

    def row(self, table: str, row: Row, now_ms: int) -> Row:
        """The row as it is after the changes, or the given one where nothing was changed."""
        thing = self._things.get(table, {}).get(row.id)
        return row if thing is None else thing.row_at(now_ms)
