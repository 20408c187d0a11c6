"""Pages of items: what becomes a row, what is set aside, what counts as drift."""

import json
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.normalise_items import (
    READ_AT,
    SESSIONS,
    identifier,
    page,
    session,
)

from pipelines.lake.schemas import content_schema
from pipelines.normalise import RawPage, canonical_hash, normalise
from pipelines.normalise.brackets import decode_leniently

UTC = timezone.utc
ROW_COLUMNS = ["_key", "_row_hash", "_extra", "_synced_at"]


def changed(**changes):
    return json.dumps(session(50, **changes)).encode()


def without(*names):
    return json.dumps({name: value for name, value in session(50).items() if name not in names}).encode()


def raw_with(name, text):
    return without(name)[:-1] + b', "' + name.encode() + b'": ' + text + b"}"


BAD = {
    "missing id": (without("id"), "id"),
    "null id": (changed(id=None), "id"),
    "empty id": (changed(id=""), "id"),
    "id with a path": (changed(id="../users/a0000000-0000-4000-8000-000000000001"), "id"),
    "id with a path behind it": (changed(id=identifier(1) + "/../../etc/passwd"), "id"),
    "id with encoded path": (changed(id="a0000000-0000-4000-8000-%2e%2e%2f%2e%2e"), "id"),
    "id with a NUL": (changed(id=identifier(1)[:-1] + "\x00"), "id"),
    "id is a number": (changed(id=7), "id"),
    "id is an object": (changed(id={"value": identifier(1)}), "id"),
    "parent id is no UUID": (changed(userId="7"), "userId"),
    "time is a number": (changed(startTime=1_772_000_000), "startTime"),
    "time is garbage": (changed(startTime="yesterday"), "startTime"),
    "time at 24:00": (changed(endTime="2026-03-01T24:00:00.000Z"), "endTime"),
    "time with a 60th second": (changed(endTime="2026-03-01T12:00:60.000Z"), "endTime"),
    "30 February": (changed(startTime="2026-02-30T00:00:00.000Z"), "startTime"),
    "time beyond year 9999": (changed(endTime="+12026-02-03T00:00:00.000Z"), "endTime"),
    "time with ten digits": (changed(endTime="2026-03-01T12:00:00.1234567890Z"), "endTime"),
    "empty time": (changed(endTime=""), "endTime"),
    "energy is a string": (changed(chargedEnergy="27.4"), "chargedEnergy"),
    "energy is a boolean": (changed(chargedEnergy=True), "chargedEnergy"),
    "energy is an array": (changed(chargedEnergy=[27.4]), "chargedEnergy"),
    "money is a string": (changed(chargeCosts="6.12"), "chargeCosts"),
    "money with ten decimals": (raw_with("chargeCosts", b"0.1234567891"), "chargeCosts"),
    "money too large": (raw_with("savings", b"-1e29"), "savings"),
    "level with a fraction": (changed(startBatteryLevel=80.5), "startBatteryLevel"),
    "level beyond 64 bits": (raw_with("startBatteryLevel", b"9" * 30), "startBatteryLevel"),
    "flag is a string": (changed(isManaged="true"), "isManaged"),
    "flag is a number": (changed(isManaged=1), "isManaged"),
    "status is a number": (changed(status=2), "status"),
    "currency is an object": (changed(currency={"code": "EUR"}), "currency"),
    "nested too deep": (raw_with("note", b"[" * 500 + b"]" * 500), "note"),
    "objects nested too deep": (raw_with("note", b'{"a":' * 500 + b"1" + b"}" * 500), None),
    "an array": (b"[1, 2]", None),
    "a string": (b'"x"', None),
    "a number": (b"17", None),
    "null": (b"null", None),
}
FINE = {
    "v1 words": (changed(status="forceEnded", calibrationState="inProgress"), {"status": "ForceEnded"}),
    "unlisted word": (changed(status="Paused \U0001f50c"), {"status": "Paused \U0001f50c"}),
    "v1 times": (
        changed(startTime="2026-02-01T18:02:11.123456"),
        {"start_time": datetime(2026, 2, 1, 18, 2, 11, 123_000, UTC)},
    ),
    "time with an offset": (
        changed(startTime="2026-02-01t20:02:11+02:00"),
        {"start_time": datetime(2026, 2, 1, 18, 2, 11, 0, UTC)},
    ),
    "sentinel": (changed(endTime="9999-12-31T23:59:59Z"), {"end_time": datetime(9999, 12, 31, 23, 59, 59, 0, UTC)}),
    "upper-case ids": (changed(id=identifier(50).upper()), {"id": identifier(50)}),
    "huge energy": (changed(chargedEnergy=1e300), {"charged_energy": 1e300}),
    "negative energy": (changed(chargedEnergy=-27.4), {"charged_energy": -27.4}),
    "large money": (
        raw_with("chargeCosts", b"12345678901234567890.123456789"),
        {"charge_costs": Decimal("12345678901234567890.123456789")},
    ),
    "whole number as float": (raw_with("endBatteryLevel", b"80.0"), {"end_battery_level": 80}),
    "very long text": (changed(currency="€" * 200_000), {"currency": "€" * 200_000}),
    "exotic text": (
        changed(currency="\x00\x1f'\"\\;drop table--\u202e\ufeff\U0001f9ff"),
        {"currency": "\x00\x1f'\"\\;drop table--\u202e\ufeff\U0001f9ff"},
    ),
    "unknown fields": (changed(floor=3, **{"address.city": "x", "id.": 1, "_key": "x"}), {"id": identifier(50)}),
    "missing fields": (without("chargedEnergy", "status", "endTime"), {"charged_energy": None, "status": None}),
}


