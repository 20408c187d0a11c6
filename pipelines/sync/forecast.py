"""How many requests a night takes at the least, from what is held. Pure arithmetic.

A list is estimated window by window: the rows that the lake holds in a window, a hundred a request, and one request
for a window without rows. It is a lower bound as far as the lake knows: what is new comes on top, and an answer shows
again the last row of the one before it.
Does not belong here: reading the lake (dry_run.py), whom a fan-out asks (pipelines/sync/fanout).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.contract import MAX_PAGE_SIZE, Change, Question, Resource
from pipelines.settings import SyncSettings
from pipelines.sync.rereads import closed_months, rotation
from pipelines.sync.windows import Window, next_window, shifted

CLOCK_REQUESTS = 1
"""What every run asks first."""
WALKS = 2
"""A list without a filter is read until two walks agree."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would ask of one list or fan-out. requests: at the least.

    parents: None for a list, and where they are not known. notes: what a reader should know.
    is_known: False where it cannot be told whom to ask before something else was read.
    """

    name: str
    tables: tuple[str, ...]
    requests: int
    parents: int | None = None
    asked: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    is_known: bool = True

    def as_record(self) -> dict[str, object]:
        """For machines."""
        return {
            "name": self.name,
            "collections": self.tables,
            "parents": self.parents,
            "parents_asked": None if self.parents is None else self.asked.total(),
            "parents_skipped": None if self.parents is None else self.skipped.total(),
            "asked_because": dict(self.asked.most_common()),
            "skipped_because": dict(self.skipped.most_common()),
            "requests": self.requests,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class NightForecast:
    """All of a run. requests: at the least, the one for the API's clock included."""

    until: datetime
    deep: bool
    units: Sequence[Forecast]
    requests_per_second: float

    @property
    def requests(self) -> int:
        return CLOCK_REQUESTS + sum(unit.requests for unit in self.units)

    @property
    def seconds(self) -> float:
        """At the configured rate; an API that is slower than that takes longer."""
        return self.requests / self.requests_per_second


@dataclass(frozen=True, slots=True)
class HeldList:
    """What the lake holds of a list. watermarks: by application id. oldest: the time of its oldest row.

    again: questions and windows in which a row could not be read.
    """

    rows: int
    oldest: datetime | None
    watermarks: Mapping[str, datetime | None]
    again: Sequence[tuple[Question, Window]] = ()


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What is asked of a list: windows by question, and those of which only the count is asked.

    counts: closed months, and all that is before them.
    """

    windows: Sequence[tuple[Question, Window]]
    is_whole: bool
    counts: int = 0


def plan_list(
    resource: Resource, listing: Question, held: HeldList, until: datetime, settings: SyncSettings, *, deep: bool
) -> ListPlan:
    """The windows that collection.py would ask for, in the same order. listing: the question that shows every row."""
    is_whole = resource.changes is Change.EDITED and (deep or held.rows <= settings.relist_rows)
    windows = [
        (question, _window(resource, question, held, until, settings, deep=deep, is_whole=is_whole))
        for question in resource.all_questions
    ]
    windows.append((listing, Window(until, None)))
    counts = 0
    if resource.changes is not Change.NONE and not is_whole:
        upper = shifted(until, -_overlap(resource, listing, settings, deep=deep))
        last = held.watermarks.get(f"{resource.name}/rotation")
        parts = rotation(held.oldest, upper, last, until, settings.rotation_nights)
        windows += [(listing, part) for part in parts]
        if deep and resource.changes is Change.CORRECTED:
            counts = 1 + len(closed_months(held.oldest, until))
    return ListPlan([*windows, *held.again], is_whole, counts)


def _window(
    resource: Resource,
    question: Question,
    held: HeldList,
    until: datetime,
    settings: SyncSettings,
    *,
    deep: bool,
    is_whole: bool,
) -> Window:
    if is_whole:
        return Window(None, until)
    overlap = _overlap(resource, question, settings, deep=deep)
    return next_window(held.watermarks.get(resource.app_id(question)), until, overlap)


def _overlap(resource: Resource, question: Question, settings: SyncSettings, *, deep: bool) -> timedelta:
    overlap = settings.overlap(question.overlap)
    if resource.changes is not Change.CORRECTED:
        return overlap
    return max(overlap, timedelta(days=settings.deep_correction_days if deep else settings.correction_days))


def pages_of(rows: int) -> int:
    """Requests for so many rows: an answer without any is one, too."""
    return max(1, -(-rows // MAX_PAGE_SIZE))


def most_first_asks(settings: SyncSettings) -> int:
    """Parents that one night asks at the most of those that never were asked: whole groups, up to the budget."""
    return -(-settings.backfill_requests // settings.fan_out_group) * settings.fan_out_group
