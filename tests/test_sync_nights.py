"""Whole syncs over real HTTP against another server that follows the same facts."""

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.lake_truth import SAME, differences, versions_per_key
from support.other_tenant import seeded, serving, session, stamp

from pipelines.contract import LISTS
from pipelines.errors import CredentialsRefused
from pipelines.lake import Lake
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync import Order, Status, Window, run_sync
from pipelines.sync.slices import PART_ROWS

PATHS = {"users": "users", "vehicles": "vehicles", "charging_locations": "charging-locations", "sessions": "sessions"}
MODEL_KEY = ("brand", "model", "version")
FAST = {"max_requests_per_second": 100_000, "max_tries": 2}


def api_settings(env):
    return ApiSettings(**{name.removeprefix("SMART_CHARGING_").lower(): value for name, value in env.items()})


def sync(env, home, *, until=None, collections=tuple(LISTS), ranges=None, deep=False, **settings):
    return run_sync(
        Order(collections=collections, until=until, ranges=ranges, deep=deep),
        api=api_settings(env),
        sync=SyncSettings(**(FAST | settings)),
        lake=LakeSettings(home=Path(home)),
    )


def assert_true(tenant, lake):
    for table, path in PATHS.items():
        assert differences(lake, table, tenant.rows[path].values()) == SAME, table
    assert differences(lake, "supported_car_models", tenant.car_models, MODEL_KEY) == SAME


def delta_versions(lake):
    return {name: Lake(str(lake)).table(resource).version for name, resource in LISTS.items()}


@pytest.mark.parametrize(
    "options", [{"inclusive": True}, {"inclusive": False, "leave_nulls_out": True}], ids=["inclusive", "exclusive"]
)
def test_the_first_pull_is_the_tenant(tmp_path, options):
    tenant = seeded(1, **options)
    with serving(tenant) as env:
        report = sync(env, tmp_path, until=tenant.now)
    assert report.status is Status.COMPLETE
    assert_true(tenant, tmp_path / "lake")
    assert {c.collection: c.rows_new for c in report.collections} == {
        "users": 230, "vehicles": 230, "charging_locations": 230, "sessions": 3200, "supported_car_models": 4,
    }  # fmt: skip


def test_again_with_the_same_end_writes_only_the_record_of_the_run(tmp_path):
    tenant = seeded(2, users=60, sessions=400)
    with serving(tenant) as env:
        sync(env, tmp_path, until=tenant.now)
        before = delta_versions(tmp_path / "lake")
        report = sync(env, tmp_path, until=tenant.now)
    assert delta_versions(tmp_path / "lake") == before
    assert not any(collection.rows_written for collection in report.collections)
    assert len(Lake(str(tmp_path / "lake")).runs().rows()) == 2 * len(LISTS)
    assert not (tmp_path / "lake" / "_quarantine" / "x").exists()


def test_nights_bring_new_late_and_ended_sessions(tmp_path):
    rng = random.Random(3)
    tenant = seeded(3, users=120, sessions=800)
    vehicles = list(tenant.rows["vehicles"].values())
    locations = {row["userId"]: row["id"] for row in tenant.rows["charging-locations"].values()}
    with serving(tenant) as env:
        sync(env, tmp_path)
        for night in range(3):
            tenant.now += timedelta(days=1)
            for row in list(tenant.rows["sessions"].values()):
                if row["endTime"] is None and rng.random() < 0.7:
                    end = tenant.now - timedelta(hours=rng.uniform(0, 40))
                    row |= {"endTime": stamp(end), "status": "Complete", "calibrationState": None, "chargeCosts": 1.25}
            for _ in range(20 + rng.randrange(100)):
                start = tenant.now - timedelta(hours=rng.uniform(0.1, 46))
                new = session(f"{rng.getrandbits(32):08x}-0000-4000-8000-{night:012x}", rng.choice(vehicles), locations,
                              start, None, rng)  # fmt: skip
                tenant.put("sessions", new)
            for row in seeded(100 + night, users=3, sessions=0).rows["users"].values():
                tenant.put("users", row | {"createdAt": stamp(tenant.now - timedelta(hours=5))})
            tenant.requests.clear()
            report = sync(env, tmp_path)
            assert report.status is Status.COMPLETE
            assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
            assert differences(tmp_path / "lake", "users", tenant.rows["users"].values()) == SAME
            assert len(tenant.requests) < 40, "a night asks for what is new, not for everything"


