"""Tenants that do what nothing forbids: every case here once lost rows, looped or stopped a night."""

from datetime import timedelta

import pytest
from support.lake_truth import SAME, differences
from support.other_tenant import seeded, serving, stamp
from test_sync_nights import assert_true, sync

from pipelines.contract import LISTS
from pipelines.errors import ConfigurationError, CredentialsRefused, LakeError
from pipelines.lake import Lake
from pipelines.sync import Order, Status, Window

DAY = timedelta(days=1)


def sessions_of(tenant):
    return tenant.rows["sessions"].values()


def test_an_end_after_the_apis_clock_blinds_no_later_night(tmp_path):
    tenant = seeded(41)
    with serving(tenant) as env:
        report = sync(env, tmp_path, until=tenant.now + 365 * DAY)
        assert all(c.watermark <= tenant.now for c in report.collections)
        assert any("lies after the API's clock" in note for c in report.collections for note in c.notes)
        late = next(row for row in sessions_of(tenant) if row["endTime"] is None)
        tenant.now += 30 * DAY
        late |= {"startTime": stamp(tenant.now - 20 * DAY), "endTime": stamp(tenant.now - 19 * DAY)}
        sync(env, tmp_path)
    assert_true(tenant, tmp_path / "lake")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"])
@pytest.mark.parametrize("past_the_end", [200, 400, 404])
def test_many_rows_of_one_instant_at_either_end_of_time(tmp_path, time, past_the_end):
    tenant = seeded(42)
    tenant.past_the_end = past_the_end
    for row in tenant.rows["users"].values():
        row["createdAt"] = time
    with serving(tenant) as env:
        report = sync(env, tmp_path, collections=("users",))
        assert len(tenant.requests) < 200
    assert report.status is Status.COMPLETE
    assert differences(tmp_path / "lake", "users", tenant.rows["users"].values()) == SAME


def test_an_end_filter_that_lets_unfinished_sessions_through(tmp_path):
    tenant = seeded(43)
    tenant.unfinished_match_every_end = True
    for row in list(sessions_of(tenant))[:250]:
        row |= {"endTime": None, "status": "Active"}
    with serving(tenant) as env:
        sync(env, tmp_path)
        tenant.now += DAY
        tenant.requests.clear()
        sync(env, tmp_path)
        assert len(tenant.requests) < 100
    assert_true(tenant, tmp_path / "lake")


def test_a_total_that_is_the_whole_lists_in_every_window(tmp_path):
    tenant = seeded(44, sessions=3500)
    with serving(tenant) as env:
        sync(env, tmp_path)
        page = tenant.page

        def page_with_all_counted(path, *rest):
            status, document = page(path, *rest)
            return status, document | ({"totalCount": len(tenant.rows[path])} if "totalCount" in document else {})

        tenant.page = page_with_all_counted
        tenant.now += DAY
        tenant.requests.clear()
        sync(env, tmp_path)
        assert len(tenant.requests) < 400
    assert_true(tenant, tmp_path / "lake")


def test_what_one_list_forbids_stops_no_other(tmp_path):
    tenant = seeded(44)
    tenant.forbidden |= {"users", "vehicles"}
    with serving(tenant) as env:
        report = sync(env, tmp_path)
        assert {c.collection for c in report.collections if c.status is Status.FAILED} == {"users", "vehicles"}
        assert differences(tmp_path / "lake", "sessions", sessions_of(tenant)) == SAME
        tenant.forbidden |= {*tenant.rows, "supported-car-models"}
        with pytest.raises(CredentialsRefused, match="SMART_CHARGING_API_KEY"):
            sync(env, tmp_path)


def test_a_missing_or_damaged_file_is_told(tmp_path):
    tenant = seeded(45)
    with serving(tenant) as env:
        sync(env, tmp_path)
        [file] = (tmp_path / "lake" / "users").glob("*.parquet")
        whole = file.read_bytes()
        for damage in (b"", whole[: len(whole) // 2], None):
            file.unlink()
            if damage is not None:
                file.write_bytes(damage)
            with pytest.raises(LakeError, match="users"):
                sync(env, tmp_path, collections=("users",))
            if damage is None:
                with pytest.raises(LakeError, match="Restore the table's folder"):
                    sync(env, tmp_path, collections=("users",))
            file.write_bytes(whole)
        sync(env, tmp_path)
    assert_true(tenant, tmp_path / "lake")


def test_a_range_is_of_a_collection_that_is_named():
    window = Window(None, seeded(46).now)
    with pytest.raises(ConfigurationError, match="sessions"):
        Order(("users",), ranges={"sessions": window})


def test_a_range_of_a_whole_list_moves_no_watermark(tmp_path):
    tenant = seeded(47)
    with serving(tenant) as env:
        sync(env, tmp_path, until=tenant.now - DAY)
        name = "supported_car_models"
        sync(env, tmp_path, collections=(name,), ranges={name: Window(tenant.now - DAY, tenant.now)})
    assert Lake(str(tmp_path / "lake")).table(LISTS[name]).watermark(name) == tenant.now - DAY


@pytest.mark.parametrize(
    ("begin", "rows", "change"),
    [(50, 1, {"isManaged": "?"}), (-30, 60, {"isManaged": "?"}), (50, 1, {"startTime": "?"})],
)
def test_the_audit_counts_rows_that_were_set_aside(tmp_path, begin, rows, change):
    """Those at the turn of a month, too, where their own time can be read. begin: counted from that turn."""
    tenant = seeded(48)
    ordered = sorted(sessions_of(tenant), key=lambda row: row["startTime"])
    turn = next(
        n for n, row in enumerate(ordered) if n > 700 and row["startTime"][:7] != ordered[n - 1]["startTime"][:7]
    )
    broken = {row["id"] for row in ordered[turn + begin :][:rows]}
    tenant.mangle = lambda _path, items: [i | change if i.get("id") in broken else i for i in items]
    with serving(tenant) as env:
        sync(env, tmp_path)
        sync(env, tmp_path, deep=True)
        report = sync(env, tmp_path, deep=True)
    assert not any(note for c in report.collections for note in c.notes if "counts" in note)


def test_pages_of_rows_whose_time_cannot_be_read_hide_nothing_and_cost_two_walks(tmp_path):
    tenant = seeded(49)
    ordered = sorted(sessions_of(tenant), key=lambda row: row["startTime"])
    broken = {row["id"] for row in ordered[700:1000]}
    tenant.mangle = lambda _path, items: [i | {"startTime": "?"} if i.get("id") in broken else i for i in items]
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("sessions",))
        assert len(tenant.requests) < 100
        missing, *others = differences(tmp_path / "lake", "sessions", sessions_of(tenant))
        assert (len(missing), others) == (300, [[], []])
        tenant.mangle = lambda _path, items: items
        sync(env, tmp_path, collections=("sessions",))
    assert differences(tmp_path / "lake", "sessions", sessions_of(tenant)) == SAME
