"""An exchange as faults see it, and what is to be done with its answer, as values.

Does not belong here: which faults there are (kinds.py), doing it (demo/server.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import msgspec

from demo.answers import Reply
from demo.api.model import Operation, Shape


class Ending(Enum):
    """How a connection ends before an answer does."""

    RESET = "reset"
    CLOSED = "closed"


class Served(NamedTuple):
    """How an answer goes over the wire.

    delay_seconds: before anything is sent. ending: how the connection breaks off, None where it does not. sent: how
    many bytes of the body go out before that; None: not even the status.
    """

    reply: Reply
    delay_seconds: float = 0.0
    ending: Ending | None = None
    sent: int | None = None


class Outcome(NamedTuple):
    """What a fault does. ends_token: the token of the request holds no more. changes: so many things happen to the
    tenant right after the answer.
    """

    served: Served
    ends_token: bool = False
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its good answer.

    number: how many requests there were before it. target: path and query. operation: what it asks for, None at the
    token end point. earlier: what the same target was answered a moment ago, None where that is not known. now_ms: by
    the tenant's clock. evolves: whether things can happen to the tenant.
    """

    number: int
    target: str
    operation: Operation | None
    reply: Reply
    earlier: Reply | None
    now_ms: int
    evolves: bool

    @property
    def is_good(self) -> bool:
        """Whether there is a whole answer of the API that a fault can twist."""
        return self.operation is not None and self.reply.status == 200

    @property
    def has_parent(self) -> bool:
        return self.operation is not None and "{" in self.operation.path

    @property
    def shape(self) -> Shape | None:
        return self.operation.shape if self.operation is not None and self.reply.status == 200 else None


class Envelope(msgspec.Struct, rename="camel"):
    """A page of a list, its items as they are spelt."""

    page_index: int
    page_size: int
    total_pages: int
    total_count: int
    items: list[msgspec.Raw]


def page_in(exchange: Exchange) -> Envelope | None:
    """The page that was answered; None where it is none, has no items, or has one that is no JSON."""
    if exchange.shape is not Shape.PAGED:
        return None
    try:
        page = msgspec.json.decode(exchange.reply.body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return page if page.items else None


def sent(reply: Reply) -> Outcome:
    """Another answer in the place of the good one."""
    return Outcome(Served(reply))
