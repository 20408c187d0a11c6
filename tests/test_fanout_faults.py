"""Answers that are not what they seem: nothing is deleted for them, no run ends, and what is true gets through."""

from datetime import timedelta

import pytest
from support.other_tenant import serving
from support.other_under import full
from support.syncing import asked, failing_parents, report_of, sync, wrong_tables

from pipelines.sync import Status

CARS = ("users", "vehicles", "charge_settings")


def test_a_path_of_a_part_that_a_gateway_forgets_empties_no_table(tmp_path):
    tenant = full(81, users=15, sessions=20, days=10, rich=False)
    tables = ("users", "charging_locations", "location_tariffs")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        answer = tenant.respond
        tenant.respond = lambda path, query: (404, {}) if path.endswith("/tariffs") else answer(path, query)
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=tables, fan_out_group=4).status is Status.PARTIAL
        missing, _, _ = wrong_tables(tenant, tmp_path, ["location_tariffs"]).get("location_tariffs", ([], [], []))
        assert len(missing) < 5, "what was met before there were enough to tell"
        tenant.respond = answer
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=tables, deep=True).status is Status.COMPLETE
    assert wrong_tables(tenant, tmp_path, ["location_tariffs", "chargers"]) == {}
    assert failing_parents(tmp_path) == {}


def test_settings_of_sessions_that_have_all_ended_are_gone(tmp_path):
    tenant = full(82, users=8, sessions=60, days=10)
    tables = ("users", "sessions", "session_settings")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        assert tenant.truth("session_settings")
        for row in tenant.rows["sessions"].values():
            if row["endTime"] is None:
                row |= {"endTime": row["startTime"], "status": "Complete", "calibrationState": None}
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=tables).status is Status.COMPLETE
    assert wrong_tables(tenant, tmp_path, ["session_settings"]) == {}
    assert failing_parents(tmp_path) == {}


def test_broken_text_in_a_rich_list_costs_its_own_row_and_ends_no_run(tmp_path):
    tenant = full(83, users=8, sessions=20, days=10)
    ill = min(name for name, contract in tenant.contracts.items() if contract)
    tenant.contracts[ill]["name"] = "\ud800"
    tables = ("users", "charging_locations", "utility_contracts")
    with serving(tenant) as env:
        run = sync(env, tmp_path, collections=tables)
    assert report_of(run, "utility_contracts").rows_set_aside == 1
    assert wrong_tables(tenant, tmp_path, ["location_tariffs", "chargers"]) == {}


def test_a_clock_that_was_far_ahead_one_night_does_not_blind_the_next(tmp_path):
    tenant = full(84, users=8, sessions=20, days=10)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=CARS)
        now = tenant.now
        tenant.now = now + timedelta(days=3650)
        sync(env, tmp_path, collections=CARS)
        tenant.now = now + timedelta(days=1)
        for settings in tenant.charge_settings.values():
            if settings:
                settings["desiredBatteryLevel"] = 77
        tenant.requests.clear()
        sync(env, tmp_path, collections=CARS)
    assert asked(tenant, "/charge-settings")
    assert wrong_tables(tenant, tmp_path, ["charge_settings"]) == {}


@pytest.mark.parametrize("strange", [{}, {"items": [], "totalCount": 0}, None], ids=["empty", "envelope", "null"])
def test_an_object_that_is_none_of_the_table_s_overwrites_nothing(tmp_path, strange):
    tenant = full(85, users=8, sessions=20, days=10)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=CARS)
        answer = tenant.respond
        tenant.respond = lambda path, query: (200, strange) if path.endswith("settings") else answer(path, query)
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=CARS).status is Status.PARTIAL
        assert wrong_tables(tenant, tmp_path, ["charge_settings"]) == {}
        tenant.respond = answer
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=CARS).status is Status.COMPLETE
    assert failing_parents(tmp_path) == {}


@pytest.mark.parametrize("total", [-5, 10**30], ids=["negative", "huge"])
def test_an_empty_page_with_a_wrong_count_deletes_nothing(tmp_path, total):
    tenant = full(86, users=4, sessions=20, days=10)
    tables = ("users", "messages")
    page = {"pageIndex": 1, "pageSize": 100, "totalPages": 1, "totalCount": total, "items": []}
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        answer = tenant.respond
        tenant.respond = lambda path, query: (200, page) if path.endswith("/messages") else answer(path, query)
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=tables)
    assert wrong_tables(tenant, tmp_path, ["messages"]) == {}


@pytest.mark.parametrize("nothing", [(404, {}), (200, None)], ids=["404", "empty"])
def test_nothing_at_a_first_reading_is_asked_about_once_more(tmp_path, nothing):
    tenant = full(87, users=8, sessions=60, days=30)
    for row in tenant.rows["sessions"].values():
        row |= {"endTime": row["endTime"] or row["startTime"], "status": "Complete"}
    tenant.now += timedelta(days=20)  # nothing is in the correction range any more, and so asked every night
    tables = ("users", "sessions", "session_tariffs", "financials", "messages")
    lost, answer = set(), tenant.respond

    def forgetful(path, query):
        """Says nothing to the first question about each thing."""
        if path.endswith(("/tariffs", "/financials", "/messages")) and path not in lost:
            lost.add(path)
            status, body = answer(path, query)
            if status == 200:
                empty = body | {"items": [], "totalCount": 0, "totalPages": 0} if isinstance(body, dict) else []
                return nothing if nothing[0] == 404 else (200, empty)
        return answer(path, query)

    tenant.respond = forgetful
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables, ask_all_parents=0)
    assert len(lost) > 20
    assert wrong_tables(tenant, tmp_path, ["session_tariffs", "financials", "messages"]) == {}


def test_nobody_waits_for_payouts_once_the_tenant_has_a_list_of_its_own(tmp_path):
    tenant = full(88, users=8, sessions=20, days=10, unserved=frozenset({"/payouts"}))
    tenant.failing_users = {min(tenant.rows["users"])}
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "payouts"))
        assert set(failing_parents(tmp_path)) == {("payouts", min(tenant.rows["users"]))}
        tenant.unserved = frozenset()
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=("users", "payouts"), deep=True)
    assert failing_parents(tmp_path) == {}
    assert wrong_tables(tenant, tmp_path, ["payouts"]) == {}
