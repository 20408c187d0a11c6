"""Faults while lists are read and while deletions are proved: nothing that lives is deleted, and nothing is forgotten."""

from datetime import timedelta

import pytest
from support.other_family import TABLES, end_of, take_away
from support.other_tenant import serving, stamp
from support.other_under import full
from support.other_world import DAY
from support.syncing import api_settings, asked, begin_with, pulled, report_of, sync, wrong_lists, wrong_tables

from pipelines.lake import Lake
from pipelines.settings import LakeSettings, SyncSettings
from pipelines.status import lake_status
from pipelines.sync import Order, Status
from pipelines.sync.dry_run import dry_run

LISTS = tuple(TABLES)
NOT_FOUND = 404, {"title": "Not Found", "status": 404}


def is_single(path):
    """A path of one user, address, car or session."""
    return path.startswith("users/") and path.count("/") in {1, 3}


def under_users(path):
    return path.startswith("users/")


def candidates(home, *, status="candidate"):
    records = Lake(str(home / "lake")).deletion_candidates().current().values()
    return {(record["collection"], record["row_id"]) for record in records if record["status"] == status}


def answering(tenant, **by_place):
    """Answers other than the tenant's own: single=, below= or lists= a function of (status, document) and the path."""
    answer = tenant.respond

    def respond(path, query):
        status, document = answer(path, query)
        place = "lists" if path in TABLES.values() else "single" if is_single(path) else "below"
        return by_place[place](path, status, document) if place in by_place else (status, document)

    tenant.respond = respond
    return lambda: setattr(tenant, "respond", answer)


def empty(_path, _status, document):
    return 200, document | {"items": [], "totalCount": 0, "totalPages": 0}


def nothing(_path, _status, _document):
    return NOT_FOUND


def broken(_path, _status, _document):
    return 500, {"title": "broken", "status": 500}


FAULTS = {
    "500 for every single row": {"single": broken},
    "404 for every single row": {"single": nothing},
    "404 for everything below users": {"single": nothing, "below": nothing},
    "empty lists": {"lists": empty},
    "empty lists and 500": {"lists": empty, "single": broken},
    "empty lists and 404": {"lists": empty, "single": nothing},
    "empty lists and 404 for everything": {"lists": empty, "single": nothing, "below": nothing},
    "empty answers": {"single": lambda _p, _s, _d: (200, None)},
    "another row": {"lists": empty, "single": lambda _p, _s, _d: (200, {"id": "x", "isManaged": True, "locale": "en"})},
}


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    return pulled(full(121, users=8, sessions=40, days=14), tmp_path_factory.mktemp("first-night"), collections=LISTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_night_of_faults_deletes_nothing_that_lives(tmp_path, first_night, fault):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        gone = end_of(tenant, "vehicles")
        taken = take_away(tenant, "vehicles", gone)
        tenant.now += DAY
        heal = answering(tenant, **FAULTS[fault])
        run = sync(env, tmp_path, collections=LISTS)
        if FAULTS[fault].get("single") in (broken, nothing):
            tenant.now += DAY
            run = sync(env, tmp_path, collections=LISTS)
        assert sum(report.rows_deleted for report in run.collections) <= report_of(run, "vehicles").rows_deleted <= 1
        missing = {name: difference[0] for name, difference in wrong_lists(tenant, tmp_path).items() if difference[0]}
        assert missing == {}
        if FAULTS[fault].get("single") in (broken, nothing):
            assert run.status is Status.PARTIAL
            assert report_of(run, "vehicles").rows_deleted == 0
            assert ("vehicles", gone) in candidates(tmp_path)
        heal()
        tenant.now += DAY
        assert sync(env, tmp_path, collections=LISTS).status is Status.COMPLETE
    assert wrong_lists(tenant, tmp_path) == {}
    assert candidates(tmp_path) == set() == candidates(tmp_path, status="proved")
    assert taken


@pytest.mark.parametrize("collection", ["vehicles", "charging-locations", "sessions"])
def test_a_path_that_a_gateway_forgets_deletes_not_even_a_tenants_few_rows(tmp_path, collection):
    """The list is empty, the path of single rows says 404, users answer, and there is no other row to compare with."""
    tenant = full(131, users=3, sessions=4, days=14)
    table = collection.replace("-", "_")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        assert 0 < len(tenant.rows[collection]) <= 5
        answer = tenant.respond

        def respond(path, query):
            if path == collection:
                return empty(path, *answer(path, query))
            return NOT_FOUND if f"/{collection}/" in path else answer(path, query)

        tenant.respond = respond
        for _ in range(2):
            tenant.now += DAY
            run = sync(env, tmp_path, collections=LISTS)
            assert report_of(run, table).rows_deleted == 0
        assert wrong_lists(tenant, tmp_path) == {}
        tenant.respond = answer
        taken = [take_away(tenant, collection, name) for name in list(tenant.rows[collection])]
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS, rotation_nights=1)
        assert report_of(run, table).rows_deleted == len(taken)
    assert wrong_lists(tenant, tmp_path) == {}


