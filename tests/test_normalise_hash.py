"""`_row_hash`: one definition, two ways to compute it, one hash per content."""

import copy
import json
import random
import re
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st
from support.normalise_items import LOCATIONS, SESSIONS, identifier, location, page, session

from pipelines.contract import Field, Kind, Resource
from pipelines.contract.model import Answer
from pipelines.normalise import canonical_hash, normalise
from pipelines.normalise.canonical import MAX_DEPTH, members, object_text
from pipelines.normalise.model import Unreadable

names = st.one_of(
    st.sampled_from(["note", "address", "coordinates", "a.b", "address.city", "x\\", "", 'q"', "é", "Status", "id2"]),
    st.text(max_size=4),
)
leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["2024-03-01 18:02:11", identifier(9).upper(), "active", "Complete", ""]),
)
anything = st.recursive(
    leaf,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


def changes(fields):
    """Strange content for an item that stays readable."""
    return st.dictionaries(names.filter(lambda name: name not in fields), anything, max_size=4)


def hashes(resource, items):
    rows = normalise(resource, [page(items)]).rows
    assert rows.num_rows == len(items)
    return rows["_row_hash"].to_pylist()


@given(st.lists(changes({"address", "coordinates", "id"}), min_size=1, max_size=5))
@example([{"a.b": 1, "a": {"b": 2}}, {"a": {"b": {}}}, {"a": []}])
@example([{f"f{n}": n for n in range(200)}, {}])
@example([{"deep": {"deep": {"deep": {"x": None, "y": [{"b": None, "a": {}}]}}}}])
def test_by_columns_as_by_rows(extras):
    items = [session(n) | extra for n, extra in enumerate(extras)]
    assert hashes(SESSIONS, items) == [canonical_hash(item, SESSIONS) for item in items]


@given(st.lists(st.tuples(changes({"street", "city"}), changes({"address", "coordinates"})), min_size=1, max_size=4))
def test_by_columns_as_by_rows_when_nested(extras):
    items = [
        location(n) | top | {"address": {"street": "Kongens gate", "city": None} | nested}
        for n, (nested, top) in enumerate(extras)
    ]
    for item in items:
        for name in ("id", "userId", "createdAt", "updatedAt"):
            item[name] = location()[name]
        item["address"] = {k: v for k, v in item["address"].items() if k not in {"postalCode", "houseNumber"}}
    assert hashes(LOCATIONS, items) == [canonical_hash(item, LOCATIONS) for item in items]


@given(changes({"id"}), changes({"id"}))
def test_different_content_has_different_hashes_and_the_same_has_the_same(left, right):
    """The canonical object, read back, says all there is to say."""
    texts = [object_text(members({"id": "x", **content}, None)) for content in (left, right)]
    read_back = [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in texts]
    assert (read_back[0] == read_back[1]) == (texts[0] == texts[1])
    assert (canonical_hash({"id": "x", **left}) == canonical_hash({"id": "x", **right})) == (texts[0] == texts[1])


@given(changes({"id"}), st.randoms(use_true_random=False))
def test_order_of_names_and_nulls_do_not_count(content, rng):
    def shuffled(value):
        if isinstance(value, list):
            return [shuffled(element) for element in value]
        if not isinstance(value, dict):
            return value
        members = [(name, shuffled(child)) for name, child in value.items()]
        members += [] if "nothing" in value else [("nothing", None)]
        rng.shuffle(members)
        return dict(members)

    assert canonical_hash({"id": "x", **content}) == canonical_hash(shuffled({"id": "x", **content}))


SAME = [
    [b"27", b"27.0", b"2.70e1", b"0.27E+2", b"2700e-2"],
    [b"0", b"-0", b"0.0", b"-0.0", b"0e7"],
    [b"0.4123", b"4123e-4", b"0.412300"],
    [b"123456789012345678901234567890", b"1.2345678901234567890123456789e29"],
    [b"0.12345678901234567890", b"12345678901234567890e-20"],
    [b'"2024-03-01T18:02:11.123Z"', b'"2024-03-01T18:02:11.123999999"', b'"2024-03-01 20:02:11.1234+02:00"'],
    [b'"A0000000-0000-4000-8000-00000000000B"', b'"a0000000-0000-4000-8000-00000000000b"'],
    ['"é"'.encode(), b'"\\u00e9"', b'"\\u00E9"'],
    [b'"/\\n"', b'"\\/\\u000a"'],
    [b'[1.0, {"b": null, "a": 2}]', b'[1, {"a": 2.0}]'],
    [b"null", b'{"x": null}', b"{}", b'{"x": {}}'],
]
DIFFERENT = [
    *[spellings[0] for spellings in SAME],
    b'"27"',
    b"-27",
    b"true",
    b"false",
    b'"true"',
    b'""',
    b"[]",
    b"[null]",
    b"[{}]",
    b'[{"a": 2}, 1]',
    b'"null"',
    b'{"x": 1}',
    b'{"x": {"y": 1}}',
    b'{"x.y": 1}',
    b'{"x[]": {"y": 1}}',
    b'{"x[].y": 1}',
    b'{"x\\\\": {"y": 1}}',
    b"123456789012345678901234567891",
    b"0.12345678901234567891",
    b'"2024-03-01"',
    b'"2024-03-01T18:02:11.124Z"',
    b'"a0000000-0000-4000-8000-00000000000c"',
    b'"a0000000-0000-4000-8000-00000000000b "',
]


def hash_with(name, value):
    """Of a session with one field in some spelling, read from its bytes."""
    item = {key: value for key, value in session().items() if key != name}
    raw = json.dumps(item).encode()[:-1] + b', "' + name.encode() + b'": ' + value + b"}"
    return hashes(SESSIONS, [raw])[0]


@pytest.mark.parametrize("spellings", SAME, ids=lambda spellings: spellings[0].decode()[:20])
def test_spellings_of_one_value(spellings):
    assert len({hash_with("note", spelling) for spelling in spellings}) == 1


def test_values_that_differ():
    found = {hash_with("note", value): value for value in DIFFERENT}
    assert sorted(found.values()) == sorted(DIFFERENT)


def test_a_declared_field_is_spelt_like_an_unknown_one():
    """So that a field which moves into the contract changes nothing."""
    knows = _resource("knows", Kind)
    knows_not = _resource("knows_not", [])
    values = {
        Kind.UUID: identifier(7).upper(),
        Kind.TEXT: "2024-03-01 18:02:11",
        Kind.ENUM: "Complete",
        Kind.INSTANT: "2024-03-01T18:02:11",
        Kind.MONEY: 12.5,
        Kind.NUMBER: 1e-9,
        Kind.INTEGER: 80.0,
        Kind.FLAG: False,
        Kind.TEXT_LIST: [identifier(8).upper(), "2024-03-01T18:02:11+01:00", ""],
        Kind.ENUM_LIST: ["Active", None],
        Kind.OBJECT_LIST: [{"price": 0.50, "word": "Active", "at": "2024-03-01 18:02:11"}, None, {"word": None}],
    }
    item = {"id": identifier(1), "nested": {kind.value: value for kind, value in values.items()}}
    known, unknown = (normalise(resource, [page([item])]).rows for resource in (knows, knows_not))
    assert known["_extra"].null_count == 1
    assert len(json.loads(unknown["_extra"][0].as_py())) == len(Kind)
    assert known["_row_hash"] == unknown["_row_hash"]


def _resource(name, kinds):
    words = ("Active", "Complete")
    fields = [
        Field(
            f"nested.{kind.value}",
            kind,
            "S",
            values=words if kind in {Kind.ENUM, Kind.ENUM_LIST} else (),
            members=(
                Field("price", Kind.MONEY, "S"),
                Field("word", Kind.ENUM, "S", values=words),
                Field("at", Kind.TEXT, "S"),
            )
            if kind is Kind.OBJECT_LIST
            else (),
        )
        for kind in kinds
    ]
    return Resource(name, "/x", Answer.ARRAY, (Field("id", Kind.UUID, "S"), *fields), "S")


def test_the_words_of_v1_count_as_those_of_v2():
    spellings = [session(status=word) for word in ("forceEnded", "ForceEnded")]
    assert len(set(hashes(SESSIONS, spellings))) == 1
    unlisted = [session(status=word) for word in ("paused", "Paused")]
    assert len(set(hashes(SESSIONS, unlisted))) == 2


def test_the_definition_by_example():
    """What the definition says, written out by hand."""
    item = {
        "id": identifier(1).upper(),
        "status": "active",
        "startTime": "2024-03-01T18:02:11",
        "chargedEnergy": 27.0,
        "userId": None,
        "new.field": {"b": 'say "hi"', "a": [1.50, {"z": None, "y": True}], "c": {}},
    }
    by_hand = (
        '{"chargedEnergy":27,"id":"a0000000-0000-4000-8000-000000000001"'
        r',"new\\.field.a":[1.5,{"y":true}],"new\\.field.b":"say \"hi\""'
        ',"startTime":"2024-03-01T18:02:11.000Z","status":"Active"}'
    )
    expected = xxhash.xxh3_128_hexdigest(by_hand.encode())
    assert canonical_hash(item, SESSIONS) == expected
    assert hashes(SESSIONS, [item]) == [expected]


@pytest.mark.parametrize("inner", [1, {}, [], [1], {"a": None}], ids=json.dumps)
@pytest.mark.parametrize("rare", [{}, {f"rare{n}": n for n in range(100)}], ids=["in columns", "apart"])
def test_both_ways_end_at_the_same_depth(inner, rare):
    verdicts = []
    for depth in range(MAX_DEPTH - 3, MAX_DEPTH + 3):
        nested = inner
        for _ in range(depth):
            nested = {"n": nested}
        item = session(1, **nested, **rare)
        found = normalise(SESSIONS, [page([item])])
        if found.bad:
            with pytest.raises(Unreadable, match=re.escape(found.bad[0].reason)):
                canonical_hash(item, SESSIONS)
        else:
            assert found.rows["_row_hash"].to_pylist() == [canonical_hash(item, SESSIONS)]
        verdicts.append(len(found.bad))
    assert verdicts == sorted(verdicts)
    assert set(verdicts) == {0, 1}


def test_every_field_counts():
    before = session(3)
    after = [before | {name: copy.deepcopy(value)} for name, value in session(4, currency="NOK").items()]
    found = hashes(SESSIONS, [before, *after])
    differing = [name for name in before if before[name] != session(4, currency="NOK")[name]]
    assert len(set(found)) == 1 + len(differing)


def test_long_batches_of_mixed_shapes():
    rng = random.Random(5)
    items = []
    for n in range(500):
        item = session(n, endTime=rng.choice([None, "2026-03-01T00:00:00Z"]), chargeCosts=rng.choice([None, 1, 2.5]))
        for name in rng.sample([*item], rng.randrange(4)):
            if name != "id":
                del item[name]
        if rng.random() < 0.3:
            item[f"unknown{rng.randrange(100)}"] = rng.choice([None, 1, "x", {"y": [1]}])
        items.append(item)
    found = hashes(SESSIONS, items)
    assert found == [canonical_hash(item, SESSIONS) for item in items]
    assert all(left != right for left, right in pairwise(found))


def test_the_bytes_decide_not_the_decoder():
    """A number that a double cannot hold is hashed from the body."""
    raw = json.dumps(session()).encode()
    left, right = (raw[:-1] + b', "n": 12345678.1234567890%d}' % digit for digit in (1, 2))
    assert msgspec.json.decode(left) == msgspec.json.decode(right)
    assert len(set(hashes(SESSIONS, [left, right]))) == 2
