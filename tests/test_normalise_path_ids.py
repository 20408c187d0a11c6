"""Ids of the request's path: fields of every item of its answer, as if the item had said them."""

import json
import random
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st
from support.normalise_items import READ_AT, identifier, page

from pipelines.contract.under_locations import CHARGERS, DYNAMIC_TARIFFS
from pipelines.contract.under_vehicles import SESSION_TARIFFS, VEHICLE_STATES
from pipelines.lake.keys import key_texts
from pipelines.normalise import Drift, RawPage, canonical_hash, normalise


def state(number=1, **changes):
    return {
        "batteryLevel": number % 100,
        "range": 310,
        "chargeState": "Charging",
        "updatedAt": f"2026-02-{1 + number % 28:02d}T18:02:11.123Z",
    } | changes


def under(number):
    return {"userId": identifier(1000 + number), "vehicleId": identifier(number)}


def answer(item, ids):
    """The body is one object, as the API answers such a question."""
    body = item if isinstance(item, bytes) else json.dumps(item).encode()
    return RawPage(body, [json.loads(body)], READ_AT, ids)


def summary(found):
    return found.rows.to_pylist(), [(bad.reason, bad.field, bad.key) for bad in found.bad], found.drift


items = st.one_of(
    st.integers(0, 99).map(state),
    st.just(state(batteryLevel="full")),
    st.just(state(new=1)),
    st.just(state(userId="nonsense", vehicleId=7)),
    st.just(state(chargeState="charging")),
    st.sampled_from([[], 7, None, "x"]),
)


@given(st.lists(st.tuples(items, st.integers(0, 3)), max_size=8))
def test_as_if_the_items_had_said_them(entries):
    with_ids = [answer(item, under(number)) for item, number in entries]
    saying = [item | under(number) if isinstance(item, dict) else item for item, number in entries]
    assert summary(normalise(VEHICLE_STATES, with_ids)) == summary(
        normalise(VEHICLE_STATES, [answer(item, {}) for item in saying])
    )


def test_columns_key_hash_and_raw():
    good, bad = state(userId=identifier(77), vehicleId="nonsense"), state(batteryLevel="full")
    pages = [answer(good, under(1)), answer(bad, {name: text.upper() for name, text in under(2).items()})]
    found = normalise(VEHICLE_STATES, pages)
    [row] = found.rows.to_pylist()
    assert (row["user_id"], row["vehicle_id"], row["_key"]) == (identifier(1001), identifier(1), identifier(1))
    assert row["_row_hash"] == canonical_hash(good | under(1), VEHICLE_STATES)
    assert [(one.page, one.index, one.key) for one in found.bad] == [(1, 0, identifier(2))]
    assert found.bad[0].raw == json.dumps(bad)
    assert pages[0].items == [good], "the page stays what the API sent"


def test_items_that_are_no_objects_stay_bad_rows():
    found = normalise(CHARGERS, [replace(page([b"7", b"null", {"id": identifier(1)}]), path_ids=under(1))])
    assert [(bad.index, bad.raw, bad.key) for bad in found.bad] == [(0, "7", None), (1, "null", None)]
    assert found.rows["user_id"].to_pylist() == [identifier(1001)]


def test_ids_that_the_contract_does_not_know_are_unknown_fields():
    found = normalise(VEHICLE_STATES, [answer(state(), under(1) | {"fleetId": identifier(9)})])
    assert found.rows["_extra"].to_pylist() == [json.dumps({"fleetId": identifier(9)}, separators=(",", ":"))]
    assert found.drift == {Drift("unknown_field", "fleetId", None): 1}


def test_a_missing_id_is_missing():
    found = normalise(VEHICLE_STATES, [answer(state(), {"vehicleId": identifier(1)})])
    assert found.drift == {Drift("missing_field", "userId", None): 1}


def test_bad_rows_among_many_pages_are_found_in_their_places():
    rng = random.Random(3)
    pages, expected = [], []
    for number in range(300):
        raws = [
            rng.choice([b"1", b'{"a": 2}', json.dumps({"id": identifier(number)}).encode()])
            for _ in range(rng.randrange(4))
        ]
        expected += [(number, place, raw.decode()) for place, raw in enumerate(raws) if b"id" not in raw]
        pages.append(replace(page(raws), path_ids=under(number)))
    found = normalise(CHARGERS, pages)
    assert [(bad.page, bad.index, bad.raw) for bad in found.bad] == expected


def test_digits_that_a_double_loses_are_kept_in_the_pages_that_have_them():
    plain = [answer(state(number), under(number)) for number in range(300)]
    pages = list(plain)
    for number in (0, 7, 280, 299):
        raw = json.dumps(state(number))[:-1].encode() + b', "n": 0.1234567890123456789%d}' % (number % 9 + 1)
        pages[number] = answer(raw, under(number))
    rows, without = normalise(VEHICLE_STATES, pages).rows, normalise(VEHICLE_STATES, plain).rows
    extras = {number: text for number, text in enumerate(rows["_extra"].to_pylist()) if text}
    assert extras == {number: f'{{"n":0.1234567890123456789{number % 9 + 1}}}' for number in (0, 7, 280, 299)}
    kept = [name for name in rows.schema.names if name not in {"_extra", "_row_hash"}]
    assert rows.select(kept).equals(without.select(kept))


instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.isoformat())
tariff_words = st.one_of(st.sampled_from(["Peak", "offPeak", 'a "b" \\', "\x00\x1f\n", "é"]), st.text(max_size=5))


def stored_keys(resource, rows):
    batches = rows.select([name for name in rows.schema.names if name != "_key"]).to_batches()
    return [key for batch in batches for key in key_texts(resource, batch).to_pylist()]


@given(st.lists(st.tuples(st.uuids(), instants, tariff_words), min_size=1, max_size=6), st.booleans())
def test_keys_of_several_parts_are_those_of_the_stored_rows(entries, shouted):
    pages = []
    for parent, start, word in entries:
        parent_id = str(parent).upper() if shouted else str(parent)
        item = json.dumps([{"startTime": start, "tariffType": word, "price": 0.2}])
        ids = {"userId": identifier(1), "sessionId": parent_id, "chargingLocationId": parent_id}
        pages.append(RawPage(item.encode(), json.loads(item), READ_AT, ids))
    for resource in (SESSION_TARIFFS, DYNAMIC_TARIFFS):
        rows = normalise(resource, pages).rows
        assert rows["_key"].to_pylist() == stored_keys(resource, rows)
        moments = rows["start_time"].to_pylist()
        for key, (parent, _, word), moment in zip(rows["_key"].to_pylist(), entries, moments, strict=True):
            spelt = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
            parts = json.loads(key)
            assert parts[:2] == [str(parent), spelt]
            assert parts[2:] == ([{"offPeak": "OffPeak"}.get(word, word)] if resource is SESSION_TARIFFS else [])


def test_the_key_of_a_bad_row_is_what_it_would_have_been():
    ids = {"userId": identifier(1), "sessionId": identifier(2)}
    item = {"startTime": "2026-03-01 18:02:11", "tariffType": "", "price": "x"}
    broken = normalise(SESSION_TARIFFS, [replace(page([item]), path_ids=ids)])
    mended = normalise(SESSION_TARIFFS, [replace(page([item | {"price": 1}]), path_ids=ids)])
    assert [bad.key for bad in broken.bad] == mended.rows["_key"].to_pylist()