def test_a_path_that_falls_silent_in_the_middle_of_the_proofs_proves_nothing(tmp_path, first_night):
    """Before and after, a row that is there must answer on the path."""
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        hidden = [row["id"] for row in list(tenant.rows["vehicles"].values())[:3]]
        answer, single = tenant.respond, []

        def respond(path, query):
            status, document = answer(path, query)
            if path == "vehicles":
                items = [item for item in document["items"] if item["id"] not in hidden]
                return status, document | {"items": items, "totalCount": len(items)}
            if "/vehicles/" in path:
                single.append(path)
                return (status, document) if len(single) == 1 else NOT_FOUND
            return status, document

        tenant.respond = respond
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS)
        assert len(single) > 3
        assert report_of(run, "vehicles").rows_deleted == 0
        assert candidates(tmp_path) == {("vehicles", name) for name in hidden}
        tenant.respond = answer
        tenant.now += DAY
        sync(env, tmp_path, collections=LISTS)
    assert wrong_lists(tenant, tmp_path) == {}
    assert candidates(tmp_path) == set()


def test_a_stale_page_without_newer_rows_deletes_none_of_them(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        newest = stamp(tenant.now - 5 * DAY)

        def stale(_path, status, document):
            items = [i for i in document["items"] if i.get("startTime", i.get("createdAt")) <= newest]
            return status, document | {"items": items, "totalCount": len(items)}

        answering(tenant, lists=stale)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS)
        assert sum(report.rows_deleted for report in run.collections) == 0
        assert sum(report.asked["no longer listed"] for report in run.collections) > 0
        assert wrong_lists(tenant, tmp_path) == {}
        assert candidates(tmp_path) == set(), "who answers by itself is there"


def test_a_list_that_lacks_most_rows_is_not_believed_after_a_few_are_there(tmp_path):
    tenant = full(124, users=30, sessions=30, days=14)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users",))
        heal = answering(tenant, lists=empty)
        tenant.now += DAY
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=("users",))
        assert run.status is Status.PARTIAL
        assert any("its absences are not believed" in note for note in report_of(run, "users").notes)
        assert len([path for path in asked(tenant, "users/") if is_single(path)]) < 15
        assert candidates(tmp_path) == set()
        heal()
        tenant.now += DAY
        assert sync(env, tmp_path, collections=("users",)).status is Status.COMPLETE


def test_most_rows_that_are_really_gone_are_proved_one_by_one(tmp_path):
    tenant = full(125, users=12, sessions=60, days=14)
    tables = (*LISTS, "financials")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        for name in sorted(tenant.rows["users"])[:9]:
            take_away(tenant, "users", name)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=tables)
        assert report_of(run, "users").rows_deleted == 9
    assert wrong_lists(tenant, tmp_path) == {}
    assert wrong_tables(tenant, tmp_path, ["financials"]) == {}


