"""The pure parts of the fan-out, by property against simple models."""

import hashlib
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import ENDPOINTS, FAN_OUTS
from pipelines.contract.endpoints import Use
from pipelines.contract.fan_outs import BUCKETS, Worth
from pipelines.lake.children import bucket_sql
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.fanout.grouping import groups
from pipelines.sync.fanout.marks import ALL_OF_IT, Mark, bucket_versions, read_marks
from pipelines.sync.fanout.pending import Left, is_failing, pending_news, resolutions
from pipelines.sync.fanout.probing import PROBED_PARENTS, Probe
from pipelines.sync.fanout.spans import left_of, stretches
from pipelines.sync.windows import Window

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2026, 5, 31)).map(lambda t: t.replace(tzinfo=timezone.utc))
ends = st.just(NOW + timedelta(days=7))


def ask(**facts):
    return Ask("p", "u", 3, (Worth.NEW,), **facts)


def covered(parts):
    """Hours that some stretch holds."""
    return {
        part.lower + timedelta(hours=hour)
        for part in parts
        for hour in range(int((part.upper - part.lower) / timedelta(hours=1)))
    }


@given(created=moments, since=moments, left=st.none() | moments, is_history=st.booleans(), end=ends)
def test_stretches_cover_what_is_asked_once_and_newest_first(created, since, left, is_history, end):
    window = None if left is None else Window(None, left)
    parts = stretches(ask(created_at=created, since=since, left=window, is_history=is_history), end)
    for newer, older in pairwise(parts):
        assert older.upper <= newer.lower
    assert parts[0].upper == end
    if is_history:
        assert parts[0].lower <= created
    else:
        assert parts[0].lower == since
        assert not parts[0].is_history
        reach = min(created, since) if left is not None and left > created else since
        assert min(part.lower for part in parts) <= reach


@given(created=moments, since=moments, left=moments, cut=st.floats(0, 1), end=ends)
def test_what_is_left_after_reading_down_to_somewhere_is_all_that_was_not_read(created, since, left, cut, end):
    plan = stretches(ask(created_at=created, since=since, left=Window(None, left)), end)
    part = plan[-1]
    down_to = part.upper - (part.upper - part.lower) * cut
    window = left_of(plan, down_to)
    assert window.upper == down_to
    unread = [p for p in plan if p.lower < down_to]
    if unread and window.lower is not None:
        assert window.lower <= min(p.lower for p in unread)


def test_what_is_left_of_one_night_is_read_the_next_with_what_came_since():
    plan = stretches(ask(created_at=NOW - timedelta(days=300), is_history=True), NOW)
    window = left_of(plan, NOW - timedelta(days=90))
    again = stretches(
        ask(created_at=NOW - timedelta(days=300), since=NOW - timedelta(days=1), left=window), NOW + timedelta(days=1)
    )
    assert covered(again) >= {NOW - timedelta(days=300) + timedelta(hours=hour) for hour in range(210 * 24)}


@given(st.uuids().map(str))
def test_a_parent_has_the_same_bucket_in_every_engine(id_):
    [(bucket,)] = duckdb.execute(f"select {bucket_sql('?')}", [id_]).fetchall()
    assert bucket == int(hashlib.md5(id_.encode()).hexdigest()[:8], 16) % BUCKETS


@given(
    counts=st.lists(st.integers(0, 30), min_size=BUCKETS, max_size=BUCKETS),
    size=st.integers(1, 100),
)
def test_groups_hold_every_bucket_and_ask_once_in_order(counts, size):
    asks = [Ask(f"{b}/{n}", "u", b, (Worth.NEW,)) for b, count in enumerate(counts) for n in range(count)]
    plan = SimpleNamespace(asks=iter(asks), buckets=tuple(range(BUCKETS)))
    cut = list(groups(plan, size))
    assert [a for group in cut for a in group.asks] == asks
    assert [b for group in cut for b in group.buckets] == list(range(BUCKETS))
    for group in cut:
        assert {a.bucket for a in group.asks} <= set(group.buckets)
    assert all(len(group.asks) >= size for group in cut[:-1])


class Marked:
    """A lake table that only knows its marks."""

    def __init__(self, versions):
        self.versions = versions

    def mark(self, app_id):
        return self.versions.get(app_id)


