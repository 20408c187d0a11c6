"""What a tenant holds, as reads and controls see it.

Does not belong here: one world (one_world.py), many copies of a world (demo/copies), who may ask, and how paths are
read (tenant.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from demo.change.model import Change
from demo.change.order import EvolveOrder
from demo.editing import Edit
from demo.parameters import Bounds
from demo.reads import Handler


@dataclass(frozen=True, slots=True)
class Asked:
    """One read that passed token, path and parameter names. ids: of the path, a user's first."""

    handler: Handler
    bounds: Bounds
    ids: list[str]
    values: Mapping[str, str]


class Happened(NamedTuple):
    """A change, and when it was made."""

    at_ms: int
    change: Change


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

    @property
    def evolves(self) -> bool:
        """Whether things can happen to it."""
        ...

    def evolve(self, order: EvolveOrder, now_ms: int) -> list[Change]:
        """Let things happen, and give them. Raises ProblemError where nothing can."""
        ...

    @property
    def happened(self) -> Sequence[Happened]:
        """All that happened by chance so far."""
        ...
