"""A change as a value, and applying it to a world.

Does not belong here: which changes there are (kinds.py), rows (demo/tables.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.world.putting import Puttable, Shown, put, remove, restore
from demo.world.world import Place, World


@dataclass(frozen=True, slots=True)
class Removal:
    """Something is there no more."""

    place: Place


@dataclass(frozen=True, slots=True)
class Restoral:
    """Something that was removed is there again."""

    place: Place


Effect = Puttable | Removal | Restoral


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened. places: the rows that it is about, by the lake's tables; what only follows from those,
    such as a session's financials, is not among them. effects: in order.
    """

    kind: str
    places: tuple[Place, ...]
    effects: tuple[Effect, ...]


def perform(change: Change, world: World, now_ms: int) -> list[Shown]:
    """Make the change, and give what is shown otherwise from now on."""
    shown: list[Shown] = []
    for effect in change.effects:
        match effect:
            case Removal():
                shown += remove(effect.place, world, now_ms)
            case Restoral():
                shown += restore(effect.place, world, now_ms)
            case _:
                shown += put(effect, world, now_ms)
    return shown
