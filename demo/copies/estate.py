"""All copies of a world as what one tenant holds.

Does not belong here: what the rows are (history.py), their order (merged.py), how they are told (copy.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from demo.answers import ProblemError
from demo.change.model import Change
from demo.change.order import EvolveOrder
from demo.copies.copy import Copy
from demo.copies.edits import Edits
from demo.copies.history import History, Moment
from demo.copies.merged import Merged
from demo.editing import Edit, edited, told
from demo.estate import Asked, Happened
from demo.reads import Call
from demo.reads.call import encoded
from demo.tables import CAR_MODEL_BODIES, TABLES
from demo.truth import LISTED_TABLES, Scene, truth
from demo.world.world import World


class Copies:
    """A world so many times. Lists of the tenant are merged, everything else is asked of one copy."""

    def __init__(self, world: World, copies: int, now_ms: int) -> None:
        self._world = world
        self._history = History(world)
        self._copies = [(Copy(number), Edits(world)) for number in range(copies)]
        self._of_user = {
            copy.swapped(user_id): (copy, edits) for copy, edits in self._copies for user_id in world.households
        }
        self._lists = {name: Merged(name, self._history.versions[name], self._copies) for name in TABLES}
        self.catch_up(now_ms)
        for name in LISTED_TABLES:
            self._lists[name].prepare()

    def catch_up(self, now_ms: int) -> None:
        for merged in self._lists.values():
            merged.catch_up(now_ms)

    def answer(self, asked: Asked, now_ms: int) -> bytes:
        # Lists of the tenant are told of all copies already, and a user that nobody has is unknown to the original too.
        copy, edits = self._of_user.get(asked.ids[0], self._copies[0]) if asked.ids else self._copies[0]
        then_ms = now_ms + copy.early_ms
        call = Call(
            world=edits.world,
            tables=Moment(self._history, then_ms, edits),
            lists=self._lists,
            bounds=asked.bounds,
            now_ms=then_ms,
            ids=[copy.swapped(id_) for id_ in asked.ids],
            values=copy.asked(asked.values),
        )
        return copy.told(asked.handler(call))

    def count(self, table: str) -> int:
        return len(self._lists[table])

    def truth(self, table: str, now_ms: int) -> Iterable[bytes]:
        if table in LISTED_TABLES:
            return self._lists[table]
        if table == "supported_car_models":
            return CAR_MODEL_BODIES
        return self._under(table, now_ms)

    def _under(self, table: str, now_ms: int) -> Iterator[bytes]:
        for copy, edits in self._copies:
            yield from map(copy.told, truth(self._scene(copy, edits, now_ms), table))

    def edit(self, edit: Edit, now_ms: int) -> bytes:
        own = next(((copy, edits) for copy, edits in self._copies if self._has(copy.swapped(edit.id))), self._copies[0])
        copy, edits = own
        edit = edit._replace(id=copy.swapped(edit.id))
        edits.put(edited(self._scene(copy, edits, now_ms), edit), now_ms + copy.early_ms)
        return copy.told(encoded(told(self._scene(copy, edits, now_ms), edit)))

    @property
    def evolves(self) -> bool:
        return False

    def evolve(self, _order: EvolveOrder, _now_ms: int) -> list[Change]:
        raise ProblemError(400, "Only a tenant of one world evolves: start it without copies.")

    @property
    def happened(self) -> Sequence[Happened]:
        return ()

    def _has(self, id_: str) -> bool:
        """Whether the original has something with this id that can be changed."""
        world = self._world
        return id_ in world.households or id_ in world.location_by_id or id_ in world.session_by_id

    def _scene(self, copy: Copy, edits: Edits, now_ms: int) -> Scene:
        then_ms = now_ms + copy.early_ms
        return Scene(edits.world, Moment(self._history, then_ms, edits), then_ms)
