"""What was changed behind the API's back: items that stand in for the world's own, by table and id.

Kept apart from the world, which several tenants may share and which does not change.
Does not belong here: which changes there are (editing.py).
"""

from __future__ import annotations

import msgspec

from demo.listing import Row
from demo.world.render import Item


class Edits:
    """Items as they are after a change. A thing that can be changed does not change by itself any more."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Item]] = {}

    def put(self, table: str, id_: str, item: Item) -> None:
        self._items.setdefault(table, {})[id_] = item

    def touch(self, table: str) -> bool:
        """Whether anything in the table was changed."""
        return table in self._items

    def item(self, table: str, id_: str, item: Item) -> Item:
        """The changed item, or the given one where nothing was changed."""
        return self._items.get(table, {}).get(id_, item)

    def row(self, table: str, row: Row) -> Row:
        """The row with the changed item, or the given one where nothing was changed."""
        item = self._items.get(table, {}).get(row.id)
        return row if item is None else row._replace(body=msgspec.json.encode(item))
