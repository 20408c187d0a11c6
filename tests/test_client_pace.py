"""The pace's arithmetic, against a simple model and against its promises."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pipelines.client.pace import (
    CATCH_UP_SECONDS,
    RECOVERY_STEP,
    SHRINK_ON_429,
    SHRINK_ON_504,
    Limits,
    Pace,
)

rates = st.floats(0.1, 10_000)
limits = st.builds(Limits, rates, st.integers(1, 256))
gaps = st.lists(st.floats(0, 0.5) | st.just(0.0) | st.floats(0, 0.002), max_size=150)


@given(limits, gaps, st.floats(0, 2e9))
def test_no_second_has_more_starts_than_configured(limits: Limits, gaps: list[float], now: float) -> None:
    pace = Pace(limits)
    starts: list[float] = []
    for gap in gaps:
        now += gap
        if pace.seconds_to_wait(now) == 0.0:
            pace.start(now)
            starts.append(now)
    for first in starts:
        within = sum(1 for start in starts if first <= start < first + 1)
        # the clock's grain at 2e9 s is a quarter of a microsecond, and the pace forgives a whole one
        assert within <= math.floor(limits.requests_per_second * 1.00001) + 1


@given(rates, st.integers(1, 200))
def test_waiting_as_told_is_enough_and_not_longer_than_needed(rate: float, count: int) -> None:
    pace = Pace(Limits(rate, 1))
    now = 1_000.0
    for _ in range(count):
        now += pace.seconds_to_wait(now)
        assert pace.seconds_to_wait(now) == 0.0
        pace.start(now)
    ideal = (count - 1) * (1 + CATCH_UP_SECONDS) / rate
    assert ideal - CATCH_UP_SECONDS - 1e-3 <= now - 1_000.0 <= ideal + 1e-3


def test_a_timer_that_fires_late_costs_nothing() -> None:
    pace = Pace(Limits(1000, 1))
    now, late = 0.0, 0.004
    for _ in range(1000):
        wait = pace.seconds_to_wait(now)
        now += wait + (late if wait else 0.0)
        pace.start(now)
    assert now < 1.05


events = st.lists(
    st.tuples(st.sampled_from(["good", 429, 504, "limits"]), st.floats(0, 3), st.floats(0, 5), limits),
    max_size=80,
)


@given(limits, events)
def test_the_share_follows_a_simple_model(limits: Limits, events: list[tuple[object, float, float, Limits]]) -> None:
    pace = Pace(limits)
    now, share, shrunk_at = 0.0, 1.0, -math.inf
    for kind, gap, age, changed in events:
        now += gap
        asked_at = now - age
        if kind == "limits":
            pace.limits = limits = changed
        elif kind == "good":
            pace.recover(asked_at)
            if asked_at > shrunk_at:
                share = min(1.0, share + RECOVERY_STEP)
        else:
            factor = SHRINK_ON_429 if kind == 429 else SHRINK_ON_504
            pace.shrink(now, asked_at, factor)
            if asked_at > shrunk_at:
                share = max(share * factor, min(1.0, 1 / limits.requests_per_second))
                shrunk_at = now
        assert pace.share == share
        assert 0 < pace.requests_per_second <= limits.requests_per_second
        assert 1 <= pace.concurrency <= limits.concurrency
        assert pace.concurrency >= limits.concurrency * share


def test_a_wave_of_429_shrinks_once() -> None:
    pace = Pace(Limits(50, 8))
    for late in range(8):
        pace.shrink(10.0 + late / 100, asked_at=9.5, factor=SHRINK_ON_429)
    assert (pace.requests_per_second, pace.concurrency) == (25, 4)
    pace.shrink(11.0, asked_at=10.9, factor=SHRINK_ON_429)
    assert (pace.requests_per_second, pace.concurrency) == (12.5, 2)


def test_shrinking_spaces_the_next_start_from_now() -> None:
    pace = Pace(Limits(10, 8))
    pace.shrink(5.0, asked_at=4.0, factor=SHRINK_ON_429)
    assert math.isclose(pace.seconds_to_wait(5.0), 0.2)


def test_recovery_is_slow_and_complete() -> None:
    pace = Pace(Limits(50, 8))
    pace.shrink(1.0, asked_at=0.5, factor=SHRINK_ON_429)
    for _ in range(100):
        pace.recover(asked_at=2.0)
    assert 0.8 < pace.share < 0.85
    for _ in range(60):
        pace.recover(asked_at=2.0)
    assert (pace.requests_per_second, pace.concurrency) == (50, 8)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 300)), min_size=1, max_size=20))
def test_the_longest_hold_counts(holds: list[tuple[float, float]]) -> None:
    pace = Pace(Limits(10_000, 8))
    now = 0.0
    for gap, seconds in holds:
        now += gap
        pace.hold(now, seconds)
        assert pace.hold_seconds(now) >= seconds - 1e-9
    ends = []
    at = 0.0
    for gap, seconds in holds:
        at += gap
        ends.append(at + seconds)
    assert math.isclose(pace.hold_seconds(now), max(0.0, max(ends) - now), abs_tol=1e-6)
    assert math.isclose(pace.seconds_to_wait(now), max(0.0, max(ends) - now), abs_tol=2e-6)
