"""Nights with deletions and returns against another server: nothing alive is deleted, what is gone is, what is back is."""

import random

import pytest
from support.lake_truth import held
from support.other_family import end_of, give_back, take_away
from support.other_tenant import serving, stamp
from support.other_under import KEYS, full
from support.other_world import DAY
from support.syncing import asked, begin_with, pulled, report_of, sync, versions, wrong_lists, wrong_tables

from pipelines.contract import RESOURCES
from pipelines.lake import Lake
from pipelines.sync import Status, Window

OF_USERS = ("users", "vehicles", "charging_locations", "sessions")
MONEY = (*OF_USERS, "financials", "rewards")
ASKED = {
    "users": tuple(RESOURCES),
    "vehicles": (*OF_USERS, "vehicle_states", "charge_settings"),
    "charging-locations": (*OF_USERS, "location_tariffs", "dynamic_tariffs", "charger_states", "reward_rates"),
}
"""What hangs under one of each, or might seem to."""


def assert_true(tenant, home, tables=None):
    assert wrong_lists(tenant, home) == {}
    assert (wrong_tables(tenant, home) if tables is None else wrong_tables(tenant, home, tables)) == {}


def assert_still(env, home, **options):
    """One more run writes nothing."""
    before = versions(home)
    run = sync(env, home, **options)
    assert versions(home) == before
    assert not any(report.rows_written for report in run.collections)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    return pulled(full(101, users=8, sessions=60, days=14), tmp_path_factory.mktemp("first-night"))


@pytest.mark.parametrize("collection", ASKED)
def test_what_is_deleted_is_gone_with_all_below_and_comes_back_with_it(tmp_path, first_night, collection):
    tenant, tables = begin_with(first_night, tmp_path), ASKED[collection]
    name, table = end_of(tenant, collection), collection.replace("-", "_")
    below = [name for name in KEYS if name in tables]
    with serving(tenant) as env:
        taken = take_away(tenant, collection, name)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=tables)
        assert run.status is Status.COMPLETE
        assert report_of(run, table).rows_deleted == 1
        assert_true(tenant, tmp_path, below)
        assert_still(env, tmp_path, collections=tables)
        give_back(taken)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=tables)
        assert report_of(run, table).rows_restored == 1
        assert_true(tenant, tmp_path, below)
        assert_still(env, tmp_path, collections=tables)


AS_IF_LARGE = {"ask_all_parents": 0, "relist_rows": 0}


@pytest.mark.parametrize(
    ("options", "nights"),
    [
        pytest.param(AS_IF_LARGE, 2, id="as if large"),
        pytest.param(AS_IF_LARGE, 4, id="as if large, for longer", marks=pytest.mark.thorough),
        pytest.param({}, 3, id="small", marks=pytest.mark.thorough),
    ],
)
def test_nights_of_comings_and_goings(tmp_path, first_night, options, nights):
    """Everything at once, night by night; as if large: with nobody asked but who is new, changed or in its turn."""
    tenant, rng = begin_with(first_night, tmp_path), random.Random(902)
    away = []
    with serving(tenant) as env:
        for night in range(nights):
            tenant.night(rng)
            if away and night % 2:
                give_back(away.pop(0))
            for collection in ("users", "vehicles", "charging-locations"):
                away.append(take_away(tenant, collection, end_of(tenant, collection)))
            recent = [r["id"] for r in tenant.rows["sessions"].values() if r["startTime"] > stamp(tenant.now - 5 * DAY)]
            away.append(take_away(tenant, "sessions", rng.choice(sorted(recent))))
            away.append(take_away(tenant, "chargers", rng.choice(sorted(tenant.chargers))))
            run = sync(env, tmp_path, deep=bool(options), **options)
            assert run.status is Status.COMPLETE, [r.notes for r in run.collections]
            assert_true(tenant, tmp_path)
        for taken in away:
            give_back(taken)
        tenant.now += DAY
        sync(env, tmp_path, deep=True, **options)
        assert_true(tenant, tmp_path)
        assert_still(env, tmp_path, deep=True, **options)