def test_more_candidates_than_a_night_proves_wait_and_are_told(tmp_path):
    tenant = full(126, users=12, sessions=60, days=14)
    few = {"deletion_proofs": 2, "relist_rows": 10_000}
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        gone = sorted(tenant.rows["vehicles"])[:5]
        for name in gone:
            take_away(tenant, "vehicles", name)
        deleted = []
        for night in range(3):
            tenant.now += DAY
            if night:
                # the list itself is not read in full again: they are remembered
                few["relist_rows"] = 0
            forecast = dry_run(
                Order(LISTS), api=lambda: api_settings(env), sync=SyncSettings(**few), lake=LakeSettings(home=tmp_path)
            )
            unit = next(unit for unit in forecast.units if unit.name == "vehicles")
            assert unit.asked["no longer listed"] == (0 if night == 0 else min(2, 5 - 2 * night))
            run = sync(env, tmp_path, collections=LISTS, **few)
            report = report_of(run, "vehicles")
            assert run.status is Status.COMPLETE
            deleted.append(report.rows_deleted)
            left = max(0, 5 - 2 * (night + 1))
            assert report.skipped["no longer listed"] == left == len(candidates(tmp_path))
            unproved = lake_status(LakeSettings(home=tmp_path)).unproved
            assert [row.collection for row in unproved] == ["vehicles"] * left
    assert deleted == [2, 2, 1]
    assert wrong_lists(tenant, tmp_path) == {}


def test_a_candidate_that_is_shown_again_is_one_no_longer(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        hidden = end_of(tenant, "vehicles")
        tenant.mangle = lambda _path, items: [item for item in items if item["id"] != hidden]
        heal = answering(tenant, single=broken)
        tenant.now += DAY
        sync(env, tmp_path, collections=LISTS)
        assert candidates(tmp_path) == {("vehicles", hidden)}
        tenant.mangle = lambda _path, items: items
        heal()
        tenant.now += DAY
        tenant.requests.clear()
        sync(env, tmp_path, collections=LISTS)
        assert asked(tenant, "/vehicles/") == []
    assert candidates(tmp_path) == set()
    assert candidates(tmp_path, status="alive") == {("vehicles", hidden)}


def test_a_row_that_the_list_lacks_but_that_answers_is_read(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        place = tenant.rows["charging-locations"][end_of(tenant, "charging-locations")]
        tenant.mangle = lambda path, items: (
            [item for item in items if item["id"] != place["id"]] if path == "charging-locations" else items
        )
        place["address"]["houseNumber"] = "77B"
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS)
        assert report_of(run, "charging_locations").rows_changed == 1
        assert wrong_lists(tenant, tmp_path) == {}, "what hangs under it in a rich answer is no part of its row"
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS)
    assert report_of(run, "charging_locations").rows_written == 0
    assert any(
        "rows that the list did not show are there" in note for note in report_of(run, "charging_locations").notes
    )


@pytest.mark.parametrize("ill", [{"isConnected": "maybe"}, {"id": "?"}], ids=["with its key", "without a key"])
def test_a_row_that_cannot_be_read_is_seen(tmp_path, first_night, ill):
    """It is set aside, and no candidate: not even where its key cannot be told."""
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        name = end_of(tenant, "vehicles")
        tenant.mangle = lambda path, items: [
            item | ill if path == "vehicles" and item["id"] == name else item for item in items
        ]
        tenant.now += timedelta(days=1)
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=LISTS)
        assert report_of(run, "vehicles").rows_set_aside == 1
        assert asked(tenant, f"/vehicles/{name}") == []
        assert candidates(tmp_path) == set()


def test_the_last_user_of_a_tenant_is_not_deleted_for_want_of_a_witness(tmp_path):
    tenant = full(130, users=1, sessions=3, days=3)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=LISTS)
        [user] = tenant.rows["users"]
        take_away(tenant, "users", user)
        tenant.now += DAY
        run = sync(env, tmp_path, collections=LISTS)
        assert sum(report.rows_deleted for report in run.collections) == 0
        assert ("users", user) in candidates(tmp_path)
        [found] = [row for row in lake_status(LakeSettings(home=tmp_path)).unproved if row.collection == "users"]
    assert "no other row answers" in found.reason
