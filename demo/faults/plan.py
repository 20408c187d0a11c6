"""A plan of faults - how often, which, from which seed - and the fault that it has for one exchange.

Does not belong here: what a kind does (kinds.py), what was asked before (injector.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import NamedTuple

import msgspec

from demo.answers import ProblemError
from demo.api.model import PREFIX
from demo.faults.kinds import FAULT_KIND_BY_NAME, FAULT_KINDS, FaultKind
from demo.faults.model import Exchange, Outcome, Served
from demo.world.draw import Draw

BROKEN = "broken"
"""Counted as a kind of its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: the share of requests that meet a fault. most_in_a_row: how often the same target meets one before it is
    answered well. slow_seconds: how long a slow answer takes. broken: patterns of paths below the prefix, `*` for
    anything, that answer 500 as long as the plan holds.
    """

    seed: int
    rate: float = 0.0
    kinds: Sequence[FaultKind] = FAULT_KINDS
    most_in_a_row: int = 2
    slow_seconds: float = 1.0
    broken: Sequence[str] = ()


class Fault(NamedTuple):
    kind: str
    outcome: Outcome


def fault_for(plan: Plan, exchange: Exchange, in_a_row: int) -> Fault | None:
    """The fault that an exchange meets, None where it is answered well. in_a_row: how many its target just met."""
    path = exchange.target.partition("?")[0].removeprefix(PREFIX)
    if exchange.operation is not None and any(fnmatchcase(path, pattern) for pattern in plan.broken):
        problem = ProblemError(500, "Something is broken here, and will be for a long time.")
        return Fault(BROKEN, Outcome(Served(problem.reply(PREFIX + path))))
    draw = Draw(plan.seed).apart(exchange.number, exchange.target)
    # A token end point that fails does so for a while.
    goes_on = exchange.operation is None and in_a_row > 0
    if in_a_row >= plan.most_in_a_row or not (goes_on or draw.chance(plan.rate, "fault")):
        return None
    left = [kind for kind in plan.kinds if kind.is_met_at(exchange)]
    while left:
        sums = [*accumulate(kind.weight for kind in left)]
        drawn = draw.whole(sums[-1], "kind", len(left))
        kind = left.pop(next(i for i, upper in enumerate(sums) if drawn < upper))
        outcome = kind.make(exchange, draw)
        if outcome is not None:
            if kind.name == "slow":
                outcome = outcome._replace(served=outcome.served._replace(delay_seconds=plan.slow_seconds))
            return Fault(kind.name, outcome)
    return None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    seed: int
    rate: float = 0.0
    kinds: list[str] | None = None
    most_in_a_row: int = 2
    slow_seconds: float = 1.0
    broken: list[str] = msgspec.field(default_factory=list)


def read_plan(body: bytes) -> Plan | None:
    """None for `{}`, which stops all faults. Raises ProblemError 400 for anything that is no plan."""
    try:
        if msgspec.json.decode(body) == {}:
            return None
        told = msgspec.json.decode(body, type=_Body)
    except msgspec.DecodeError as error:
        expected = '{}, or {"seed": 1, "rate": 0.05} with kinds, broken, most_in_a_row, slow_seconds as wanted'
        raise ProblemError(400, f"Expected {expected}: {error}.") from None
    return plan_of(**{name: getattr(told, name) for name in told.__struct_fields__})


def plan_of(
    seed: int,
    rate: float = 0.0,
    kinds: Sequence[str] | None = None,
    most_in_a_row: int = 2,
    slow_seconds: float = 1.0,
    broken: Sequence[str] = (),
) -> Plan:
    """kinds: by name, all of them where left out. Raises ProblemError 400 for what cannot be."""
    if not 0 <= rate <= 1:
        raise ProblemError(400, "rate: Expected 0 to 1, the share of requests that meet a fault.")
    unknown = [name for name in kinds or () if name not in FAULT_KIND_BY_NAME]
    if unknown or (kinds is not None and not kinds):
        raise ProblemError(400, f"kinds: Expected some of {', '.join(FAULT_KIND_BY_NAME)}.")
    if most_in_a_row < 1:
        raise ProblemError(400, "most_in_a_row: Expected 1 or more.")
    if not 0 <= slow_seconds <= 3600:
        raise ProblemError(400, "slow_seconds: Expected 0 to 3600.")
    if not all(pattern.startswith("/") for pattern in broken):
        raise ProblemError(400, "broken: Expected paths such as /users/*/financials.")
    chosen = FAULT_KINDS if kinds is None else [FAULT_KIND_BY_NAME[name] for name in kinds]
    return Plan(seed, rate, chosen, most_in_a_row, slow_seconds, tuple(broken))