@given(
    until=moments,
    seen=st.none() | moments,
    back=st.none() | moments,
    deep=st.booleans(),
    buckets=st.sets(st.integers(0, BUCKETS - 1)),
)
def test_marks_are_read_as_they_were_written(until, seen, back, deep, buckets):
    until = until.replace(microsecond=0)
    fan_out = FAN_OUTS["session_tariffs"]
    versions = bucket_versions(
        "session_tariffs", buckets, until, {"sessions": seen}, back, is_backwards=True, deep=deep
    )
    for mark in read_marks(fan_out, {"session_tariffs": Marked(versions)}):
        if mark.bucket not in buckets:
            assert mark == Mark(mark.bucket)
            continue
        assert mark.until == until
        assert mark.seen["sessions"] == (seen or datetime(1970, 1, 1, tzinfo=timezone.utc))
        assert mark.back == back
        assert mark.deep == (until if deep else None)


def test_history_that_is_asked_further_back_raises_the_mark_and_the_end_is_the_highest():
    marks = [
        bucket_versions("t", [1], NOW, {}, back, is_backwards=True, deep=False)["t/64/001/back"]
        for back in (NOW, NOW - timedelta(days=400), datetime(1, 1, 2, tzinfo=timezone.utc), None)
    ]
    assert marks == sorted(set(marks))
    assert marks[-1] == ALL_OF_IT


def test_of_several_tables_the_one_furthest_behind_counts():
    fan_out = FAN_OUTS["user_vehicles"]
    ahead = bucket_versions("vehicle_states", [0], NOW, {}, None, is_backwards=False, deep=False)
    behind = {"other/64/000": ahead["vehicle_states/64/000"] - 5000}
    two = {"vehicle_states": Marked(ahead), "other": Marked(behind)}
    assert read_marks(fan_out, two)[0].until == NOW - timedelta(seconds=5)
    assert read_marks(fan_out, two | {"other": Marked({})})[0] == Mark(0)


@given(reasons=st.lists(st.sampled_from(["500", None]), min_size=1, max_size=6))
def test_failing_counts_runs_in_a_row_and_keeps_since_when(reasons):
    held = {}
    for night, reason in enumerate(reasons):
        at = NOW + timedelta(days=night)
        [record] = pending_news("financials", f"run {night}", at, [Left(ask(), Window(None, at), reason)], held)
        before = held.get(record["id"])
        held[record["id"]] = record
        failed_before = before is not None and is_failing(before)
        if reason is None:
            assert not is_failing(record)
        else:
            assert record["attempts"] == (before["attempts"] + 1 if failed_before else 1)
            assert record["failing_since"] == (before["failing_since"] if failed_before else at)
    [done] = resolutions("financials", "later", NOW + timedelta(days=9), ["p"], held)
    assert done["status"] == "done"
    assert resolutions("financials", "later", NOW, ["someone else"], held) == []


@pytest.mark.parametrize(
    ("was_served", "answers", "is_served", "news"),
    [
        (None, [], None, None),
        (None, [False], True, True),
        (None, [True] * 9, None, None),
        (None, [True] * (PROBED_PARENTS - 1), None, False),
        (None, [True] * PROBED_PARENTS, False, False),
        (None, [True] * PROBED_PARENTS + [False], True, True),
        (True, [True] * PROBED_PARENTS, True, None),
        (False, [], False, None),
    ],
)
def test_a_guessed_path_is_given_up_only_when_enough_parents_have_none(was_served, answers, is_served, news):
    probe = Probe(ENDPOINTS["reward_rate"], was_served)
    for is_none in answers:
        probe.answered(is_none=is_none)
    assert (probe.is_served, probe.news) == (is_served, news)


def test_a_documented_path_is_never_given_up():
    probe = Probe(ENDPOINTS["financials"], None)
    for _ in range(2 * PROBED_PARENTS):
        probe.answered(is_none=True)
    assert (probe.is_served, probe.news) == (True, None)


def test_every_row_of_the_facts_is_an_endpoint_and_every_one_that_is_asked_has_a_fan_out():
    assert {endpoint.number for endpoint in ENDPOINTS.values()} == set(range(1, 33))
    asked = {fan_out.endpoint for fan_out in FAN_OUTS.values()}
    assert asked == {e for e in ENDPOINTS.values() if e.use in {Use.ASKED, Use.INSTEAD}} & asked
    assert {e for e in ENDPOINTS.values() if e.use is Use.ASKED} == {e for e in asked if e.use is Use.ASKED}
