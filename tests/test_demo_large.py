"""Copies of the world: as many rows, each copy the original some hours earlier under other ids, and quick to serve."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.demo import refusal, running_tenant
from support.demo_inside import SHIFT, Inside, inside, small_world, young_world_of
from test_demo_under import ask_everything, cost_of, in_order

from demo.copies.copy import Copy
from demo.copies.edits import Edits
from demo.copies.history import Versions
from demo.copies.merged import Merged
from demo.listing import Row
from demo.parameters import Bounds
from demo.tables import Thing
from demo.truth import TRUE_TABLES
from demo.world.build import build_world
from demo.world.draw import stable_id
from demo.world.source import read_sessions
from demo.world.times import DAY_MS, HOUR_MS, iso

COPIES = 3
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LISTS = {
    "/users": ("users", "createdAt"),
    "/vehicles": ("vehicles", "createdAt"),
    "/charging-locations": ("charging_locations", "createdAt"),
    "/sessions": ("sessions", "startTime"),
    "/payouts": ("payouts", "createdAt"),
}


@pytest.fixture(scope="module")
def large() -> Inside:
    return inside(small_world(), copies=COPIES)


def ids_in(items: Any) -> set[str]:
    return {match.group() for match in UUID.finditer(json.dumps(items))}


def users_by_copy(tenant: Inside, originals: set[str]) -> list[set[str]]:
    """The users of each copy, told apart by how much earlier the user of the same name and address was created."""
    truth = tenant.truth("users")
    first = {anonymous(item): item["createdAt"] for item in truth if item["id"] in originals}
    found: list[set[str]] = [set() for _ in range(COPIES)]
    for item in truth:
        early = datetime.fromisoformat(first[anonymous(item)]) - datetime.fromisoformat(item["createdAt"])
        found[early // timedelta(hours=1)].add(item["id"])
    return found


def anonymous(item: dict[str, Any]) -> str:
    """An item without ids and moments."""
    return MOMENT.sub("", without_ids(item))


def without_ids(item: dict[str, Any], *, hours_early: int = 0) -> str:
    """An item without ids, its moments so many hours earlier."""
    text = UUID.sub("", msgspec.json.encode(item, order="sorted").decode())
    return MOMENT.sub(lambda match: moved(match.group(), hours_early), text) if hours_early else text


@cache
def moved(moment: str, hours_early: int) -> str:
    earlier = datetime.fromisoformat(moment) - timedelta(hours=hours_early)
    return earlier.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def test_every_list_has_each_row_as_often_as_there_are_copies(large):
    normal = inside(small_world())
    for path, (table, time_field) in LISTS.items():
        items = large.walk(path)
        originals = {item["id"]: item for item in normal.truth(table)}
        found = {item["id"]: item for item in items}
        assert len(found) == len(items) == COPIES * len(originals) > 0
        assert {id_: found[id_] for id_ in originals} == originals
        assert [(item[time_field], item["id"]) for item in items] == sorted(
            ((item[time_field], item["id"]) for item in items), reverse=True
        )
        assert items == large.truth(table)
        assert all(UUID.fullmatch(id_) and id_[14] == "5" and id_[19] in "89ab" for id_ in found)


def test_health_counts_the_rows_of_all_copies(large):
    rows = json.loads(large.tenant.respond("GET", "/_demo/health", "", {}, b"").body)["rows"]
    assert rows == {table: len(large.truth(table)) for table in rows}


@pytest.mark.parametrize("days_since_the_last", [-20, 0, 40])
def test_each_copy_is_the_original_some_hours_earlier(days_since_the_last):
    """Told of by a tenant without copies, whose clock shows those hours more."""
    world = young_world_of(5, 15)
    now_ms = world.sessions[-1].start_ms + days_since_the_last * DAY_MS
    tenant = inside(world, now_ms, copies=COPIES)
    alone = [inside(world, now_ms + hours * HOUR_MS) for hours in range(COPIES)]
    for table in TRUE_TABLES:
        if table == "supported_car_models":
            assert tenant.truth(table) == alone[0].truth(table)
            continue
        expected = Counter(
            without_ids(item, hours_early=hours)
            for hours, original in enumerate(alone)
            for item in original.truth(table)
        )
        assert Counter(map(without_ids, tenant.truth(table))) == expected, table


def test_copies_share_no_id_of_a_household_and_refer_to_themselves():
    world = young_world_of(6, 20)
    now_ms = world.start_ms
    tenant, normal = inside(world, now_ms, copies=COPIES), inside(world, now_ms)
    originals = set(world.households)
    copies = users_by_copy(tenant, originals)
    assert copies[0] == originals
    assert [len(users) for users in copies] == [len(originals)] * COPIES
    shared = ids_in(tenant.truth("supported_car_models")) | {tenant.truth("users")[0]["agreementIds"][0]}
    shared |= {item["energySupplierId"] for item in tenant.truth("utility_contracts")}
    own: list[set[str]] = [set() for _ in copies]
    for table in TRUE_TABLES:
        for item in tenant.truth(table):
            user_id = item["id"] if table == "users" else item.get("userId")
            for number, users in enumerate(copies):
                if user_id in users:
                    own[number] |= ids_in(item)
    for number, ids in enumerate(own):
        others = set().union(*own[:number], *own[number + 1 :])
        assert ids & others <= shared
    assert own[0] <= ids_in([normal.truth(table) for table in TRUE_TABLES])
    assert len({len(ids - shared) for ids in own}) == 1


@pytest.mark.parametrize("days_since_the_last", [-3, 0, 90])
def test_asking_each_parent_gives_the_whole_truth(days_since_the_last):
    world = young_world_of(5, 15)
    tenant = inside(world, world.sessions[-1].start_ms + days_since_the_last * DAY_MS, copies=COPIES)
    found = ask_everything(tenant)
    assert len(found) >= 15
    for table, items in found.items():
        assert in_order(items) == in_order(tenant.truth(table)), table
    for user in tenant.truth("users"):
        at = f"/users/{user['id']}"
        assert tenant.get(at) == user
        sessions = tenant.walk(f"{at}/sessions")
        assert sessions == [item for item in tenant.truth("sessions") if item["userId"] == user["id"]]
        for item in sessions[:3]:
            assert tenant.get(f"{at}/sessions/{item['id']}").items() <= item.items()
            last = tenant.get(f"{at}/vehicles/{item['vehicleId']}/sessions/last")
            assert last == tenant.get(f"{at}/sessions/{sessions[0]['id']}")
            assert len(tenant.get(f"{at}/financials", vehicleId=item["vehicleId"])) == len(
                tenant.get(f"{at}/financials")
            )
        for location in tenant.get(f"{at}/charging-locations"):
            assert location["userId"] == user["id"]
            assert tenant.get(f"{at}/charging-locations/{location['id']}") == location
        for vehicle in tenant.get(f"{at}/vehicles"):
            assert tenant.get(f"{at}/vehicles/{vehicle['id']}") == vehicle


def test_a_users_lists_keep_the_order_of_ids_where_moments_are_the_same(large):
    """The source has sessions that come twice at one moment."""
    by_user: dict[str, list[tuple[str, str]]] = {}
    for item in large.truth("sessions"):
        by_user.setdefault(item["userId"], []).append((item["startTime"], item["id"]))
    twice = {user for user, keys in by_user.items() if len({moment for moment, _ in keys}) < len(keys)}
    assert len(twice) >= COPIES
    for user in twice:
        told = [(item["startTime"], item["id"]) for item in large.walk(f"/users/{user}/sessions")]
        assert told == sorted(told, reverse=True) == by_user[user]


def test_rows_of_several_copies_at_one_moment_are_in_the_order_of_their_ids():
    """Things that began an hour apart, in copies that live an hour apart."""

    def thing(hour: int) -> Thing:
        id_, moment = stable_id("user", hour), hour * HOUR_MS
        body = json.dumps({"id": id_, "createdAt": iso(moment)}).encode()
        return Thing("users", id_, id_, (moment,), lambda _now_ms: Row(id_, moment, None, body))

    things = [Versions(thing(hour)) for hour in range(1000, 1010)]
    merged = Merged("users", things, [(Copy(number), Edits(small_world())) for number in range(10)])
    merged.catch_up(DAY_MS * 1000)
    keys = [(item["createdAt"], item["id"]) for item in map(json.loads, merged)]
    assert len(set(keys)) == len(merged) == 100
    assert len({moment for moment, _ in keys}) == 19
    assert keys == sorted(keys, reverse=True)


def test_things_of_another_copy_are_not_found():
    tenant = inside(small_world(), copies=COPIES)
    copies = users_by_copy(tenant, {item["id"] for item in inside(small_world()).truth("users")})
    a_user, another = min(copies[1]), min(copies[2])
    locations = {item["userId"]: item["id"] for item in tenant.truth("charging_locations")}
    assert tenant.reply(f"/users/{a_user}/charging-locations/{locations[a_user]}").status == 200
    assert tenant.reply(f"/users/{a_user}/charging-locations/{locations[another]}").status == 404
    unknown = "00000000-0000-4000-8000-000000000000"
    assert tenant.reply(f"/users/{unknown}").status == 404
    assert tenant.reply(f"/users/{unknown}/sessions").status == 404
    assert tenant.reply(f"/users/{a_user}/sessions/{unknown}").status == 404
    assert tenant.reply(f"/users/{a_user}/sessions", "startTimeFrom=9999-13-31T23:00:00Z").status == 400
    assert tenant.get(f"/users/{a_user}/sessions", startTimeFrom="9999-12-31T23:59:59.999Z")["totalCount"] == 0


def test_copied_sessions_cost_what_their_own_tariffs_say(large):
    tariffs: dict[str, list[dict[str, Any]]] = {}
    for item in large.truth("session_tariffs"):
        tariffs.setdefault(item["sessionId"], []).append(item)
    sessions = large.truth("sessions")
    assert {item["id"] for item in sessions if item["chargeCosts"] is not None} == tariffs.keys()
    for session in sessions:
        if session["id"] in tariffs:
            spans = tariffs[session["id"]]
            cheapest = sorted(spans, key=lambda span: span["price"]) if session["isManaged"] else spans
            assert session["chargeCosts"] == pytest.approx(cost_of(session, cheapest), abs=2e-4)


@st.composite
def spans(draw, moments: list[str]) -> tuple[str | None, str | None]:
    chosen = draw(st.lists(st.sampled_from(moments), min_size=2, max_size=2))
    lower, upper = sorted(chosen)
    return (lower if draw(st.booleans()) else None, upper if draw(st.booleans()) else None)


@pytest.mark.parametrize("bounds", Bounds)
def test_filters_let_through_what_a_look_at_every_row_does(bounds):
    world = small_world(100)
    tenant = inside(world, world.sessions[70].start_ms, copies=COPIES, bounds=bounds)
    everything = tenant.truth("sessions")
    assert {item["status"] for item in everything} >= {"Active", "Complete"}
    user = Counter(item["userId"] for item in everything).most_common(1)[0][0]
    begins = [item["startTime"] for item in everything]
    ends = [item["endTime"] for item in everything if item["endTime"]]

    def lies_within(text: str | None, lower: str | None, upper: str | None) -> bool:
        if text is None:
            return lower is None and upper is None
        above = lower is None or text > lower or (text == lower and bounds is not Bounds.EXCLUSIVE)
        return above and (upper is None or text < upper or (text == upper and bounds is Bounds.INCLUSIVE))

    @given(spans(begins), spans(ends))
    def check(listed, ended):
        names = ("startTimeFrom", "startTimeTo", "endTimeFrom", "endTimeTo")
        asked = {name: value for name, value in zip(names, (*listed, *ended), strict=True) if value is not None}
        expected = [
            item
            for item in everything
            if lies_within(item["startTime"], *listed) and lies_within(item["endTime"], *ended)
        ]
        assert tenant.walk("/sessions", **asked) == expected
        assert tenant.walk(f"/users/{user}/sessions", **asked) == [i for i in expected if i["userId"] == user]

    check()


def test_lists_keep_up_with_the_clock():
    world = small_world(120)
    begin_ms = world.sessions[40].start_ms
    tenant = inside(world, begin_ms, copies=COPIES)
    seen = set()
    for _ in range(12):
        for path, (table, _time) in LISTS.items():
            assert (
                tenant.walk(path)
                == tenant.truth(table)
                == inside(world, tenant.clock.now_ms(), copies=COPIES).truth(table)
            )
        ended = tenant.walk("/sessions", endTimeFrom="2000-01-01T00:00:00Z")
        assert ended == [item for item in tenant.truth("sessions") if item["endTime"]]
        seen.add(len(ended))
        tenant.clock.advance_to(tenant.clock.now_ms() + 23 * HOUR_MS)
        tenant.log_in()
    assert len(seen) > 10


def test_only_the_newest_sessions_of_each_user_are_kept():
    world = build_world(SHIFT, sources=read_sessions()[:300], newest_sessions=5)
    normal: dict[str, list[dict[str, Any]]] = {}
    for item in inside(small_world()).truth("sessions"):
        normal.setdefault(item["userId"], []).append(item)
    tenant = inside(world)
    kept = tenant.truth("sessions")
    assert {item["id"] for item in kept} == {item["id"] for rows in normal.values() for item in rows[:5]}
    assert len(tenant.truth("users")) == len(normal)
    assert {item["sessionId"] for item in tenant.truth("rewards")} <= {item["id"] for item in kept}
    assert len(inside(world, copies=COPIES).truth("sessions")) == COPIES * len(kept)


@pytest.mark.parametrize(
    ("options", "users", "sessions"),
    [
        ({"copies": 206, "newest_sessions": 5}, 19_982, range(80_000, 100_000)),
        pytest.param({"copies": 146}, 14_162, range(146 * 6878, 146 * 6878 + 1), marks=pytest.mark.thorough),
    ],
)
def test_a_large_tenant_starts_soon_and_stays_small(options, users, sessions):
    begun = time.monotonic()
    with running_tenant(**options) as tenant:
        seconds = time.monotonic() - begun
        rows = tenant.health()["rows"]
        status = Path(f"/proc/{tenant.process.pid}/status")
        peak_kb = int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) if status.exists() else 0
    assert rows["users"] == users
    assert rows["sessions"] in sessions
    assert seconds < 30
    assert peak_kb < 600_000


def test_the_command_takes_copies_too():
    command = [sys.executable, "-m", "pipelines.cli", "demo", "serve", "--port", "0"]
    process = subprocess.Popen([*command, "--copies", "2"], stdout=subprocess.PIPE, text=True)
    try:
        assert "http://" in process.stdout.readline()
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--copies", "0"), ("--copies", "1001"), ("--newest-sessions", "0"), ("--copies", "-3"), ("--users", "0")],
)
def test_numbers_that_cannot_be_are_one_line(option, value):
    [line] = refusal(option, value).splitlines()
    assert value in line
