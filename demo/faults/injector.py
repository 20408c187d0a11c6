"""Faults at work: what was asked so far, and which fault each answer meets.

Does not belong here: sending anything (demo/server.py), changing the tenant (demo/tenant.py).
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from demo.answers import ProblemError, Reply
from demo.api.model import Operation
from demo.faults.kinds import FAULT_KINDS, MOVES
from demo.faults.model import Exchange, Outcome, Served
from demo.faults.plan import Plan, fault_for
from demo.world.times import MINUTE_MS

A_MOMENT_MS = 10 * MINUTE_MS
KEPT_ANSWERS = 256


class Injector:
    """One plan, from the first request on. injected: how often each kind was met, counted on."""

    def __init__(self, plan: Plan, injected: Counter[str], *, evolves: bool) -> None:
        self.plan = plan
        self._injected = injected
        self._evolves = evolves
        self._number = 0
        self._in_a_row: dict[str, int] = {}
        self._answers: OrderedDict[str, tuple[int, Reply]] = OrderedDict()

    def meet(self, target: str, operation: Operation | None, reply: Reply, now_ms: int) -> Outcome:
        """What becomes of a good answer."""
        earlier = self._keep(target, operation, reply, now_ms)
        exchange = Exchange(self._number, target, operation, reply, earlier, now_ms, self._evolves)
        self._number += 1
        fault = fault_for(self.plan, exchange, self._in_a_row.get(target, 0))
        if fault is None:
            self._in_a_row.pop(target, None)
            return Outcome(Served(reply))
        self._in_a_row[target] = self._in_a_row.get(target, 0) + 1
        self._injected[fault.kind] += 1
        return fault.outcome

    def _keep(self, target: str, operation: Operation | None, reply: Reply, now_ms: int) -> Reply | None:
        """Keep an answer, and give the one before it if that is not long ago."""
        if operation is None or reply.status != 200:
            return None
        told_ms, earlier = self._answers.pop(target, (0, None))
        self._answers[target] = (now_ms, reply)
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return earlier if now_ms - told_ms <= A_MOMENT_MS else None


class Faults:
    """The faults of one tenant: a plan at a time, or none. injected: how often each kind was met, of all plans."""

    def __init__(self, plan: Plan | None, *, evolves: bool) -> None:
        self.injected: Counter[str] = Counter()
        self.injector: Injector | None = None
        self._evolves = evolves
        self.follow(plan)

    def follow(self, plan: Plan | None) -> None:
        """Hold to this plan from now on; None: nothing goes wrong.

        Raises ProblemError 400 where it wants what the tenant cannot do.
        """
        asked = set() if plan is None or plan.kinds is FAULT_KINDS else {kind.name for kind in plan.kinds}
        if MOVES in asked and not self._evolves:
            raise ProblemError(400, "kinds: Only a tenant of one world moves: start it without copies.")
        self.injector = None if plan is None else Injector(plan, self.injected, evolves=self._evolves)
