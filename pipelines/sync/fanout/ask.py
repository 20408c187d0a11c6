"""Whom to ask and what came back: the words that the modules of this package share.

Does not belong here: choosing (choosing.py), asking (forms.py), committing (writing.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pipelines.contract.fan_outs import FanOut, Worth
from pipelines.normalise import RawPage
from pipelines.sync.windows import Window


@dataclass(frozen=True, slots=True)
class Ask:
    """One parent that is to be asked.

    since: only what happened from then on is worth asking; None: all of it. last_until: up to when it was asked before.
    created_at: when its history may begin. is_history: whether all of that is to be read, in windows.
    left: what an earlier run could not read, or did not come to. only: read just this.
    children: ids of what the lake knows under it.
    """

    parent_id: str
    user_id: str
    bucket: int
    reasons: tuple[Worth, ...]
    since: datetime | None = None
    last_until: datetime | None = None
    created_at: datetime | None = None
    is_history: bool = False
    left: Window | None = None
    only: Window | None = None
    children: tuple[str, ...] = ()

    def path_ids(self, fan_out: FanOut) -> dict[str, str]:
        """The ids of the request's path, by JSON name."""
        return {"userId": self.user_id, fan_out.parent_id: self.parent_id}


@dataclass(slots=True)
class Piece:
    """What one answer, or several that belong together, said of a parent.

    pages: rows by lake table. lower, upper: the answer is whole for rows within them, None is open.
    asked_at: when it was asked, and not before what had been stamped by then: a local clock may have been set back.
    is_none: the API said that there is none.
    judges: the tables in which a row that is missing from this piece may count as gone.
    problem: why the parent must be asked again all the same.
    """

    ask: Ask
    asked_at: datetime
    pages: dict[str, list[RawPage]] = field(default_factory=dict)
    lower: datetime | None = None
    upper: datetime | None = None
    is_none: bool = False
    judges: frozenset[str] = frozenset()
    problem: str | None = None

    def asked(self, at: datetime) -> None:
        """The question went out at this time by the local clock."""
        self.asked_at = max(self.asked_at, at)

    @property
    def items(self) -> int:
        return sum(len(page.items) for pages in self.pages.values() for page in pages)
