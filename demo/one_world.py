"""One world as what a tenant holds: its rows keep up with the clock, with edits and with what happens by chance.

Does not belong here: which changes there are (demo/change, editing.py), what they do (demo/world/putting.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from demo.change.kinds import next_change
from demo.change.model import Change, perform
from demo.change.order import EvolveOrder
from demo.editing import Edit, edited, told
from demo.estate import Asked, Happened
from demo.reads import Call
from demo.reads.call import encoded
from demo.tables import Tables
from demo.truth import Scene, truth
from demo.world.putting import put
from demo.world.times import local, wall_ms
from demo.world.world import World

NEVER_MS = 1 << 62


class OneWorld:
    """A world as it is. nightly: what happens each time that the clock passes midnight, from the world's start on; so a
    tenant that is started later has been through the same nights.
    """

    def __init__(self, world: World, now_ms: int, nightly: EvolveOrder | None = None) -> None:
        begin_ms = now_ms if nightly is None else min(now_ms, world.start_ms)
        self.happened: list[Happened] = []
        self._world = world.copy()
        self._tables = Tables(self._world, begin_ms)
        self._nightly = nightly
        self._next_night_ms = NEVER_MS if nightly is None else _midnight_after(begin_ms)
        self._evolutions = 0
        self.catch_up(now_ms)

    def catch_up(self, now_ms: int) -> None:
        while self._nightly is not None and self._next_night_ms <= now_ms:
            night_ms = self._next_night_ms
            self._tables.catch_up(night_ms)
            self._evolve(self._nightly, f"night {local(night_ms).date()}", night_ms)
            self._next_night_ms = _midnight_after(night_ms)
        self._tables.catch_up(now_ms)

    def answer(self, asked: Asked, now_ms: int) -> bytes:
        tables = self._tables
        return asked.handler(Call(self._world, tables, tables, asked.bounds, now_ms, asked.ids, asked.values))

    def count(self, table: str) -> int:
        return len(self._tables[table])

    def truth(self, table: str, now_ms: int) -> Iterable[bytes]:
        return truth(self._scene(now_ms), table)

    def edit(self, edit: Edit, now_ms: int) -> bytes:
        scene = self._scene(now_ms)
        self._tables.show(put(edited(scene, edit), self._world, now_ms), now_ms)
        return encoded(told(scene, edit))

    @property
    def evolves(self) -> bool:
        return True

    def evolve(self, order: EvolveOrder, now_ms: int) -> list[Change]:
        self._evolutions += 1
        return self._evolve(order, f"evolution {self._evolutions}", now_ms)

    def apply(self, changes: Iterable[Change], now_ms: int) -> None:
        """Let happen what happened elsewhere."""
        for change in changes:
            self._tables.show(perform(change, self._world, now_ms), now_ms)
            self.happened.append(Happened(now_ms, change))

    def _evolve(self, order: EvolveOrder, night: str, now_ms: int) -> list[Change]:
        scene, begun = self._scene(now_ms), len(self.happened)
        for number in range(order.changes):
            change = next_change(scene, order.seed, night, number, order.kinds)
            if change is None:
                break
            self.apply([change], now_ms)
        return [change for _, change in self.happened[begun:]]

    def _scene(self, now_ms: int) -> Scene:
        return Scene(self._world, self._tables, now_ms)


def _midnight_after(instant_ms: int) -> int:
    """When the next local day begins."""
    midnight = local(instant_ms).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return wall_ms(midnight + timedelta(days=1))
