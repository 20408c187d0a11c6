"""Rows that are deleted and come back with what they hang under, on real Delta tables."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.contract import LINKS, RESOURCES
from pipelines.lake import Lake
from pipelines.lake.changelog import to_microseconds
from pipelines.lake.schemas import table_schema

T0 = datetime(2026, 6, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def link_of(parent, child):
    return next(link for link in LINKS if (link.parent, link.child) == (parent, child))


def append(lake, table, rows, *, without=()):
    """Rows as they stand in the lake; without: columns that an older version of the table did not have."""
    schema = pa.schema([field for field in table_schema(RESOURCES[table]) if field.name not in without])
    system = {"_synced_at": T0, "_run_id": "first", "_row_hash": "h", "_deleted": False}
    complete = [{name: (system | row).get(name) for name in schema.names} for row in rows]
    month = "start_month" if RESOURCES[table].is_by_month else None
    write_deltalake(f"{lake.root}/{table}", pa.Table.from_pylist(complete, schema), mode="append", partition_by=month)


def rows_of(lake, table):
    return DeltaTable(f"{lake.root}/{table}").to_pyarrow_table().to_pylist()


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def test_a_deletion_keeps_the_content_names_the_parent_and_can_be_taken_back(lake):
    append(lake, "vehicles", [{"id": "v", "user_id": "u", "details_brand": "Kia"}, {"id": "w", "user_id": "other"}])
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    assert family.living({"u": None, "nobody": None}) == {"v": None}
    turned = family.bury({"u": None}, "second", T0 + HOUR)
    assert turned.rows == 1
    assert family.bury({"u": None}, "third", None).rows == 0, "once is enough"
    [gone] = [row for row in rows_of(lake, "vehicles") if row["_deleted"]]
    assert (gone["id"], gone["details_brand"], gone["_row_hash"], gone["_run_id"]) == ("v", "Kia", "h", "second")
    assert gone["_deleted_with"] == "users/u"
    assert gone["_synced_at"] == turned.at > T0 + HOUR
    assert lake.marks("vehicles", ["vehicles/turned"]) == [to_microseconds(turned.at)]
    back = family.bring_back({"u": None}, "third")
    assert (back.rows, family.living({"u": None})) == (1, {"v": None})
    assert back.at > turned.at
    newest = max((row for row in rows_of(lake, "vehicles") if row["id"] == "v"), key=lambda row: row["_synced_at"])
    assert (newest["_deleted"], newest["_deleted_with"], newest["details_brand"]) == (False, None, "Kia")


def test_what_went_by_itself_or_with_another_does_not_come_back(lake):
    rows = [
        {"id": "own", "user_id": "u", "_deleted": True},
        {"id": "other", "user_id": "u", "_deleted": True, "_deleted_with": "users/x"},
        {"id": "mine", "user_id": "u", "_deleted": True, "_deleted_with": "users/u"},
    ]
    append(lake, "vehicles", rows)
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    assert family.bring_back({"u": None}, "second").rows == 1
    assert family.living({"u": None}) == {"mine": None}


def test_what_passed_to_another_parent_stays(lake):
    append(lake, "vehicles", [{"id": "v", "user_id": "u"}, {"id": "v", "user_id": "x", "_synced_at": T0 + HOUR}])
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    assert family.bury({"u": None}, "second", None).rows == 0
    assert family.living({"x": None}) == {"v": None}


def test_what_was_read_after_the_end_of_its_parent_stays(lake):
    rows = [{"id": "before", "user_id": "u"}, {"id": "after", "user_id": "u", "_synced_at": T0 + 2 * HOUR}]
    append(lake, "vehicles", rows)
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    end = {"u": T0 + HOUR}
    assert family.living(end) == {"before": T0 + HOUR}
    assert family.bury(end, "second", None).rows == 1
    assert family.living({"u": None}) == {"after": None}


def test_a_long_history_goes_month_by_month(lake):
    hours = [T0 - number * 200 * HOUR for number in range(10)]
    rows = [
        {"charging_location_id": place, "start_time": at, "start_month": f"{at:%Y-%m}", "price": None}
        for place in ("p", "q")
        for at in hours
    ]
    append(lake, "dynamic_tariffs", rows)
    family = lake.family(RESOURCES["dynamic_tariffs"], link_of("charging_locations", "dynamic_tariffs"))
    before = DeltaTable(f"{lake.root}/dynamic_tariffs").version()
    assert family.bury({"p": None}, "second", None).rows == 10
    assert DeltaTable(f"{lake.root}/dynamic_tariffs").version() - before == len({at.month for at in hours})
    assert family.bring_back({"p": None, "q": None}, "third").rows == 10


def test_a_table_made_before_there_was_a_way_back_gains_the_column(lake):
    append(lake, "vehicles", [{"id": "v", "user_id": "u"}], without=("_deleted_with",))
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    assert family.bring_back({"u": None}, "second").rows == 0
    assert family.bury({"u": None}, "second", None).rows == 1
    assert sorted((row["_deleted"], row["_deleted_with"]) for row in rows_of(lake, "vehicles")) == [
        (False, None),
        (True, "users/u"),
    ]


def test_a_writer_that_was_first_is_taken_into_account(lake):
    append(lake, "vehicles", [{"id": "v", "user_id": "u"}])
    family = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    other = lake.family(RESOURCES["vehicles"], link_of("users", "vehicles"))
    first = other.bury({"u": None}, "other", None)
    assert (first.rows, family.bury({"u": None}, "second", None).rows) == (1, 0)
    assert [row["_run_id"] for row in rows_of(lake, "vehicles") if row["_deleted"]] == ["other"]
