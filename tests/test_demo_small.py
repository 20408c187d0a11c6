"""Tenants of few users: a part of the whole tenant that shows every kind of thing, and is there at once."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from support.demo import running_tenant
from support.demo_inside import SHIFT, Inside, inside, whole_world, world_of

from demo.tenant import Tenant
from demo.truth import TRUE_TABLES
from demo.world.build import build_world
from demo.world.times import DAY_MS, iso

EVERY_KIND = 4
"""So many users show every kind, however few of their sessions are kept."""


def test_a_small_tenant_tells_what_the_whole_one_tells_of_these_users(whole):
    small = inside(world_of(3))
    users = {item["id"] for item in small.truth("users")}
    assert len(users) == 3
    for table in set(TRUE_TABLES) - {"solar_energy", "dynamic_tariffs"}:
        expected = whole.truth(table)
        if table not in {"users", "supported_car_models"}:
            expected = [item for item in expected if item["userId"] in users]
        elif table == "users":
            expected = [item for item in expected if item["id"] in users]
        assert small.truth(table) == expected, table


def test_fewer_users_are_a_part_of_more():
    kept = [set(world_of(number, 5).households) for number in range(1, 9)]
    assert [len(users) for users in kept] == [*range(1, 9)]
    assert all(fewer < more for fewer, more in pairwise(kept))
    assert world_of(97, 5).households == world_of(5000, 5).households == whole_world().households


@pytest.fixture(scope="module")
def whole() -> Inside:
    return inside(whole_world())


def kinds(tenant: Inside) -> set[str]:
    sessions = tenant.truth("sessions")
    tariffs = tenant.truth("location_tariffs")
    vehicles = tenant.truth("vehicles")
    locations = tenant.truth("charging_locations")
    found = {f"tariff {'/'.join(tariff['type'] for tariff in item['tariffs'])}" for item in tariffs}
    found |= {f"status {item['status']}" for item in sessions}
    found |= {f"managed {item['isManaged']}" for item in sessions}
    found |= {f"pushes {'PushTelemetry' in item['capabilities']}" for item in vehicles}
    found |= {f"steered {'StartStopCharging' in item['capabilities']}" for item in vehicles}
    sunny, dynamic = (told_today(tenant, locations, table) for table in ("solar-energy", "dynamic-tariffs"))
    checks = {
        "no tariff": len(tariffs) < len(locations),
        "sun": bool(sunny),
        "no sun": len(sunny) < len(locations),
        "chargers": bool(tenant.truth("chargers")),
        "no charger": len(tenant.truth("chargers")) < len(locations),
        "dynamic prices": bool(dynamic),
        "several locations": len({item["userId"] for item in locations}) < len(locations),
        "contracts": bool(tenant.truth("utility_contracts")),
    }
    return found | {name for name, holds in checks.items() if holds}


def told_today(tenant: Inside, locations: list[dict[str, Any]], table: str) -> set[str]:
    """The locations of which a table has rows; of all rows, one would wait for seconds."""
    now_ms = tenant.clock.now_ms()
    query = urlencode({"startTime": iso(now_ms - DAY_MS), "endTime": iso(now_ms)})
    paths = {item["id"]: f"/users/{item['userId']}/charging-locations/{item['id']}/{table}" for item in locations}
    replies = {id_: tenant.reply(path, query) for id_, path in paths.items()}
    return {id_ for id_, reply in replies.items() if reply.status == 200 and reply.body != b"[]"}


@pytest.fixture(scope="module")
def kinds_of_all(whole) -> set[str]:
    return kinds(whole)


@pytest.mark.parametrize("newest_sessions", [5, 20, None])
def test_few_users_show_every_kind(newest_sessions, kinds_of_all):
    found = kinds(inside(world_of(EVERY_KIND, newest_sessions)))
    assert found == kinds_of_all
    assert {"status Active", "status ForceEnded", "tariff Dynamic", "tariff Peak/OffPeak", "tariff Standard"} <= found
    if newest_sessions:
        assert len(world_of(EVERY_KIND, newest_sessions).sessions) <= newest_sessions * EVERY_KIND


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_keeps_other_users_but_every_kind(seed):
    world = build_world(SHIFT, seed, users=EVERY_KIND + 2)
    assert {"status Active", "status ForceEnded", "tariff Dynamic", "sun"} <= kinds(inside(world))


def test_a_small_tenant_is_there_sooner_than_a_whole_one():
    """Told by the time of the processor, since the machine may have other things to do."""
    assert processor_seconds(users=EVERY_KIND, newest_sessions=20) < 0.75 * processor_seconds()


def processor_seconds(**kept):
    """What a tenant's process takes until it is there, and to end."""
    before = os.times()
    with running_tenant(**kept) as tenant:
        assert tenant.health()["rows"]["users"] >= EVERY_KIND
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_a_tenant_of_a_known_world_is_there_at_once():
    begun = time.process_time()
    world = build_world(SHIFT, 5, users=EVERY_KIND)
    built = time.process_time()
    inside(world)
    assert time.process_time() - built < (built - begun) / 4


def test_tenants_of_one_world_leave_it_as_it_is():
    world = world_of(EVERY_KIND, 20)
    before = world.copy()
    tenant = inside(world)
    assert isinstance(tenant.tenant, Tenant)
    user = tenant.truth("users")[0]["id"]
    body = b'{"table": "users", "id": "%b", "set": {"firstName": "Ada"}}' % user.encode()
    assert tenant.tenant.respond("POST", "/_demo/edit", "", {}, body).status == 200
    assert world == before
    assert tenant.get(f"/users/{user}") != inside(world).get(f"/users/{user}")
