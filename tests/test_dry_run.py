"""What a run would ask, against what the run then asks: counted at the server."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from support.other_tenant import serving
from support.other_under import full
from support.syncing import FAST, api_settings, asked, begin_with, pulled, report_of, sync

from pipelines.contract import FAN_OUTS, LISTS, RESOURCES
from pipelines.contract.fan_outs import Form, Worth
from pipelines.settings import LakeSettings, SyncSettings
from pipelines.sync import Order
from pipelines.sync.dry_run import dry_run
from pipelines.sync.forecast import CLOCK_REQUESTS, pages_of

SINGLE = {name for name, fan_out in FAN_OUTS.items() if fan_out.form in {Form.OBJECT, Form.ARRAY, Form.SPAN}}
"""Fan-outs whose parents take exactly one request."""
UNDER = tuple(name for name in RESOURCES if name not in LISTS)


def forecast(env, home, *, until=None, collections=tuple(RESOURCES), deep=False, **settings):
    night = dry_run(
        Order(collections, until=until, deep=deep),
        api=lambda: api_settings(env),
        sync=SyncSettings(**(FAST | settings)),
        lake=LakeSettings(home=Path(home)),
    )
    return night, {unit.name: unit for unit in night.units}


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def counted(tenant):
    """Requests by fan-out, of its own path; lists by their name."""
    patterns = {
        name: re.compile(re.sub(r"{\w+}", "[^/]+", fan_out.endpoint.path)) for name, fan_out in FAN_OUTS.items()
    }
    found = Counter()
    for path, _ in tenant.requests:
        found.update(name for name, pattern in patterns.items() if pattern.fullmatch("/" + path))
        found.update(name for name, resource in LISTS.items() if resource.path == "/" + path)
    return found


def assert_like(units, run, tenant):
    """Whom the dry run names is who was asked, and no number of requests was too high."""
    at_server = counted(tenant)
    for name, fan_out in FAN_OUTS.items():
        report, unit = report_of(run, fan_out.tables[0]), units[name]
        if not unit.is_known:
            continue
        assert (unit.parents, unit.asked, unit.skipped) == (report.parents, report.asked, report.skipped), name
        if report.parents is not None:
            assert at_server[name] >= unit.requests, name
        if name in SINGLE:
            assert unit.requests == unit.asked.total(), name
            # who has nothing at a first reading may be asked once more
            first = sum(unit.asked[reason.value] for reason in (Worth.NEW, Worth.BACKFILL))
            assert unit.requests <= at_server[name] <= unit.requests + first, name


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    return pulled(full(41, users=10, sessions=60), tmp_path_factory.mktemp("first-night"))


@pytest.mark.parametrize(
    ("options", "deep"), [({}, False), ({"ask_all_parents": 5, "rotation_nights": 7}, False), ({}, True)]
)
def test_a_quiet_night_asks_whom_the_dry_run_named(tmp_path, first_night, options, deep):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        tenant.now += timedelta(days=1)
        night, units = forecast(env, tmp_path, deep=deep, **options)
        tenant.requests.clear()
        run = sync(env, tmp_path, deep=deep, **options)
    assert (night.until, run.until) == (run.until, night.until)
    assert_like(units, run, tenant)
    at_server = counted(tenant)
    at_server["users"] -= CLOCK_REQUESTS
    for name in LISTS:
        assert units[name].requests <= at_server[name] <= units[name].requests + 3, name
    assert units["payouts"].requests == len(asked(tenant, "payouts"))
    assert sum(at_server.values()) <= len(tenant.requests)
    assert night.requests <= len(tenant.requests)
    assert night.seconds == night.requests / FAST["max_requests_per_second"]


def test_a_first_night_is_known_once_the_lists_were_read(tmp_path):
    tenant = full(42, users=6, sessions=30, days=20, rich=False, unserved=frozenset({"/payouts"}))
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tuple(LISTS))
        _, units = forecast(env, tmp_path, collections=UNDER)
        assert [name for name, unit in units.items() if not unit.is_known] == ["dynamic_tariffs"]
        assert units["payouts"].requests == 2
        assert units["payouts"].asked == {"new": 6}
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=UNDER)
        assert_like(units, run, tenant)
        tenant.now += timedelta(days=1)
        night, units = forecast(env, tmp_path)
        tenant.requests.clear()
        assert_like(units, sync(env, tmp_path), tenant)
    assert night.requests <= len(tenant.requests)
    assert units["payouts"].asked == {"few enough to ask all": 6}


def test_what_the_tenant_does_not_serve_is_not_asked_and_a_deep_run_probes_it(tmp_path):
    unserved = frozenset({"rewards", "rewards/balance", "charge-settings", "payouts", "/payouts"})
    tenant = full(43, users=110, sessions=30, unserved=unserved)
    tables = ("users", "sessions", "rewards")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        tenant.now += timedelta(days=1)
        _, units = forecast(env, tmp_path, collections=tables)
        assert units["rewards"].skipped == {"the tenant does not serve this": len(tenant.rows["users"])}
        assert (units["rewards"].requests, units["rewards"].asked) == (0, {})
        night, units = forecast(env, tmp_path, collections=tables, deep=True)
        assert units["rewards"].requests == 100 < units["rewards"].asked.total()
        tenant.requests.clear()
        sync(env, tmp_path, collections=tables, deep=True)
    assert night.requests <= len(tenant.requests)


def test_who_failed_is_named_as_such(tmp_path):
    tenant = full(44, users=6, sessions=30, days=20)
    broken = min(tenant.rows["users"])
    tables = ("users", "sessions", "messages")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        tenant.failing_users = {broken}
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=tables)
        _, units = forecast(env, tmp_path, until=tenant.now - timedelta(minutes=1))
    assert units["messages"].asked == {Worth.FAILED.value: 1}


def test_rows_that_could_not_be_read_are_asked_for_again(tmp_path):
    tenant = full(45, users=6, sessions=30, days=20)
    broken = min(tenant.rows["sessions"])
    tenant.mangle = lambda _path, items: [i | {"isManaged": "yes"} if i.get("id") == broken else i for i in items]
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("sessions",))
        _, units = forecast(env, tmp_path, collections=("sessions",))
    assert "1 windows in which a row could not be read" in units["sessions"].notes


def test_only_the_clock_is_asked_and_nothing_is_written(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        night, units = forecast(env, tmp_path / "new")
        assert tenant.requests == [("users", {"pageSize": "1"})]
        assert not (tmp_path / "new").exists()
        assert {name for name, unit in units.items() if unit.is_known} == set(LISTS)
        assert night.requests == CLOCK_REQUESTS + 2 * 4 + 1 + 2

        before = contents(tmp_path)
        tenant.requests.clear()
        forecast(env, tmp_path, deep=True)
        assert len(tenant.requests) == 1
    # nobody answers any more
    _, units = forecast(env, tmp_path, until=tenant.now)
    assert contents(tmp_path) == before
    assert len(tenant.requests) == 1
    assert units["financials"].parents == len(tenant.rows["users"])


def test_one_table_of_several_names_the_whole_fan_out(tmp_path):
    tenant = full(47, users=5, sessions=20)
    with serving(tenant) as env:
        night, units = forecast(env, tmp_path, collections=("chargers", "messages"))
    assert list(units) == ["user_locations", "messages"]
    assert next(unit.as_record()["collections"] for unit in night.units) == FAN_OUTS["user_locations"].tables


def test_history_under_a_budget_counts_as_much_as_the_budget(tmp_path):
    tenant = full(48, users=20, sessions=60)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=(*LISTS, "location_tariffs"))
        options = {"collections": ("dynamic_tariffs", "session_tariffs"), "backfill_requests": 5}
        night, units = forecast(env, tmp_path, **options)
        tenant.requests.clear()
        run = sync(env, tmp_path, **options)
    assert units["session_tariffs"].asked == report_of(run, "session_tariffs").asked
    assert units["session_tariffs"].skipped == report_of(run, "session_tariffs").skipped
    assert units["session_tariffs"].requests == counted(tenant)["session_tariffs"]
    assert units["dynamic_tariffs"].requests == 5 <= counted(tenant)["dynamic_tariffs"]
    assert night.requests <= len(tenant.requests)


@pytest.mark.parametrize(("rows", "requests"), [(0, 1), (1, 1), (100, 1), (101, 2), (6878, 69)])
def test_pages(rows, requests):
    assert pages_of(rows) == requests
