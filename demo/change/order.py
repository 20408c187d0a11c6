"""An order to let things happen: how many, of which kinds, from which seed.

Does not belong here: carrying it out (demo/one_world.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from demo.answers import ProblemError
from demo.change.kinds import KIND_BY_NAME, KINDS, Kind

DEFAULT_CHANGES = 40
MOST_CHANGES = 100_000


@dataclass(frozen=True, slots=True)
class EvolveOrder:
    """changes: at most so many, fewer where none of the kinds can happen any more."""

    seed: int
    changes: int = DEFAULT_CHANGES
    kinds: Sequence[Kind] = KINDS


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    seed: int
    changes: int = DEFAULT_CHANGES
    kinds: list[str] | None = None


def read_order(body: bytes) -> EvolveOrder:
    """Raises ProblemError 400 for anything that is no order."""
    try:
        order = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as error:
        raise ProblemError(
            400, f'Expected {{"seed": 7, "changes": 40, "kinds": ["new_session"]}}, kinds or changes left out: {error}.'
        ) from None
    return evolve_order(order.seed, order.changes, order.kinds)


def evolve_order(seed: int, changes: int = DEFAULT_CHANGES, kinds: Sequence[str] | None = None) -> EvolveOrder:
    """kinds: by name, all of them where left out. Raises ProblemError 400 for what cannot be."""
    if not 1 <= changes <= MOST_CHANGES:
        raise ProblemError(400, f"changes: Expected 1 to {MOST_CHANGES}.")
    unknown = [name for name in kinds or () if name not in KIND_BY_NAME]
    if unknown or (kinds is not None and not kinds):
        raise ProblemError(400, f"kinds: Expected some of {', '.join(KIND_BY_NAME)}.")
    return EvolveOrder(seed, changes, KINDS if kinds is None else [KIND_BY_NAME[name] for name in kinds])
