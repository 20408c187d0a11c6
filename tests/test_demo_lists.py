"""Paging and filters against a model that looks at every row."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.demo_inside import inside, small_world, whole_world

from demo.listing import Listing, Row, Span
from demo.parameters import Bounds
from demo.world.times import HOUR_MS, from_ms

LISTS = {
    "/users": ("users", "createdAt", "created"),
    "/vehicles": ("vehicles", "createdAt", "created"),
    "/charging-locations": ("charging_locations", "createdAt", "created"),
    "/sessions": ("sessions", "startTime", "startTime"),
}


@pytest.fixture(scope="module", params=Bounds)
def tenant(request):
    """Which bounds, the tenant, and everything it has."""
    asked = inside(small_world(), bounds=request.param)
    return request.param, asked, {table: asked.truth(table) for table, _, _ in LISTS.values()}


@pytest.fixture(scope="module")
def asked():
    return inside(whole_world())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def lies_within(text: str | None, lower: datetime | None, upper: datetime | None, bounds: Bounds) -> bool:
    if text is None:
        return lower is None and upper is None
    moment = instant(text)
    above = lower is None or moment > lower or (moment == lower and bounds is not Bounds.EXCLUSIVE)
    below = upper is None or moment < upper or (moment == upper and bounds is Bounds.INCLUSIVE)
    return above and below


def written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@st.composite
def bound(draw, moments):
    """Nothing, the time of some row, or a little beside it."""
    if draw(st.booleans()):
        return None
    beside = draw(st.sampled_from([0, 0, 0, 1, -1, 500, -500, 1000, 86_400_000_000, -7_777_777_777]))
    return draw(st.sampled_from(moments)) + timedelta(microseconds=beside)


@pytest.mark.parametrize("path", LISTS)
@given(data=st.data())
def test_pages_are_what_a_look_at_every_row_finds(tenant, path, data):
    bounds, asked, truth = tenant
    table, time_name, stem = LISTS[path]
    everything = truth[table]
    by_time = sorted({instant(item[time_name]) for item in everything})
    filters = {f"{stem}From": data.draw(bound(by_time)), f"{stem}To": data.draw(bound(by_time))}
    if path == "/sessions":
        by_end = sorted({instant(item["endTime"]) for item in everything if item["endTime"]})
        filters |= {"endTimeFrom": data.draw(bound(by_end)), "endTimeTo": data.draw(bound(by_end))}
    expected = [
        item
        for item in sorted(everything, key=lambda item: (item[time_name], item["id"]), reverse=True)
        if lies_within(item[time_name], filters[f"{stem}From"], filters[f"{stem}To"], bounds)
        and lies_within(item.get("endTime"), filters.get("endTimeFrom"), filters.get("endTimeTo"), bounds)
    ]
    size = data.draw(st.integers(1, 100))
    index = data.draw(st.integers(1, len(expected) // size + 3))
    page = asked.get(
        path, pageSize=size, pageIndex=index, **{k: written(v) for k, v in filters.items() if v is not None}
    )
    assert list(page) == ["pageIndex", "pageSize", "totalPages", "totalCount", "items"]
    assert page == {
        "pageIndex": index,
        "pageSize": size,
        "totalCount": len(expected),
        "totalPages": -(-len(expected) // size),
        "items": expected[(index - 1) * size : index * size],
    }


def test_defaults_are_the_first_twenty(asked):
    page = asked.get("/sessions")
    assert (page["pageIndex"], page["pageSize"], page["totalPages"]) == (1, 20, 344)
    assert page["items"] == asked.truth("sessions")[:20]
    assert asked.get("/sessions", pageIndex=10**9)["items"] == []


def test_a_walk_finds_every_row_once(asked):
    for path, (table, _, _) in LISTS.items():
        assert asked.walk(path) == asked.truth(table)


def test_rows_without_an_end_match_no_end_filter(asked):
    page = asked.get("/sessions", endTimeFrom="1990-01-01T00:00:00Z")
    assert page["totalCount"] == 6878 - 34
    assert asked.get("/sessions", endTimeTo="2990-01-01T00:00:00Z")["totalCount"] == 6878 - 34
    assert asked.get("/sessions", startTimeFrom="1990-01-01T00:00:00Z")["totalCount"] == 6878


def test_a_users_sessions_are_the_tenants(asked):
    sessions = asked.truth("sessions")
    for user in asked.truth("users")[::30]:
        own = [item for item in sessions if item["userId"] == user["id"]]
        assert asked.walk(f"/users/{user['id']}/sessions") == own
        middle = own[len(own) // 2]["startTime"]
        newer = asked.walk(f"/users/{user['id']}/sessions", startTimeFrom=middle)
        assert newer == [item for item in own if item["startTime"] >= middle]
        assert asked.get(f"/users/{user['id']}") == user


def test_single_sessions_lack_the_charge_speed():
    asked = inside(small_world())
    newest: dict[str, dict] = {}
    for item in asked.truth("sessions"):
        newest.setdefault(item["vehicleId"], item)
        detail = asked.get(f"/users/{item['userId']}/sessions/{item['id']}")
        assert item.pop("chargeSpeed") > 0
        assert detail == item
    for vehicle_id, item in newest.items():
        assert asked.get(f"/users/{item['userId']}/vehicles/{vehicle_id}/sessions/last") == item


def test_what_is_anothers_does_not_exist():
    asked = inside(small_world())
    session = asked.truth("sessions")[0]
    other = next(user for user in asked.truth("users") if user["id"] != session["userId"])
    nobody = "00000000-0000-4000-8000-000000000000"
    for path in (
        f"/users/{other['id']}/sessions/{session['id']}",
        f"/users/{session['userId']}/sessions/{nobody}",
        f"/users/{nobody}/sessions/{session['id']}",
        f"/users/{nobody}",
        f"/users/{nobody}/sessions",
        f"/users/{other['id']}/vehicles/{session['vehicleId']}/sessions/last",
    ):
        assert asked.reply(path).status == 404, path
    assert asked.reply(f"/users/{session['userId'].upper()}/sessions/{session['id'].upper()}").status == 200


@given(hours=st.lists(st.integers(0, 24 * 30), min_size=1, max_size=5))
@settings(max_examples=10)
def test_a_clock_that_moves_shows_what_a_tenant_of_that_moment_shows(hours):
    """Rows appear at their creation, sessions end at their end, in a running tenant as in one that starts then."""
    world = small_world()
    begin = world.sessions[100].start_ms
    moving = inside(world, begin)
    for step in hours:
        moving.clock.advance_to(moving.clock.now_ms() + step * HOUR_MS)
    moving.log_in()
    now = moving.clock.now_ms()
    fresh = inside(world, now)
    moment = from_ms(now)
    for path, (table, time_name, _) in LISTS.items():
        rows = fresh.truth(table)
        assert moving.truth(table) == rows
        assert moving.walk(path) == rows
        assert all(instant(item[time_name]) <= moment for item in rows)
    sessions = {item["id"]: item for item in moving.truth("sessions")}
    assert sessions.keys() == {session.id for session in world.sessions if session.start_ms <= now}
    for session in world.sessions:
        if session.id in sessions:
            over = session.end_ms is not None and session.end_ms <= now
            item = sessions[session.id]
            assert (item["endTime"] is not None) == (item["status"] != "Active") == over
            assert over or item["chargeCosts"] is None
            assert over == (item["calibrationState"] is None)
    user_id = world.sessions[100].user_id
    assert moving.walk(f"/users/{user_id}/sessions") == fresh.walk(f"/users/{user_id}/sessions")
    page = moving.get("/sessions", endTimeFrom="1990-01-01T00:00:00Z")
    assert page["totalCount"] == sum(item["endTime"] is not None for item in sessions.values())


keys = st.sampled_from([f"{n:02d}" for n in range(12)])
moments = st.integers(0, 20)
ROW = st.builds(Row, keys, moments, st.none() | moments, st.binary(max_size=2))
SPAN = st.builds(Span, st.none() | moments, st.none() | moments)


@given(
    first=st.lists(ROW, unique_by=lambda row: row.id),
    steps=st.lists(ROW | keys),
    listed=SPAN,
    ended=SPAN,
    index=st.integers(1, 4),
    size=st.integers(1, 5),
)
def test_a_listing_under_change_is_a_sorted_dict(first, steps, listed, ended, index, size):
    listing, model = Listing(first), {row.id: row for row in first}
    for step in steps:
        listing.page(1, 3, ended=ended)
        if isinstance(step, Row):
            listing.put(step)
            model[step.id] = step
        else:
            listing.remove(step)
            model.pop(step, None)

    def within(moment: int | None, span: Span) -> bool:
        if moment is None:
            return span.is_open
        return (span.lower_ms is None or moment >= span.lower_ms) and (span.upper_ms is None or moment < span.upper_ms)

    rows = sorted(model.values(), key=lambda row: (row.listed_ms, row.id), reverse=True)
    assert list(listing) == rows
    assert len(listing) == len(rows)
    chosen = [row.body for row in rows if within(row.listed_ms, listed) and within(row.ended_ms, ended)]
    assert listing.page(index, size, listed, ended) == (len(chosen), chosen[(index - 1) * size : index * size])


def test_finer_than_a_millisecond_is_compared_as_it_stands():
    """A bound between two milliseconds belongs to neither."""
    for bounds in Bounds:
        asked = inside(small_world(), bounds=bounds)
        item = asked.truth("sessions")[10]
        start = instant(item["startTime"]).astimezone(timezone.utc)
        count = asked.get("/sessions", startTimeFrom=written(start - timedelta(microseconds=1)))["totalCount"]
        assert asked.get("/sessions", startTimeFrom=written(start + timedelta(microseconds=1)))["totalCount"] < count
        assert count == 11
