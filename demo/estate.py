"""What a tenant holds, as reads and controls see it: one world, with rows that keep up with the clock.

The same for many copies of a world: demo/copies.
Does not belong here: who may ask, and how paths are read (tenant.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from demo.editing import Edit, edited, told
from demo.parameters import Bounds
from demo.reads import Call, Handler
from demo.reads.call import encoded
from demo.tables import Tables
from demo.truth import Scene, truth
from demo.world.putting import put
from demo.world.world import World


@dataclass(frozen=True, slots=True)
class Asked:
    """One read that passed token, path and parameter names. ids: of the path, a user's first."""

    handler: Handler
    bounds: Bounds
    ids: list[str]
    values: Mapping[str, str]


class Estate(Protocol):
    """What a tenant holds. The clock never goes back from one call to the next."""

    def catch_up(self, now_ms: int) -> None:
        """Let everything happen that was due by now."""
        ...

    def answer(self, asked: Asked, now_ms: int) -> bytes:
        """The JSON body. Raises ProblemError."""
        ...

    def count(self, table: str) -> int:
        """How many rows one of `demo.tables.TABLES` has."""
        ...

    def truth(self, table: str, now_ms: int) -> Iterable[bytes]:
        """Every row of one of `demo.truth.TRUE_TABLES`, encoded."""
        ...

    def edit(self, edit: Edit, now_ms: int) -> bytes:
        """Make a change, and give the row as it is from now on. Raises ProblemError."""
        ...


class OneWorld:
    """A world as it is."""

    def __init__(self, world: World, now_ms: int) -> None:
        self._world = world.copy()
        self._tables = Tables(self._world, now_ms)

    def catch_up(self, now_ms: int) -> None:
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

    def _scene(self, now_ms: int) -> Scene:
        return Scene(self._world, self._tables, now_ms)