def test_a_session_that_is_deleted_takes_its_money_along_and_the_audit_counts_right(tmp_path):
    tenant = full(103, users=8, sessions=120, days=120)
    tables = (*MONEY, "session_tariffs")
    old = sorted(
        (r for r in tenant.rows["sessions"].values() if r["id"] in tenant.session_tariffs), key=lambda r: r["startTime"]
    )
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        for row in old[:3]:
            take_away(tenant, "sessions", row["id"])
        lost = old[5] | {"id": "ffffffff-0000-4000-8000-000000000001"}
        tenant.put("sessions", lost)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=tables, deep=True, rotation_nights=366)
        report = report_of(run, "sessions")
        assert (report.rows_deleted, report.rows_new, run.status) == (3, 1, Status.COMPLETE)
        assert report_of(run, "session_tariffs").rows_deleted >= 3
        assert_true(tenant, tmp_path, ["financials", "rewards", "session_tariffs"])
        counts = Lake(str(tmp_path / "lake")).reconciliation().current().values()
        assert all(count["api_rows"] == count["held_rows"] for count in counts)
        assert any(count["was_read_again"] for count in counts)
        assert_still(env, tmp_path, collections=tables, deep=True)


@pytest.mark.parametrize("how", ["trailing", "rotation", "resync"])
def test_every_window_that_is_read_finds_deletions(tmp_path, how):
    tenant = full(104, users=6, sessions=60, days=60)
    days = {"trailing": 3, "rotation": 40, "resync": 40}[how]
    old = [
        r for r in tenant.rows["sessions"].values() if r["endTime"] and r["endTime"] < stamp(tenant.now - days * DAY)
    ]
    gone = max(old, key=lambda row: row["startTime"])
    with serving(tenant) as env:
        sync(env, tmp_path, collections=OF_USERS)
        take_away(tenant, "sessions", gone["id"])
        tenant.now += DAY
        if how == "resync":
            begin = tenant.now - 60 * DAY
            run = sync(env, tmp_path, collections=("sessions",), ranges={"sessions": Window(begin, tenant.now)})
        else:
            run = sync(env, tmp_path, collections=OF_USERS, rotation_nights=1 if how == "rotation" else 366)
        assert report_of(run, "sessions").rows_deleted == 1
    assert wrong_lists(tenant, tmp_path) == {}


