"""What the contract does not know or misses, nested fields, and keys."""

import json
import random

from support.normalise_items import CAR_MODELS, LOCATIONS, SESSIONS, VEHICLES, identifier, location, page, session

from pipelines.contract import Field, Kind, Resource
from pipelines.contract.model import Answer
from pipelines.lake.keys import key_texts
from pipelines.normalise import Drift, canonical_hash, normalise


def test_nested_fields_and_unknown_ones_among_them():
    items = [
        location(1),
        location(2, address=None),
        location(3, address={"city": "Oslo", "floor": {"number": 3, "names": ["a", None]}}),
        location(4, address={}, **{"address.city": "shadow", "address_city": "shadow"}),
        location(5, address="Kongens gate 1"),
        location(6, coordinates=[63.4, 10.4]),
    ]
    found = normalise(LOCATIONS, [page(items)])
    assert found.rows["address_city"].to_pylist() == ["Trondheim", None, "Oslo", None]
    assert [None if text is None else json.loads(text) for text in found.rows["_extra"].to_pylist()] == [
        None,
        None,
        {"address.floor.names": ["a", None], "address.floor.number": 3},
        {"address\\.city": "shadow", "address_city": "shadow"},
    ]
    assert [(bad.field, bad.key) for bad in found.bad] == [("address", identifier(5)), ("coordinates", identifier(6))]
    assert found.drift == {
        Drift("unknown_field", "address.floor.number", None): 1,
        Drift("unknown_field", "address.floor.names", None): 1,
        Drift("unknown_field", "address\\.city", None): 1,
        Drift("unknown_field", "address_city", None): 1,
    }


def test_extra_is_canonical():
    left = normalise(SESSIONS, [page([session(1, b=1.0, a={"z": "2024-03-01 00:00:00", "y": None})])]).rows
    right = normalise(SESSIONS, [page([session(1, a={"z": "2024-03-01T00:00:00Z"}, b=1)])]).rows
    assert left["_extra"].to_pylist() == ['{"a.z":"2024-03-01T00:00:00.000Z","b":1}']
    assert left.equals(right)


def test_drift():
    items = [session(n) for n in range(30)]
    for item in items[:3]:
        item["status"] = "Paused"
    items[3]["status"] = "forceEnded"
    items[4]["status"] = None
    del items[5]["isManaged"]
    items[6]["floor"] = None
    for item in items:
        del item["solarEnergy"]
        item["savings"] = None
    del items[7]["chargeSpeed"]
    items[8]["calibrationState"] = "x" * 500
    assert normalise(SESSIONS, [page(items)]).drift == {
        Drift("unlisted_value", "status", "Paused"): 3,
        Drift("unlisted_value", "calibrationState", "x" * 100): 1,
        Drift("missing_field", "status", None): 1,
        Drift("missing_field", "isManaged", None): 1,
        Drift("missing_field", "solarEnergy", None): 30,
        Drift("unknown_field", "floor", None): 1,
    }


def test_few_rows_say_nothing_about_optional_fields():
    assert (
        normalise(
            SESSIONS, [page([{name: value for name, value in session().items() if name != "solarEnergy"}] * 19)]
        ).drift
        == {}
    )


def test_unlisted_words_in_lists():
    vehicle = {
        "id": identifier(1),
        "userId": identifier(2),
        "createdAt": "2025-01-15T08:00:12.345Z",
        "details": {"brand": "A", "model": "B", "version": "C"},
        "isConnected": True,
        "isConnectable": True,
        "capabilities": ["charge", "Fly", "Fly", "PullTelemetry"],
    }
    found = normalise(VEHICLES, [page([vehicle, vehicle | {"capabilities": []}, vehicle | {"capabilities": None}])])
    assert found.rows["capabilities"].to_pylist() == [["Charge", "Fly", "Fly", "PullTelemetry"], [], None]
    assert found.drift == {Drift("unlisted_value", "capabilities", "Fly"): 1}
    assert len(set(found.rows["_row_hash"].to_pylist())) == 3


def test_drift_stays_small_where_ids_are_used_as_names():
    rng = random.Random(1)
    items = [session(n, byId={identifier(rng.getrandbits(40)): 1}, status=f"S{n}") for n in range(1000)]
    found = normalise(SESSIONS, [page(items)])
    assert found.bad == []
    assert len(found.drift) < 500
    assert sum(count for drift, count in found.drift.items() if drift.kind == "unknown_field") == 1000
    assert found.rows["_row_hash"].to_pylist() == [canonical_hash(item, SESSIONS) for item in items]
    assert [json.loads(text) for text in found.rows["_extra"].to_pylist()] == [
        {"byId." + name: 1 for name in item["byId"]} for item in items
    ]


def test_keys_and_alternative_keys():
    items = [
        {"id": "i3", "brand": "BMW", "model": "i3", "version": "120"},
        {"brand": "BMW", "model": 'i"3', "version": None},
        {"id": None, "brand": "Škoda"},
        {"id": None},
        {"id": ""},
    ]
    found = normalise(CAR_MODELS, [page(items)])
    assert found.rows["_key"].to_pylist() == ["i3", '["BMW","i\\"3",null]', '["Škoda",null,null]']
    assert [bad.index for bad in found.bad] == [3, 4]
    [batch] = found.rows.combine_chunks().to_batches()
    assert key_texts(CAR_MODELS, batch).to_pylist() == found.rows["_key"].to_pylist()


def test_composite_keys():
    resource = Resource(
        "prices",
        "/x",
        Answer.ARRAY,
        (
            Field("location.id", Kind.UUID, "S"),
            Field("startTime", Kind.INSTANT, "S"),
            Field("type", Kind.ENUM, "S", values=("OffPeak",)),
        ),
        "S",
        key=("location.id", "startTime", "type"),
    )

    def item(start, kind="offPeak", location_id=None):
        return {"location": {"id": location_id or identifier(1).upper()}, "startTime": start, "type": kind}

    items = [item("2026-03-01T00:00:00.0009"), item("2026-03-01T00:00:00Z", 'a"b'), item(None), item("x")]
    found = normalise(resource, [page(items)])
    assert found.rows["_key"].to_pylist() == [
        f'["{identifier(1)}","2026-03-01T00:00:00.000Z","OffPeak"]',
        f'["{identifier(1)}","2026-03-01T00:00:00.000Z","a\\"b"]',
    ]
    assert [(bad.index, bad.key) for bad in found.bad] == [(2, None), (3, None)]
    assert normalise(resource, [page(items[:1])]).rows["_key"][0] == found.rows["_key"][0]
    by_columns = normalise(resource, [page([item("2026-03-01T00:00:00.000Z")])])
    assert by_columns.rows["_key"][0] == found.rows["_key"][0]
