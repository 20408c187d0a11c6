"""Reading a window of a list that moves, ties, lies about its totals or caps its pages: no still row may be lost."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import RESOURCES
from pipelines.contract.formats import format_instant
from pipelines.normalise import RawPage
from pipelines.sync.history import read_in_order
from pipelines.sync.pages import Page
from pipelines.sync.windows import Window

STARTED = RESOURCES["sessions"].listed_by
T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)
SPAN = timedelta(days=40)


@dataclass
class MovingList:
    """A simple model of a paged list: rows of (time, id), kept as the API would show them."""

    rows: dict[str, datetime]
    rng: random.Random
    order: str = "time"
    bounds: str = "half-open"
    coarse: bool = False
    cap: int = 100
    lie: float = 0.0
    move: float = 0.0
    width: timedelta = SPAN
    moved: set[str] = field(default_factory=set)
    requests: int = 0

    async def ask(self, lower, upper, number):
        self.requests += 1
        assert self.requests < 20_000, "the reader does not come to an end"
        if self.rng.random() < self.move:
            self._move()
        found = [(time, name) for name, time in self.rows.items() if self._within(time, lower, upper)]
        found.sort(key=lambda row: (row[0], row[1]) if self.order == "time" else row[1], reverse=True)
        start = (number - 1) * self.cap
        total = len(found) + (self.rng.choice([-1, 1, 7, -len(found)]) if self.rng.random() < self.lie else 0)
        items = [{"id": name, "startTime": format_instant(time)} for time, name in found[start : start + self.cap]]
        await asyncio.sleep(0)
        return Page(RawPage(b"", items, T0), max(0, total))

    def _within(self, time, lower, upper):
        cut = (lambda t: t.replace(microsecond=0)) if self.coarse else (lambda t: t)
        above = lower is None or (time > cut(lower) if self.bounds == "open" else time >= cut(lower))
        below = upper is None or (time <= cut(upper) if self.bounds == "closed" else time < cut(upper))
        return above and below

    def _move(self):
        """Somebody deletes a row and another arrives back-dated: the total stays."""
        gone = self.rng.choice(sorted(self.rows))
        del self.rows[gone]
        name = f"new-{len(self.moved)}"
        self.rows[name] = T0 + self.rng.random() * self.width
        self.moved |= {gone, name}


def read_all(source, window):
    async def collect():
        pieces = []
        async for piece in read_in_order(source.ask, STARTED, window, T0 + SPAN, side_by_side=4):
            pieces.append(piece)
        return pieces

    return asyncio.run(collect())


def ids(pieces):
    return {item["id"] for piece in pieces for page in piece.pages for item in page.items}


def make_rows(rng, count, width, resolution):
    steps = max(1, int(width / resolution))
    return {f"row-{number:05}": T0 + resolution * rng.randrange(steps) for number in range(count)}


shapes = {
    "order": st.sampled_from(["time", "id"]),
    "bounds": st.sampled_from(["closed", "half-open", "open"]),
    "coarse": st.booleans(),
}
kinds = st.one_of(
    st.fixed_dictionaries(shapes),
    st.fixed_dictionaries(shapes | {"cap": st.just(37)}),
    st.fixed_dictionaries(shapes | {"lie": st.sampled_from([0.05, 1.0])}),
)


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 700),
    width=st.sampled_from([timedelta(milliseconds=1), timedelta(seconds=2), timedelta(hours=1), SPAN]),
    resolution=st.sampled_from([timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=10)]),
    kind=kinds,
    open_below=st.booleans(),
    open_above=st.booleans(),
)
def test_a_still_list_is_read_whole(seed, count, width, resolution, kind, open_below, open_above):
    rng = random.Random(seed)
    source = MovingList(make_rows(rng, count, width, resolution), rng, width=width, **kind)
    lower = None if open_below else T0 + width / 4
    upper = None if open_above else T0 + width
    wanted = {
        name
        for name, time in source.rows.items()
        if (lower is None or time >= lower) and (upper is None or time < upper)
    }

    pieces = read_all(source, Window(lower, upper))

    assert wanted <= ids(pieces)
    assert all(piece.settled for piece in pieces) or "lie" in kind
    borders = [(piece.window.lower, piece.window.upper) for piece in pieces]
    assert borders[0][0] == lower
    assert borders[-1][1] == upper
    assert all(before[1] == after[0] for before, after in pairwise(borders))


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(150, 700),
    resolution=st.sampled_from([timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=3)]),
    bounds=st.sampled_from(["closed", "half-open", "open"]),
    move=st.sampled_from([0.3, 1.0]),
    order=st.sampled_from(["time", "id"]),
)
def test_rows_that_stay_are_never_lost_while_others_come_and_go(seed, count, resolution, bounds, move, order):
    rng = random.Random(seed)
    source = MovingList(make_rows(rng, count, SPAN, resolution), rng, order=order, bounds=bounds, move=move)

    pieces = read_all(source, Window(None, T0 + SPAN))

    stayed = {name for name in source.rows if name not in source.moved}
    assert stayed <= ids(pieces)


def test_a_walk_by_page_numbers_loses_the_row_that_ours_keeps():
    """The case that no sum shows: a deletion on a page already read, and a back-dated arrival."""
    rows = {f"row-{number:05}": T0 + timedelta(minutes=number) for number in range(250)}

    class OneMove(MovingList):
        def _move(self):
            if self.requests == 2:
                del self.rows["row-00249"]
                self.rows["late"] = T0 + timedelta(seconds=1)
                self.moved |= {"row-00249", "late"}

    def fresh():
        return OneMove(dict(rows), random.Random(1), move=1.0)

    naive_list = fresh()
    naive, totals = set(), set()
    for number in (1, 2, 3):
        page = asyncio.run(naive_list.ask(None, T0 + SPAN, number))
        naive |= {item["id"] for item in page.items}
        totals.add(page.total)
    assert totals == {250}
    assert len(set(rows) - naive - naive_list.moved) == 1

    ours = fresh()
    read = ids(read_all(ours, Window(None, T0 + SPAN)))
    assert set(rows) - ours.moved <= read


def test_more_than_a_page_in_one_millisecond_is_walked_and_settled():
    rows = {f"row-{number:05}": T0 for number in range(731)}
    source = MovingList(rows, random.Random(1))
    pieces = read_all(source, Window(None, T0 + SPAN))
    assert ids(pieces) == set(rows)
    assert all(piece.settled for piece in pieces)


def test_what_never_settles_is_kept_and_said():
    rows = {f"row-{number:05}": T0 for number in range(300)}

    class Restless(MovingList):
        def _move(self):
            self.rows.pop(min(self.rows))
            self.rows[f"x{self.requests:05}"] = T0

    source = Restless(rows, random.Random(1), move=1.0)
    pieces = read_all(source, Window(None, T0 + SPAN))
    assert not all(piece.settled for piece in pieces)
    assert any("never agreed" in note for piece in pieces for note in piece.notes)


def test_one_wrong_time_at_the_end_of_a_page_hides_nothing():
    """A row that shows a time far too old must not make the reader jump over what lies between."""
    rows = {f"row-{number:05}": T0 + timedelta(minutes=number) for number in range(450)}

    class Wrong(MovingList):
        async def ask(self, lower, upper, number):
            page = await super().ask(lower, upper, number)
            for item in page.items:
                if item["id"] == "row-00350":
                    item["startTime"] = "1999-01-01T00:00:00.000Z"
            return page

    source = Wrong(rows, random.Random(1))
    assert ids(read_all(source, Window(None, T0 + SPAN))) == set(rows)


def test_a_large_history_costs_little_more_than_its_pages():
    rows = make_rows(random.Random(3), 8_000, SPAN, timedelta(milliseconds=1))
    source = MovingList(rows, random.Random(1))
    pieces = read_all(source, Window(None, T0 + SPAN))
    assert ids(pieces) == set(rows)
    assert source.requests <= 1.35 * 80
    assert len(pieces) > 4


def test_a_fault_is_raised_in_its_turn_and_what_came_before_is_handed_on():
    rows = make_rows(random.Random(3), 8_000, SPAN, timedelta(milliseconds=1))
    source = MovingList(rows, random.Random(1))
    broken_from = T0 + SPAN / 2

    async def ask(lower, upper, number):
        if lower is not None and lower > broken_from:
            raise OSError("broken")
        return await source.ask(lower, upper, number)

    async def collect():
        pieces = []
        with pytest.raises(OSError, match="broken"):
            async for piece in read_in_order(ask, STARTED, Window(None, T0 + SPAN), T0 + SPAN, 4):
                pieces.append(piece)
        return pieces

    pieces = asyncio.run(collect())
    end = pieces[-1].window.upper
    assert end >= broken_from - timedelta(days=4)
    assert {name for name, time in rows.items() if time < end} <= ids(pieces)
