"""Corrections and edits that no filter shows: by property, and over real HTTP."""

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.lake_truth import SAME, differences
from support.other_tenant import seeded, serving, stamp
from test_sync_nights import assert_true, delta_versions, sync

from pipelines.lake import Lake
from pipelines.sync.rereads import before_months, closed_months, has_a_turn, rotation
from pipelines.sync.windows import Window

DAY = timedelta(days=1)
T0 = datetime(2025, 1, 1, tzinfo=timezone.utc)
instants = st.integers(0, 700 * 24 * 60).map(lambda minutes: T0 + timedelta(minutes=minutes))


@given(oldest=instants, begin=instants, gaps=st.lists(st.integers(1, 30), min_size=1), nights=st.integers(1, 90))
def test_all_of_history_has_its_turn_whatever_nights_are_missed(oldest, begin, gaps, nights):
    """Every instant of history is read again within `nights` days, as long as a night runs at all by then."""
    until, last, read_at = begin, None, {}
    probes = [oldest + number * (begin - oldest) / 7 for number in range(8)] if oldest < begin else [oldest]
    elapsed = 0
    for gap in [0, *gaps]:
        until += gap * DAY
        elapsed += gap
        upper = until - 7 * DAY
        for window in rotation(oldest, upper, last, until, nights) if oldest < upper else []:
            for probe in probes:
                if (window.lower is None or window.lower <= probe) and probe < window.upper:
                    read_at[probe] = until
        last = until
        for probe in probes:
            if probe < begin - 7 * DAY and elapsed >= nights:
                assert probe in read_at
                assert until - read_at[probe] <= (nights + 30) * DAY


@given(oldest=instants, until=instants, nights=st.integers(1, 90))
def test_the_same_night_again_rotates_nothing(oldest, until, nights):
    assert rotation(oldest, until, until, until, nights) == []
    assert not has_a_turn(until, until)


@given(oldest=st.none() | instants, last=st.none() | instants, until=instants)
def test_where_nothing_has_a_turn_nothing_rotates(oldest, last, until):
    assert has_a_turn(last, until) == bool(rotation(oldest, until, last, until, 1))


@given(
    oldest=st.none() | instants, upper=instants, last=st.none() | instants, until=instants, nights=st.integers(1, 90)
)
def test_where_nothing_is_held_all_before_is_asked_for_each_night(oldest, upper, last, until, nights):
    assume(oldest is None or oldest >= upper)
    assert rotation(oldest, upper, last, until, nights) == ([Window(None, upper)] if has_a_turn(last, until) else [])


@given(oldest=instants, upper=instants, nights=st.integers(1, 90))
def test_a_rotation_is_about_its_share_of_history(oldest, upper, nights):
    if oldest >= upper:
        return
    windows = rotation(oldest, upper, upper - DAY, upper, nights)
    days = sum((window.upper - (window.lower or oldest)) / DAY for window in windows)
    assert days <= (upper - oldest) / DAY / nights + 2


@given(oldest=instants, upper=instants)
def test_closed_months_are_whole_and_leave_no_gap(oldest, upper):
    months = closed_months(oldest, upper)
    for before, after in pairwise(months):
        assert before.upper == after.lower
    for month in months:
        assert month.lower.day == month.upper.day == 1
        assert month.upper <= upper
    if months:
        assert months[0].lower <= oldest < months[0].upper
        assert (upper - months[-1].upper) < 31 * DAY
        assert before_months(oldest, upper) == Window(None, months[0].lower)


@pytest.mark.parametrize("oldest", [None, datetime(9999, 12, 31, tzinfo=timezone.utc)])
def test_where_all_is_held_after_the_end_of_a_run_all_before_that_is_counted(oldest):
    assert before_months(oldest, T0) == Window(None, T0)
    assert closed_months(oldest, T0) == []


def by_start(tenant):
    return sorted(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])


def test_a_correction_within_a_week_comes_the_next_night(tmp_path):
    tenant = seeded(31, users=60, sessions=1600)
    with serving(tenant) as env:
        sync(env, tmp_path)
        week = [r for r in tenant.rows["sessions"].values() if r["startTime"] > stamp(tenant.now - timedelta(days=5.9))]
        assert len(week) > 20
        for row in week:
            row |= {"chargedEnergy": 9.99, "savings": 0.5}
        tenant.now += DAY
        report = sync(env, tmp_path, collections=("sessions",))
        assert report.collections[0].rows_changed == len(week)
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


def test_a_correction_within_five_weeks_comes_with_the_next_deep_run(tmp_path):
    tenant = seeded(32, users=60, sessions=400)
    with serving(tenant) as env:
        sync(env, tmp_path)
        row = next(r for r in by_start(tenant) if r["startTime"] > stamp(tenant.now - timedelta(days=33)))
        row["chargeCosts"] = 4.5678
        sync(env, tmp_path, collections=("sessions",), until=tenant.now)
        assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) != SAME
        sync(env, tmp_path, collections=("sessions",), deep=True)
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


def test_an_older_correction_comes_within_ninety_nights(tmp_path):
    tenant = seeded(33, users=60, sessions=800)
    with serving(tenant) as env:
        sync(env, tmp_path)
        for row in by_start(tenant)[:375]:
            row["chargeCosts"] = 7.7001
        for _ in range(9):
            tenant.now += 10 * DAY
            sync(env, tmp_path, collections=("sessions",))
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