def test_rows_dated_after_the_end_come_along_and_do_not_blind_the_next_night(tmp_path):
    tenant = seeded(4, users=60, sessions=400)
    rng = random.Random(4)
    vehicle = next(iter(tenant.rows["vehicles"].values()))
    locations = {row["userId"]: row["id"] for row in tenant.rows["charging-locations"].values()}

    def add(name, start):
        tenant.put("sessions", session(name, vehicle, locations, start, None, rng))

    add("ffffffff-0000-4000-8000-000000000001", tenant.now + timedelta(days=900))
    with serving(tenant) as env:
        report = sync(env, tmp_path)
        assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
        sessions = next(c for c in report.collections if c.collection == "sessions")
        assert sessions.watermark == tenant.now - timedelta(seconds=60)
        tenant.now += timedelta(days=1)
        add("ffffffff-0000-4000-8000-000000000002", tenant.now - timedelta(hours=20))
        sync(env, tmp_path)
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


def test_an_end_in_the_past_reads_again_and_moves_nothing_back(tmp_path):
    tenant = seeded(5, users=60, sessions=400)
    with serving(tenant) as env:
        sync(env, tmp_path)
        table = Lake(str(tmp_path / "lake")).table(LISTS["sessions"])
        watermarks = [table.watermark(f"sessions/{name}") for name in ("started", "ended")]
        sync(env, tmp_path, until=tenant.now - timedelta(days=30))
    again = Lake(str(tmp_path / "lake")).table(LISTS["sessions"])
    assert [again.watermark(f"sessions/{name}") for name in ("started", "ended")] == watermarks
    assert_true(tenant, tmp_path / "lake")


def test_a_long_history_comes_in_slices_and_can_be_cut_short(tmp_path):
    """Faults from some request on: what was committed is a whole beginning, and the next run goes on from there."""
    tenant = seeded(6)
    with serving(tenant) as env:

        def fail_later(path):
            if path == "sessions" and len([1 for asked, _ in tenant.requests if asked == "sessions"]) > 20:
                tenant.failing.add("sessions")

        tenant.before_answer = fail_later
        report = sync(env, tmp_path, slice_rows=400, max_concurrency=2)
        sessions = next(c for c in report.collections if c.collection == "sessions")
        assert sessions.status is Status.FAILED
        assert 0 < sessions.rows_new < 3200
        assert {c.status for c in report.collections if c is not sessions} == {Status.COMPLETE}
        watermark = Lake(str(tmp_path / "lake")).table(LISTS["sessions"]).watermark("sessions/started")
        missing, extra, different = differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values())
        assert extra == different == []
        early = {f"('{n}',)" for n, row in tenant.rows["sessions"].items() if row["startTime"] < stamp(watermark)}
        assert not early & set(missing)
        tenant.before_answer = lambda _path: None
        tenant.failing.clear()
        tenant.requests.clear()
        sync(env, tmp_path, slice_rows=400)
    assert_true(tenant, tmp_path / "lake")
    assert set(versions_per_key(tmp_path / "lake", "sessions").values()) == {1}


@pytest.mark.parametrize("part_rows", [PART_ROWS, 70])
def test_a_row_that_cannot_be_read_is_set_aside_and_comes_back(tmp_path, monkeypatch, part_rows):
    """Also where it is in an earlier part of its slice than the last."""
    monkeypatch.setattr("pipelines.sync.slices.PART_ROWS", part_rows)
    tenant = seeded(7, users=60, sessions=400)
    broken = sorted(tenant.rows["sessions"])[17]

    def mangle(path, items):
        return [item | {"chargedEnergy": "a lot"} if item.get("id") == broken else item for item in items]

    tenant.mangle = mangle
    with serving(tenant) as env:
        first = sync(env, tmp_path)
        missing, extra, different = differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values())
        assert (missing, extra, different) == ([f"('{broken}',)"], [], [])
        assert first.status is Status.PARTIAL
        [record] = Lake(str(tmp_path / "lake")).quarantine().current().values()
        assert (record["status"], record["field"], record["key"]) == ("pending", "chargedEnergy", broken)
        assert "a lot" in record["raw"]
        assert "a lot" not in record["reason"]

        tenant.mangle = lambda _path, items: items
        tenant.now += timedelta(days=100)
        second = sync(env, tmp_path)
        assert second.status is Status.COMPLETE
        assert_true(tenant, tmp_path / "lake")
        [record] = Lake(str(tmp_path / "lake")).quarantine().current().values()
        assert record["status"] == "resolved"


