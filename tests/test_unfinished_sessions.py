"""Sessions that go on and that no window shows any more: each asked by its own path, within a bound, failing ones kept."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from support.lake_truth import SAME, differences
from support.other_family import take_away
from support.other_tenant import serving, stamp
from support.other_under import full
from support.other_world import DAY, HOUR, finish
from support.syncing import FAST, api_settings, asked, failing_parents, report_of, sync

from pipelines.settings import LakeSettings, SyncSettings
from pipelines.sync import Order, Status
from pipelines.sync.dry_run import dry_run

LISTS = ("users", "sessions")


def long_ones(tenant, count, days=20):
    """Sessions that began long ago and go on, oldest first."""
    rows = sorted(tenant.rows["sessions"].values(), key=lambda row: row["id"])[:count]
    for number, row in enumerate(rows):
        row |= {
            "startTime": stamp(tenant.now - days * DAY - number * HOUR), "endTime": None, "status": "Active",
            "calibrationState": "InProgress", "chargeCosts": None, "savings": None, "currency": None,
        }  # fmt: skip
    return rows


def wrong_sessions(tenant, home):
    found = differences(Path(home) / "lake", "sessions", tenant.rows["sessions"].values())
    return None if found == SAME else found


def by_id(tenant):
    return [path.split("/")[3] for path in asked(tenant, "/sessions/") if path.count("/") == 3]


def test_one_that_ends_without_a_window_showing_it_is_found(tmp_path):
    """It ended long ago, and is told only now: neither its start nor its end lies in any window."""
    tenant, rng = full(201, users=6, sessions=40, days=10), random.Random(1)
    rows = long_ones(tenant, 3)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        tenant.now += DAY
        finish(tenant, rng, rows[0], tenant.now - 12 * DAY)
        rows[1]["chargedEnergy"] = 77.5
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
        assert run.status is Status.COMPLETE
        assert sorted(by_id(tenant)) == sorted(row["id"] for row in rows)
        assert report_of(run, "sessions").asked == {"goes on": 3}
        assert wrong_sessions(tenant, tmp_path) is None
        tenant.requests.clear()
        again = sync(env, tmp_path, collections=LISTS)
    assert by_id(tenant) == [], "the same end again asks nobody"
    assert not any(report.rows_written for report in again.collections)


def test_what_its_own_path_leaves_out_keeps_its_last_value(tmp_path):
    tenant = full(202, users=6, sessions=40, days=10)
    [row] = long_ones(tenant, 1)
    row |= {"chargeSpeed": 11.25, "mood": {"level": 3}}
    answer = tenant.respond

    def respond(path, query):
        status, document = answer(path, query)
        if path.count("/") == 3 and "/sessions/" in path and status == 200:
            hidden = {"chargeSpeed", "mood", "userId"}
            document = {name: value for name, value in document.items() if name not in hidden} | {"plan": {"a": 1}}
        return status, document

    tenant.respond = respond
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        for _ in range(2):
            tenant.now += DAY
            run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
            assert report_of(run, "sessions").rows_changed == 0, "nothing flips between list and detail"
        row["chargedEnergy"] = 9.5
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
    assert report_of(run, "sessions").rows_changed == 1
    # `mood` stands in `_extra`, which the comparison does not look into
    missing, extra, [(_, ours, truth)] = wrong_sessions(tenant, tmp_path)
    assert (missing, extra) == ([], [])
    assert {name: value for name, value in truth.items() if name != "mood_level"} == ours


def test_more_than_a_night_may_ask_take_turns_and_the_rest_is_told(tmp_path):
    tenant = full(203, users=6, sessions=40, days=10)
    rows = long_ones(tenant, 10)
    few = {"unfinished_requests": 4, "rotation_nights": 366}
    seen = []
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS, **few)
        for night in range(3):
            tenant.now += DAY
            tenant.requests.clear()
            forecast = dry_run(
                Order(LISTS),
                api=lambda: api_settings(env),
                sync=SyncSettings(**(FAST | few)),
                lake=LakeSettings(home=tmp_path),
            )
            unit = next(unit for unit in forecast.units if unit.name == "sessions")
            assert (unit.asked, unit.skipped) == ({"goes on": 4}, {"goes on": 6})
            tenant.requests.clear()
            run = sync(env, tmp_path, collections=LISTS, **few)
            report = report_of(run, "sessions")
            assert (report.asked, report.skipped) == ({"goes on": 4}, {"goes on": 6})
            assert any("6 sessions that go on are asked in later nights" in note for note in report.notes)
            assert len(by_id(tenant)) == 4
            seen += by_id(tenant)
            assert unit.requests <= sum(path == "sessions" for path, _ in tenant.requests) + 4, night
    assert set(seen) == {row["id"] for row in rows}, "everybody had a turn within three nights"


def test_one_that_fails_is_named_comes_first_and_stops_nobody(tmp_path):
    tenant = full(204, users=6, sessions=40, days=10)
    rows = long_ones(tenant, 4)
    ill = rows[2]
    tenant.failing.add(f"users/{ill['userId']}/sessions/{ill['id']}")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        for row in rows:
            row["chargedEnergy"] = 33.25
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
        assert run.status is Status.PARTIAL
        missing, extra, different = wrong_sessions(tenant, tmp_path)
        assert (missing, extra, len(different)) == ([], [], 1)
        [record] = failing_parents(tmp_path).values()
        assert (record["fan_out"], record["parent_id"], record["attempts"]) == ("sessions", ill["id"], 1)
        assert "500" in record["reason"]
        tenant.failing.clear()
        tenant.now += DAY
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=LISTS, max_concurrency=1, unfinished_requests=2, rotation_nights=366)
        assert run.status is Status.COMPLETE
    assert by_id(tenant)[0] == ill["id"]
    assert report_of(run, "sessions").asked == {"left from before": 1, "goes on": 1}
    assert failing_parents(tmp_path) == {}
    assert wrong_sessions(tenant, tmp_path) is None


def test_one_that_is_gone_is_deleted_and_one_that_passed_to_another_user_is_not(tmp_path):
    tenant = full(205, users=6, sessions=40, days=10)
    gone, moved, _ = long_ones(tenant, 3)
    tables = (*LISTS, "session_settings", "financials")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        take_away(tenant, "sessions", gone["id"])
        moved["userId"] = next(user for user in sorted(tenant.rows["users"]) if user != moved["userId"])
        tenant.now += DAY
        run = sync(env, tmp_path, collections=tables, rotation_nights=366)
        assert run.status is Status.COMPLETE
    assert report_of(run, "sessions").rows_deleted == 1
    assert wrong_sessions(tenant, tmp_path) is None


def test_404_while_its_user_does_not_answer_proves_nothing(tmp_path):
    tenant = full(206, users=6, sessions=40, days=10)
    [row, *_] = long_ones(tenant, 2)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        taken = take_away(tenant, "sessions", row["id"])
        tenant.vanished.add(row["userId"])
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
        assert report_of(run, "sessions").rows_deleted == 0
        assert run.status is Status.PARTIAL
        tenant.vanished.clear()
        for rows, name, held in taken:
            rows[name] = held
        tenant.now += DAY
        assert sync(env, tmp_path, collections=LISTS, rotation_nights=366).status is Status.COMPLETE
    assert wrong_sessions(tenant, tmp_path) is None


@pytest.mark.parametrize("strange", [{}, {"items": [], "totalCount": 0}, None, {"id": "x"}], ids=str)
def test_an_answer_that_is_none_of_the_sessions_overwrites_nothing(tmp_path, strange):
    tenant = full(207, users=6, sessions=40, days=10)
    rows = long_ones(tenant, 2)
    answer = tenant.respond
    ids = {row["id"] for row in rows}
    tenant.respond = lambda path, query: (200, strange) if path.split("/")[-1] in ids else answer(path, query)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=LISTS, rotation_nights=366).status is Status.PARTIAL
        assert wrong_sessions(tenant, tmp_path) is None
        tenant.respond = answer
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=LISTS, rotation_nights=366).status is Status.COMPLETE
    assert failing_parents(tmp_path) == {}


def test_one_that_cannot_be_read_by_itself_is_set_aside_and_asked_again(tmp_path):
    tenant = full(208, users=6, sessions=40, days=10)
    [row, _] = long_ones(tenant, 2)
    answer = tenant.respond

    def respond(path, query):
        status, document = answer(path, query)
        return status, document | {"chargedEnergy": "a lot"} if path.endswith(row["id"]) else document

    tenant.respond = respond
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
        assert (run.status, report_of(run, "sessions").rows_set_aside) == (Status.PARTIAL, 1)
        tenant.respond = answer
        row["chargedEnergy"] = 44.5
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=366)
        assert report_of(run, "sessions").asked == {"left from before": 1, "goes on": 1}
        tenant.now += DAY
        assert sync(env, tmp_path, collections=LISTS, rotation_nights=366).status is Status.COMPLETE
    assert wrong_sessions(tenant, tmp_path) is None