def test_an_end_in_the_past_deletes_nothing_and_loses_nothing(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        take_away(tenant, "vehicles", end_of(tenant, "vehicles"))
        before = versions(tmp_path)
        for until in (tenant.now - 20 * DAY, tenant.now):
            tenant.requests.clear()
            sync(env, tmp_path, collections=OF_USERS, until=min(until, tenant.now), relist_rows=10_000)
            if until < tenant.now:
                assert versions(tmp_path) == before
                assert asked(tenant, "users/") == []
    assert wrong_lists(tenant, tmp_path) == {}, "the run that ends later judges"


def test_what_went_by_itself_stays_away_when_its_user_comes_back(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    user = end_of(tenant, "users")
    car = next(row["id"] for row in tenant.rows["vehicles"].values() if row["userId"] == user)
    with serving(tenant) as env:
        take_away(tenant, "vehicles", car)
        tenant.now += DAY
        sync(env, tmp_path, collections=OF_USERS)
        taken = take_away(tenant, "users", user)
        tenant.now += DAY
        sync(env, tmp_path, collections=("users",))
        give_back(taken)
        tenant.now += DAY
        # only the users are read, so nothing but the way back can bring the rest
        run = sync(env, tmp_path, collections=("users",))
        assert report_of(run, "sessions").rows_restored > 0
    assert wrong_lists(tenant, tmp_path) == {}
    assert (car,) not in held(tmp_path / "lake", "vehicle_states", ("vehicle_id",))


def test_a_cascade_is_told_by_table_also_where_the_run_did_not_ask_for_it(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    user = end_of(tenant, "users")
    mine = [row for row in tenant.truth("financials") if row["userId"] == user]
    with serving(tenant) as env:
        taken = take_away(tenant, "users", user)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=("users",))
        assert (report_of(run, "financials").status, run.status) == (Status.CASCADE, Status.COMPLETE)
        assert report_of(run, "financials").rows_deleted == len(mine) > 0
        assert any("deleted with what they hang under" in note for note in report_of(run, "users").notes)
        give_back(taken)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=("users",))
        assert report_of(run, "financials").rows_restored == len(mine)
    records = {(r["collection"], r["status"]): r for r in Lake(str(tmp_path / "lake")).runs().rows()}
    assert records["financials", "cascade"]["rows_restored"] in {0, len(mine)}
    assert_true(tenant, tmp_path, ["financials", "rewards"])


def test_one_that_comes_back_is_asked_like_a_new_one_by_every_fan_out(tmp_path, first_night):
    """Its history too: what it got while it was away lies before every watermark."""
    tenant = begin_with(first_night, tmp_path)
    user = end_of(tenant, "users")
    large = {"ask_all_parents": 0, "rotation_nights": 366, "correction_days": 1}
    with serving(tenant) as env:
        taken = take_away(tenant, "users", user)
        tenant.now += DAY
        sync(env, tmp_path, **large)
        give_back(taken)
        for rows in tenant.messages[user].values():
            rows["title"] = "changed while away"
        for row in tenant.session_tariffs.values():
            row[0]["price"] = round(row[0]["price"] + 0.01, 5)
        tenant.now += 3 * DAY
        tenant.requests.clear()
        run = sync(env, tmp_path, **large)
        for table in ("messages", "financials", "rewards", "charge_settings", "reward_rates", "solar_energy"):
            assert report_of(run, table).asked["new"] > 0, table
    mine = {row["id"] for row in tenant.rows["sessions"].values() if row["userId"] == user}
    others = {row["id"] for row in tenant.rows["sessions"].values()} - mine
    assert {path.split("/")[3] for path in asked(tenant, "/tariffs") if "sessions" in path} >= mine
    wrong = wrong_tables(tenant, tmp_path)
    # of the others nobody asked: nothing had told that anything changed there
    assert wrong.keys() <= {"session_tariffs", "chargers", "charger_states", "vehicle_states"}
    changed = {name[0] for name, _, _ in wrong.get("session_tariffs", ([], [], []))[2]}
    assert changed <= others


def test_a_session_that_passes_to_another_user_is_not_there_twice(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    large = {
        "ask_all_parents": 0,
        "rotation_nights": 366,
        "collections": (*MONEY, "session_tariffs", "reward_balances"),
    }
    with serving(tenant) as env:
        for _ in range(2):
            paid = [r for r in tenant.rows["sessions"].values() if r["id"] in tenant.rewards and r["endTime"]]
            row = max(paid, key=lambda row: row["startTime"])
            others = sorted(tenant.rows["users"].keys() - {row["userId"]})
            row["userId"] = others[0]
            tenant.now += DAY / 4
            sync(env, tmp_path, **large)
            assert_true(tenant, tmp_path, ["financials", "rewards", "session_tariffs", "reward_balances"])
            held_by = [
                key for key in held(tmp_path / "lake", "financials", ("user_id", "session_id")) if key[1] == row["id"]
            ]
            assert held_by == [(row["userId"], row["id"])]


def test_sessions_that_the_tenant_goes_on_to_list_outlive_their_user(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    user = end_of(tenant, "users")
    with serving(tenant) as env:
        take_away(tenant, "users", user, keeping=("sessions",))
        tenant.now += DAY
        run = sync(env, tmp_path, collections=MONEY)
        assert (report_of(run, "users").rows_deleted, report_of(run, "sessions").rows_deleted) == (1, 0)
        assert_true(tenant, tmp_path, ["financials", "rewards"])
        assert_still(env, tmp_path, collections=MONEY)
        mine = [row["id"] for row in tenant.rows["sessions"].values() if row["userId"] == user]
        newest = max(mine, key=lambda name: tenant.rows["sessions"][name]["startTime"])
        take_away(tenant, "sessions", newest)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=MONEY)
        assert report_of(run, "sessions").rows_deleted == 1, "its own list lacks it, and its user is proved gone"
        assert_true(tenant, tmp_path, ["financials", "rewards"])


def test_a_users_own_path_that_is_not_served_is_made_up_for_by_the_users_lists(tmp_path):
    tenant = full(111, users=8, sessions=40, days=14)
    answer = tenant.respond
    tenant.respond = lambda path, query: (
        (404, {"status": 404}) if path.startswith("users/") and path.count("/") == 1 else answer(path, query)
    )
    with serving(tenant) as env:
        sync(env, tmp_path, collections=OF_USERS)
        take_away(tenant, "users", end_of(tenant, "users"))
        tenant.now += DAY
        run = sync(env, tmp_path, collections=OF_USERS)
        assert (run.status, report_of(run, "users").rows_deleted) == (Status.COMPLETE, 1)
    assert wrong_lists(tenant, tmp_path) == {}


def test_a_quiet_night_asks_for_no_single_row(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        tenant.now += DAY
        tenant.requests.clear()
        sync(env, tmp_path, collections=OF_USERS)
    assert asked(tenant, "users/") == []