def test_a_row_met_broken_in_two_runs_is_permanent_and_asked_no_more(tmp_path):
    tenant = seeded(8, users=60, sessions=400)
    broken = min(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])["id"]
    tenant.mangle = lambda _path, items: [
        item | {"startTime": "yesterday"} if item.get("id") == broken else item for item in items
    ]
    with serving(tenant) as env:
        statuses = [sync(env, tmp_path).status]
        statuses.append(sync(env, tmp_path).status)
        tenant.requests.clear()
        statuses.append(sync(env, tmp_path).status)
        long_ago = stamp(tenant.now - timedelta(days=150))
        assert not [query for path, query in tenant.requests if query.get("startTimeTo", "9") < long_ago]
    assert statuses == [Status.PARTIAL, Status.PARTIAL, Status.COMPLETE]
    [record] = Lake(str(tmp_path / "lake")).quarantine().current().values()
    assert record["status"] == "permanent"


def test_what_the_contract_does_not_know_is_kept_and_reported_once(tmp_path):
    tenant = seeded(9, users=20, sessions=100)
    name = next(iter(tenant.rows["sessions"]))
    tenant.rows["sessions"][name] |= {"status": "Paused", "mood": {"level": 3}}
    with serving(tenant) as env:
        sync(env, tmp_path)
        sync(env, tmp_path)
    table = Lake(str(tmp_path / "lake"))
    found = {
        (r["kind"], r["path"], r["value"]) for r in table.drift().current().values() if r["collection"] == "sessions"
    }
    assert {("unknown_field", "mood.level", None), ("unlisted_value", "status", "Paused")} <= found
    rows = {row["id"]: row for row in _rows(tmp_path, "sessions")}
    assert rows[name]["status"] == "Paused"
    assert rows[name]["_extra"] == '{"mood.level":3}'


def test_resync_finds_a_correction_that_no_window_shows(tmp_path):
    tenant = seeded(10, users=60, sessions=400)
    old = min(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])
    with serving(tenant) as env:
        sync(env, tmp_path)
        old["chargeCosts"] = 77.7777
        sync(env, tmp_path)
        assert len(differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values())[2]) == 1
        day = datetime.fromisoformat(old["startTime"])
        window = Window(day - timedelta(hours=1), day + timedelta(hours=1))
        report = sync(env, tmp_path, collections=("sessions",), ranges={"sessions": window})
    assert report.collections[0].rows_changed == 1
    assert_true(tenant, tmp_path / "lake")


def test_wrong_credentials_write_nothing(tmp_path):
    tenant = seeded(11, users=3, sessions=3)
    with serving(tenant) as env, pytest.raises(CredentialsRefused, match="SMART_CHARGING_CLIENT_SECRET"):
        sync(env | {"SMART_CHARGING_CLIENT_SECRET": "wrong"}, tmp_path)
    assert not list((tmp_path / "lake").iterdir())


def test_a_local_clock_that_was_set_back_does_not_hide_corrections(tmp_path):
    """`_synced_at` goes on from what the table holds."""
    tenant = seeded(12, users=60, sessions=400)
    with serving(tenant) as env:
        sync(env, tmp_path)
        table = Lake(str(tmp_path / "lake")).table(LISTS["sessions"])
        ahead = datetime.now(timezone.utc) + timedelta(days=365)
        rows = _as_batch(table, ahead)
        table.commit(rows, {})
        newest = max(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])
        newest["chargeCosts"] = 3.14
        sync(env, tmp_path)
    assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME


def _rows(home, table):
    from deltalake import DeltaTable

    return DeltaTable(str(home / "lake" / table)).to_pyarrow_table().to_pylist()


def _as_batch(table, at):
    """Every row of a table again, with another hash, as read at `at`."""
    import pyarrow as pa
    from deltalake import DeltaTable

    rows = DeltaTable(table._store.uri).to_pyarrow_table().to_pylist()
    changed = [row | {"_synced_at": at, "_row_hash": "0" * 32} for row in rows]
    batch = pa.Table.from_pylist(changed, schema=table.schema)
    return batch.append_column("_key", batch["id"])


def test_one_broken_list_stops_no_other(tmp_path):
    tenant = seeded(13, users=60, sessions=400)
    tenant.failing |= {"users", "vehicles"}
    with serving(tenant) as env:
        report = sync(env, tmp_path)
        assert {c.collection for c in report.collections if c.status is Status.FAILED} == {"users", "vehicles"}
        assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
        tenant.failing.clear()
        sync(env, tmp_path)
    assert_true(tenant, tmp_path / "lake")