def test_the_audit_finds_a_row_that_came_far_too_late(tmp_path):
    tenant = seeded(34, users=60, sessions=800)
    late = by_start(tenant)[100]
    del tenant.rows["sessions"][late["id"]]
    with serving(tenant) as env:
        sync(env, tmp_path)
        tenant.put("sessions", late)
        tenant.now += timedelta(hours=1)
        sync(env, tmp_path, collections=("sessions",))
        assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) != SAME
        tenant.requests.clear()
        sync(env, tmp_path, deep=True)
        assert_true(tenant, tmp_path / "lake")
        before = delta_versions(tmp_path / "lake")
        reconciled = Lake(str(tmp_path / "lake")).reconciliation()
        version = reconciled.version
        sync(env, tmp_path, deep=True, until=tenant.now - timedelta(seconds=60))
    assert delta_versions(tmp_path / "lake") == before
    assert Lake(str(tmp_path / "lake")).reconciliation().version == version
    months = {record["month"]: record for record in reconciled.current().values()}
    found = months[date.fromisoformat(late["startTime"][:7] + "-01")]
    assert found["was_read_again"]
    for month, record in months.items():
        truth = [r for r in tenant.rows["sessions"].values() if r["startTime"].startswith(month.strftime("%Y-%m"))]
        assert record["api_rows"] == record["held_rows"] == len(truth)
    assert [record["was_read_again"] for record in months.values()].count(True) == 1


@pytest.mark.parametrize("held", [0, 5, 400])
def test_the_audit_finds_rows_older_than_any_that_is_held(tmp_path, held):
    """As a user brings who comes to the tenant with a history of their own."""
    tenant = seeded(37, users=60, sessions=800)
    rows = by_start(tenant)
    older, newer = rows[: len(rows) - held], rows[len(rows) - held :]
    tenant.rows["sessions"] = {row["id"]: row for row in newer}
    with serving(tenant) as env:
        sync(env, tmp_path)
        for row in older:
            tenant.put("sessions", row)
        tenant.now += timedelta(minutes=1)
        sync(env, tmp_path, collections=("sessions",), deep=True)
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
    months = {record["month"]: record for record in Lake(str(tmp_path / "lake")).reconciliation().current().values()}
    first = date.fromisoformat(rows[0]["startTime"][:7] + "-01")
    assert min(months) == first
    assert months[first]["was_read_again"]
    for month, record in months.items():
        truth = [row for row in rows if row["startTime"].startswith(month.strftime("%Y-%m"))]
        assert record["api_rows"] == record["held_rows"] == len(truth)


@pytest.mark.parametrize("held", [0, 5])
@pytest.mark.parametrize("gap", [0 * DAY, 20 * DAY], ids=str)
def test_where_nothing_old_is_held_old_rows_come_the_next_night(tmp_path, held, gap):
    """With recent ones, too, which the night brings before it looks back."""
    tenant = seeded(38, users=60, sessions=400)
    rows = by_start(tenant)
    others = [row for row in rows[: len(rows) - held] if row["startTime"] < stamp(tenant.now - gap)]
    assert len(others) > 100
    tenant.rows["sessions"] = {row["id"]: row for row in rows[len(rows) - held :]}
    with serving(tenant) as env:
        sync(env, tmp_path)
        for row in others:
            tenant.put("sessions", row)
        tenant.now += DAY
        sync(env, tmp_path, collections=("sessions",))
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


@pytest.mark.parametrize("relist_rows", [10_000, 10])
def test_edits_come_with_the_next_night_or_the_next_deep_run(tmp_path, relist_rows):
    tenant = seeded(35, users=60, sessions=100)
    with serving(tenant) as env:
        sync(env, tmp_path, relist_rows=relist_rows)
        for path, change in (
            ("users", {"locale": "nb", "updatedAt": stamp(tenant.now)}),
            ("vehicles", {"isConnected": None}),
            ("charging-locations", {"address": {"street": "Elsewhere", "houseNumber": "2"}}),
        ):
            next(iter(tenant.rows[path].values())).update(change)
        tenant.now += DAY
        sync(env, tmp_path, relist_rows=relist_rows, deep=relist_rows == 10)
    assert_true(tenant, tmp_path / "lake")


def test_a_row_dated_in_the_year_one_or_9999_costs_no_more_than_a_row(tmp_path):
    tenant = seeded(36, users=60, sessions=400)
    first, last = by_start(tenant)[0], by_start(tenant)[-1]
    first["startTime"], last["startTime"] = "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"
    broken = by_start(tenant)[1]["id"]
    tenant.mangle = lambda _path, items: [i | {"isManaged": 5} if i.get("id") == broken else i for i in items]
    with serving(tenant) as env:
        sync(env, tmp_path)
        tenant.mangle = lambda _path, items: items
        tenant.now += DAY
        tenant.requests.clear()
        sync(env, tmp_path, deep=True)
        assert len(tenant.requests) < 300, "days and months are told apart from 2015 on"
    assert_true(tenant, tmp_path / "lake")
