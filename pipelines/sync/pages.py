"""One answer of a list, and what can be concluded from it alone.

Belongs here: the reading of the envelope, the order of the items, whether an answer is complete.
Does not belong here: asking again (listing.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from pipelines.client.answer import Answer
from pipelines.errors import UnexpectedAnswer
from pipelines.normalise import RawPage
from pipelines.normalise.instants import parse_instant

NO_IDS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one paged answer. total: the API's `totalCount`, at the same instant as the items."""

    raw: RawPage
    total: int

    @property
    def items(self) -> list[Any]:
        return self.raw.items

    def is_complete(self, asked_size: int) -> bool:
        """Whether the answer holds all that the window has.

        A full page is never taken for complete, whatever the total says: the total may be wrong.
        """
        return len(self.items) < asked_size and self.total <= len(self.items)

    def times(self, path: str, start: int = 0, stop: int | None = None) -> list[datetime]:
        """The instants at `path` of the items from `start` to `stop` that have a readable one, in their order."""
        return [time for item in self.items[start:stop] if (time := item_time(item, path)) is not None]

    def oldest_if_newest_first(self, path: str) -> datetime | None:
        """The oldest instant at `path` of the readable items, if they never rise; None otherwise."""
        texts = [item.get(path) if isinstance(item, dict) else None for item in self.items]
        alike = [text for text in texts if isinstance(text, str) and len(text) == 24 and text[10] + text[23] == "TZ"]
        if alike and len(alike) == len(texts):
            # one form for all: they compare as texts, which spares parsing a hundred of them
            oldest = parse_instant(alike[-1]) if alike == sorted(alike, reverse=True) else None
            if oldest is not None:
                return oldest
        times = self.times(path)
        if not times or any(newer < older for newer, older in pairwise(times)):
            return None
        return times[-1]


def item_time(item: object, path: str) -> datetime | None:
    """The instant at a top-level `path` of an item, None if there is no readable one."""
    value = item.get(path) if isinstance(item, dict) else None
    return parse_instant(value) if isinstance(value, str) else None


def read_page(answer: Answer, read_at: datetime, where: str, path_ids: Mapping[str, str] = NO_IDS) -> Page:
    """The envelope of a paged answer. Raises UnexpectedAnswer if it is none."""
    envelope = answer.data
    if isinstance(envelope, Mapping):
        items, total = envelope.get("items"), envelope.get("totalCount")
        if isinstance(items, list) and isinstance(total, int) and not isinstance(total, bool) and total >= 0:
            return Page(RawPage(answer.body, items, read_at, path_ids), total)
    raise UnexpectedAnswer(
        f"GET {where}: expected the paged form of v2 (items, totalCount, ...), got {describe(envelope)}."
        " Check that SMART_CHARGING_BASE_URL ends in /api/v2."
    )


def empty_page(read_at: datetime) -> Page:
    """What stands for a page beyond the last one."""
    return Page(RawPage(b'{"items":[]}', [], read_at), 0)


def read_array(answer: Answer, read_at: datetime, where: str) -> RawPage:
    """The items of an answer that is a bare array. Raises UnexpectedAnswer if it is none."""
    if isinstance(answer.data, list):
        return RawPage(answer.body, answer.data, read_at)
    raise UnexpectedAnswer(f"GET {where}: expected a JSON array, got {describe(answer.data)}.")


def describe(data: object) -> str:
    """What came instead, without its content."""
    if isinstance(data, Mapping):
        return f"an object with {', '.join(sorted(map(str, data))[:8]) or 'no fields'}"
    return {list: "an array", str: "a text", type(None): "nothing"}.get(type(data), f"a {type(data).__name__}")
