"""The kinds of faults: at which end points each is met, and how often it is drawn.

Does not belong here: what a kind does (failing.py, lying.py), whether there is a fault at all (plan.py), rows that are
broken (malformed.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from demo.faults import failing, lying
from demo.faults.model import Exchange, Outcome
from demo.world.draw import Draw

MOVES = "moves"


class Where(Enum):
    """Which end points a kind is met at."""

    API = "api"
    TOKEN = "token"  # noqa: S105
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """make: None where the kind cannot be met: an item cannot be missing from an empty page. lies: it looks like a good
    answer, so nothing tells its reader that it is none.
    """

    name: str
    weight: int
    where: Where
    make: Callable[[Exchange, Draw], Outcome | None]
    lies: bool = False

    def is_met_at(self, exchange: Exchange) -> bool:
        own = Where.TOKEN if exchange.operation is None else Where.API
        return self.where in {own, Where.BOTH}


FAULT_KINDS = (
    FaultKind("throttled_seconds", 2, Where.BOTH, failing.throttled_seconds),
    FaultKind("throttled_date", 2, Where.BOTH, failing.throttled_date),
    FaultKind("throttled", 1, Where.BOTH, failing.error_of(429, "Too Many Requests")),
    FaultKind("http_500", 3, Where.BOTH, failing.error_of(500, "Internal Server Error")),
    FaultKind("http_502", 2, Where.BOTH, failing.error_of(502, "Bad Gateway")),
    FaultKind("http_503", 2, Where.BOTH, failing.unavailable),
    FaultKind("http_504", 4, Where.BOTH, failing.error_of(504, "Internal api timeout")),
    FaultKind("reset", 2, Where.BOTH, failing.reset),
    FaultKind("reset_in_body", 2, Where.BOTH, failing.reset_in_body),
    FaultKind("cut_body", 2, Where.BOTH, failing.cut_body),
    FaultKind("cut_json", 2, Where.BOTH, failing.cut_json),
    FaultKind("web_page", 2, Where.BOTH, failing.web_page),
    FaultKind("other_shape", 2, Where.API, failing.other_shape),
    FaultKind("slow", 2, Where.BOTH, failing.slow),
    FaultKind("early_401", 2, Where.API, failing.early_401),
    FaultKind("token_failure", 10, Where.TOKEN, failing.token_failure),
    FaultKind("wrong_total", 2, Where.API, lying.wrong_total, lies=True),
    FaultKind("wrong_echo", 2, Where.API, lying.wrong_echo, lies=True),
    FaultKind("empty_page", 1, Where.API, lying.empty_page, lies=True),
    FaultKind("doubled_item", 2, Where.API, lying.doubled_item, lies=True),
    FaultKind("missing_item", 1, Where.API, lying.missing_item, lies=True),
    FaultKind("stale", 2, Where.API, lying.stale, lies=True),
    FaultKind(MOVES, 4, Where.API, lying.moves, lies=True),
    FaultKind("false_404", 1, Where.API, lying.false_404, lies=True),
    FaultKind("false_empty", 1, Where.API, lying.false_empty, lies=True),
)

FAULT_KIND_BY_NAME = {kind.name: kind for kind in FAULT_KINDS}
