"""The Arrow schemas that follow from the contract, and that Delta keeps what normalising makes by them."""

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from support.normalise_items import SESSIONS, identifier, page

from pipelines.contract import Resource, under_locations, under_users, under_vehicles
from pipelines.contract.model import Kind
from pipelines.lake.schemas import MONTH, OPERATIONS, SYSTEM_FIELDS, content_schema, table_schema
from pipelines.normalise import normalise

UNDER = {
    resource.name: resource
    for module in (under_locations, under_users, under_vehicles)
    for resource in vars(module).values()
    if isinstance(resource, Resource)
}
SYSTEM = [field.name for field in SYSTEM_FIELDS]


@pytest.mark.parametrize("resource", UNDER.values(), ids=UNDER)
def test_columns_follow_the_contract(resource):
    content, table = content_schema(resource), table_schema(resource)
    assert content.names == [field.column for field in resource.fields]
    month = [MONTH] if resource.is_by_month else []
    assert table.names == [*content.names, *month, *SYSTEM]
    assert all(not table.field(name).nullable for name in month)
    assert normalise(resource, []).rows.select(content.names).schema == content


def test_tables_by_month():
    assert {name for name, resource in UNDER.items() if resource.is_by_month} == {
        "session_tariffs",
        "dynamic_tariffs",
        "solar_energy",
    }
    assert MONTH not in table_schema(SESSIONS).names


def test_object_lists_are_lists_of_structs():
    intervals = content_schema(UNDER["location_tariffs"]).field("tariff_intervals").type
    assert pa.types.is_list(intervals)
    assert [(field.name, str(field.type)) for field in intervals.value_type] == [
        ("start_time", "string"),
        ("end_time", "string"),
        ("days_of_week", str(pa.list_(pa.string()))),
        ("tariff_type", "string"),
    ]
    prices = content_schema(UNDER["location_tariffs"]).field("tariffs").type.value_type
    assert prices.field("price").type == pa.decimal128(38, 9)


@pytest.mark.parametrize(
    "name", [name for name, r in UNDER.items() if any(f.kind is Kind.OBJECT_LIST for f in r.fields)]
)
def test_delta_keeps_object_lists(tmp_path, name):
    resource = UNDER[name]
    listed = {"price": 0.31, "type": "peak", "tariffType": "Peak", "daysOfWeek": ["monday"], "startTime": "24:00"}
    items = [
        {f.path: value for f in resource.fields if f.kind is Kind.OBJECT_LIST}
        for value in ([listed, {}, None], [], None)
    ]
    ids = {path: identifier(number) for number, path in enumerate(resource.under)}
    columns = content_schema(resource)
    rows = normalise(resource, [replace(page(items), path_ids=ids)]).rows.select(columns.names)
    DeltaTable.create(str(tmp_path), columns)
    write_deltalake(str(tmp_path), rows, mode="append")
    kept = DeltaTable(str(tmp_path)).to_pyarrow_table()
    assert kept.to_pylist() == rows.to_pylist()


def test_records_say_when_and_by_which_run_they_were_written():
    for name, schema in OPERATIONS.items():
        if name != "_runs":
            assert schema.names[-2:] == ["_synced_at", "_run_id"]
            assert not schema.field("id").nullable