def ninety_nine():
    return [session(n) for n in range(100) if n != 50]


@pytest.mark.parametrize("raw_and_field", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_bad_row_leaves_the_others_untouched(raw_and_field, place):
    raw, field = raw_and_field
    others = ninety_nine()
    alone = normalise(SESSIONS, [page(others)])
    together = normalise(SESSIONS, [page([]), page([*others[:place], raw, *others[place:]])])
    assert together.rows.equals(alone.rows)
    assert together.rows.num_rows == 99
    assert together.drift == alone.drift
    [bad] = together.bad
    assert (bad.page, bad.index, bad.raw) == (1, place, raw.decode())
    assert bad.reason.startswith("expected ")
    assert field is None or bad.field == field
    item = json.loads(raw)
    has_key = isinstance(item, dict) and item.get("id") == identifier(50)
    assert bad.key == (identifier(50) if has_key else None)


@pytest.mark.parametrize("raw_and_values", FINE.values(), ids=FINE)
def test_exotic_rows_are_kept(raw_and_values):
    raw, values = raw_and_values
    others = ninety_nine()
    together = normalise(SESSIONS, [page([*others[:50], raw, *others[50:]])])
    assert together.bad == []
    row = together.rows.slice(50, 1).to_pylist()[0]
    assert {name: row[name] for name in values} == values
    assert row["_key"] == identifier(50)
    rest = pa.concat_tables([together.rows.slice(0, 50), together.rows.slice(51)])
    assert rest.equals(normalise(SESSIONS, [page(others)]).rows)


def test_all_bad_rows_at_once():
    raws = [raw for raw, _ in BAD.values()]
    pages = [page([]), page(raws), page([session(1)]), page(raws[:3])]
    found = normalise(SESSIONS, pages)
    assert [(bad.page, bad.index, bad.raw) for bad in found.bad] == [
        *[(1, index, raw.decode()) for index, raw in enumerate(raws)],
        *[(3, index, raw.decode()) for index, raw in enumerate(raws[:3])],
    ]
    assert found.rows.equals(normalise(SESSIONS, [page([session(1)])]).rows)


def test_reasons_hold_no_values():
    found = normalise(SESSIONS, [page([changed(startTime="secret@example.com", chargeCosts="hunter2")])])
    assert found.bad[0].reason == "expected an instant such as yyyy-MM-ddTHH:mm:ss.fffZ, got a string of 18 characters"
    assert "secret" not in repr(found.bad)


@given(st.lists(st.sampled_from([*BAD.values(), *FINE.values(), *[(changed(), None)] * 9]), max_size=12))
def test_any_mixture_equals_its_items_one_by_one(entries):
    raws = [raw for raw, _ in entries]
    together = normalise(SESSIONS, [page(raws)])
    single = [normalise(SESSIONS, [page([raw])]) for raw in raws]
    empty = normalise(SESSIONS, []).rows
    assert together.rows.equals(pa.concat_tables([empty, *[one.rows for one in single]]).combine_chunks())
    assert [(bad.raw, bad.reason, bad.field, bad.key) for bad in together.bad] == [
        (bad.raw, bad.reason, bad.field, bad.key) for one in single for bad in one.bad
    ]
    assert together.drift == sum((one.drift for one in single), Counter())


def test_values_of_a_plain_row():
    [row] = normalise(SESSIONS, [page([session(3)])]).rows.to_pylist()
    assert row == {
        "id": identifier(3),
        "user_id": identifier(1003),
        "vehicle_id": identifier(2003),
        "charger_id": identifier(3000),
        "charging_location_id": identifier(4000),
        "status": "Complete",
        "calibration_state": None,
        "is_managed": False,
        "start_time": datetime(2026, 2, 4, 18, 2, 11, 3000, UTC),
        "end_time": datetime(2026, 3, 4, 6, 41, 57, 0, UTC),
        "charge_speed": 11.0,
        "charged_energy": 30.4,
        "start_battery_level": 3,
        "end_battery_level": 80,
        "solar_energy": 0.25,
        "charge_costs": Decimal("6.12"),
        "savings": Decimal("-2.31"),
        "currency": "EUR",
        "_key": identifier(3),
        "_row_hash": canonical_hash(session(3), SESSIONS),
        "_extra": None,
        "_synced_at": READ_AT,
    }


def test_the_schema_is_the_same_for_any_rows():
    for pages in ([], [page([])], [page([session(1)])], [page([session(1, endTime=None, savings=None)])]):
        rows = normalise(SESSIONS, pages).rows
        assert rows.schema.names == [*content_schema(SESSIONS).names, *ROW_COLUMNS]
        assert rows.select(content_schema(SESSIONS).names).schema == content_schema(SESSIONS)


def test_order_pages_and_read_times():
    later = READ_AT + timedelta(microseconds=1)
    rows = normalise(SESSIONS, [page([session(2), session(2)]), page([session(1)], later)]).rows
    assert rows["_key"].to_pylist() == [identifier(2), identifier(2), identifier(1)]
    assert rows["_synced_at"].to_pylist() == [READ_AT, READ_AT, later]


@pytest.mark.parametrize("form", ["array", "object"])
def test_other_forms_of_answers(form):
    good = json.dumps(session(1)).encode()
    raw = b'{"id" : 7, "items":[1], "n": 0.12345678901234567890 }'
    body = b"[ " + good + b" ,\n " + raw + b" ]" if form == "array" else raw
    items = [session(1), json.loads(raw)] if form == "array" else [json.loads(raw)]
    found = normalise(SESSIONS, [RawPage(body, items, READ_AT)])
    assert [bad.raw for bad in found.bad] == [raw.decode()]
    assert found.rows.num_rows == len(items) - 1


def test_one_object_keeps_its_digits():
    raw = json.dumps({**session(1), "items": []}).encode()[:-1] + b', "n": 0.12345678901234567890}'
    found = normalise(SESSIONS, [RawPage(raw, [json.loads(raw)], READ_AT)])
    assert json.loads(found.rows["_extra"][0].as_py(), parse_float=str)["n"] == "0.1234567890123456789"


def test_what_a_strict_reader_refuses_costs_one_row():
    bad = [
        changed(currency="\ud83d"),
        b'{"id": "' + identifier(50).encode() + b'", "currency": "\xff"}',
        raw_with("chargedEnergy", b"1e400"),
        raw_with("chargedEnergy", b"9" * 5000),
        raw_with("note", b"1e" + b"9" * 30),
        raw_with("note", b'"\\udfff"'),
        raw_with("note", b"[" * 100_000 + b"]" * 100_000),
        without("note")[:-1] + b', "\\ud800": 1}',
    ]
    fine = raw_with("note", b"1e400")
    good = json.dumps(session(1)).encode()
    body = b'{"items": [' + b",".join([good, *bad, fine]) + b'], "totalCount": 10}'
    data = decode_leniently(body)
    assert data["totalCount"] == 10
    found = normalise(SESSIONS, [RawPage(body, data["items"], READ_AT)])
    assert [row.raw.encode() for row in found.bad] == [raw.replace(b"\xff", rb"\xff") for raw in bad]
    assert found.rows["_key"].to_pylist() == [identifier(1), identifier(50)]
    assert found.rows["_extra"].to_pylist() == [None, '{"note":1e400}']


@pytest.mark.parametrize("body", [b'{"items": [{"a": 1}, {"b', b'[{"a": 1}', b"", b"<html>", b'{"a": 1}'])
def test_a_broken_body_stays_broken(body):
    with pytest.raises(ValueError):
        decode_leniently(body)


@pytest.mark.parametrize("odd", ['{"id": NaN}', "nul", '{"id": "x" "y"}'])
def test_one_item_that_is_no_json_leaves_the_others(odd):
    good = page([session(1), session(2)])
    body = good.body.replace(b'"items": [', b'"items": [' + odd.encode() + b",", 1)
    assert body != good.body
    items = decode_leniently(body)["items"]
    found = normalise(SESSIONS, [RawPage(body, items, READ_AT)])
    assert [row.raw for row in found.bad] == [odd]
    assert found.rows["_key"].to_pylist() == [identifier(1), identifier(2)]


def test_a_batch_may_be_larger_than_one_arrow_column(monkeypatch):
    pages = [page([session(10 * number + n, note="x" * 2000) for n in range(10)]) for number in range(6)]
    whole = normalise(SESSIONS, pages)
    monkeypatch.setattr("pipelines.normalise.batch.MAX_PART_BYTES", 50_000)
    in_parts = normalise(SESSIONS, [*pages[:5], page([b"1", *[json.dumps(session(n)).encode() for n in range(3)]])])
    assert in_parts.rows.num_rows == 53
    assert in_parts.rows.slice(0, 50).equals(whole.rows.slice(0, 50))
    assert [(bad.page, bad.index) for bad in in_parts.bad] == [(5, 0)]
