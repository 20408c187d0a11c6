"""The kinds of changes and how often each happens, and drawing the next one.

Does not belong here: what a kind does (the sibling modules).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from demo.change import agreements, corrections, people, plug_ins, vanishing
from demo.change.model import Change
from demo.change.occasion import Occasion
from demo.truth import Scene
from demo.world.draw import Draw


@dataclass(frozen=True, slots=True)
class Kind:
    """weight: how often it happens, against the others. make: the change; None where nothing can be changed so now."""

    name: str
    weight: int
    make: Callable[[Occasion], Change | None]


KINDS = (
    Kind("new_session", 12, plug_ins.new_session),
    Kind("late_session", 4, plug_ins.late_session),
    Kind("tied_sessions", 2, plug_ins.tied_sessions),
    Kind("session_end", 4, plug_ins.session_end),
    Kind("back_dated_end", 2, plug_ins.back_dated_end),
    Kind("forced_end", 2, plug_ins.forced_end),
    Kind("session_progress", 2, plug_ins.session_progress),
    Kind("corrected_energy", 3, corrections.corrected_energy),
    Kind("corrected_levels", 2, corrections.corrected_levels),
    Kind("repriced_session", 3, corrections.repriced_session),
    Kind("moved_to_location", 2, corrections.moved_to_location),
    Kind("moved_to_user", 1, corrections.moved_to_user),
    Kind("edited_user", 3, people.edited_user),
    Kind("edited_vehicle", 3, people.edited_vehicle),
    Kind("edited_location", 3, people.edited_location),
    Kind("new_users", 1, people.new_users),
    Kind("new_location", 1, people.new_location),
    Kind("new_tariff", 2, agreements.new_tariff),
    Kind("new_contract", 2, agreements.new_contract),
    Kind("new_reward_rate", 1, agreements.new_reward_rate),
    Kind("new_settings", 2, agreements.new_settings),
    Kind("vehicle_reading", 2, agreements.vehicle_reading),
    Kind("charger_reading", 2, agreements.charger_reading),
    Kind("revised_sun", 2, agreements.revised_sun),
    Kind("new_message", 3, agreements.message),
    Kind("dismissed_message", 2, agreements.dismissed_message),
    Kind("deleted_session", 2, vanishing.deleted_session),
    Kind("deleted_user", 1, vanishing.deleted_user),
    Kind("deleted_vehicle", 1, vanishing.deleted_vehicle),
    Kind("deleted_location", 1, vanishing.deleted_location),
    Kind("deleted_charger", 1, vanishing.deleted_charger),
    Kind("returned", 2, vanishing.returned),
)

KIND_BY_NAME = {kind.name: kind for kind in KINDS}

MOVING_KINDS = tuple(
    KIND_BY_NAME[name]
    for name in (
        "new_session",
        "late_session",
        "tied_sessions",
        "new_users",
        "new_location",
        "deleted_session",
        "deleted_user",
        "deleted_vehicle",
        "deleted_location",
        "returned",
    )
)
"""Those that put rows into lists or take them out, so that pages move."""


def next_change(scene: Scene, seed: int, night: str, number: int, kinds: Sequence[Kind] = KINDS) -> Change | None:
    """The change with this number of a night, drawn from the tenant as the changes before it have left it.

    None where none of the kinds can happen.
    """
    name = f"evolved/{seed}/{night}/{number}"
    draw = Draw(seed).apart(night, number)
    changes = (kind.make(Occasion(scene, draw.apart(kind.name), name)) for kind in _in_turn(draw, kinds))
    return next((change for change in changes if change is not None), None)


def _in_turn(draw: Draw, kinds: Sequence[Kind]) -> Iterator[Kind]:
    """All of them in an order of chance, the weighty ones sooner."""
    left = list(kinds)
    while left:
        sums = [*accumulate(kind.weight for kind in left)]
        drawn = draw.whole(sums[-1], "kind", len(left))
        yield left.pop(next(i for i, upper in enumerate(sums) if drawn < upper))
