"""Object lists: by members as object by object; what is set aside, what counts as drift, one hash per content."""

import copy
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.normalise_items import READ_AT, identifier, page

from pipelines.contract import Field, Kind
from pipelines.contract.under_locations import LOCATION_TARIFFS
from pipelines.lake.schemas import arrow_type
from pipelines.normalise import Drift, RawPage, canonical_hash, normalise
from pipelines.normalise.canonical import MAX_DEPTH, unknown_members
from pipelines.normalise.model import Unreadable
from pipelines.normalise.objects import _read_by_members, _read_each, read_field
from pipelines.normalise.reading import read
from pipelines.normalise.tree import MAX_UNKNOWN_COLUMNS

WORDS = ("Peak", "OffPeak", "SMS")
MEMBERS = tuple(
    Field(
        f"{kind.value.replace('_', '')}Value",
        kind,
        "S",
        required=kind is Kind.TEXT,
        values=WORDS if kind in {Kind.ENUM, Kind.ENUM_LIST} else (),
    )
    for kind in Kind
    if kind is not Kind.OBJECT_LIST
)
DECLARED = Field("a.list", Kind.OBJECT_LIST, "S", members=MEMBERS)
DEPTH = 2

words = st.sampled_from([*WORDS, "peak", "offPeak", "sms", "Unheard"])
fitting = {
    Kind.UUID: st.uuids().map(str),
    Kind.TEXT: st.text(max_size=3),
    Kind.ENUM: words,
    Kind.INSTANT: st.sampled_from(["2024-03-01T18:02:11.123Z", "2024-03-01 18:02:11"]),
    Kind.MONEY: st.decimals(-1000, 1000, places=2).map(float),
    Kind.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    Kind.INTEGER: st.integers(-200, 200),
    Kind.FLAG: st.booleans(),
    Kind.TEXT_LIST: st.lists(st.text(max_size=2), max_size=2),
    Kind.ENUM_LIST: st.lists(words, max_size=3),
}
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just("\ud800"), *fitting.values()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
known = st.fixed_dictionaries({}, optional={m.path: st.one_of(st.none(), fitting[m.kind]) for m in MEMBERS})
unknown = st.dictionaries(st.sampled_from(["vat", "a.b", "x[]", 'q"', "é", ""]), anything, max_size=2)
sound = st.tuples(known, unknown).map(lambda both: both[0] | both[1])
odd = st.one_of(anything, st.dictionaries(st.sampled_from([m.path for m in MEMBERS]), anything, max_size=2))
columns_of = {
    "sound": st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), sound), max_size=3)), min_size=1, max_size=5),
    "odd": st.lists(st.one_of(anything, st.lists(st.one_of(sound, odd), max_size=3)), min_size=1, max_size=5),
}
MIXED = [
    [{"moneyValue": 0.5, "vat": None}, None, {"vat": {"b": None, "a": [1.0]}}],
    [],
    None,
    [{}],
    [None],
    [{"vat": "2024-03-01 18:02:11", "a.b": 1}, {"enumValue": "peak"}, {"enumlistValue": ["sms", "Unheard", "Unheard"]}],
]


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("columns", columns_of.values(), ids=columns_of)
def test_by_members_as_value_by_value(columns):
    @given(columns)
    @example(MIXED)
    @example([[{"moneyValue": "x", "numberValue": "y"}, 7], [7, {"moneyValue": "x"}], "z", {}, *MIXED])
    @example([[{"vat": "\ud800"}, {"moneyValue": "x"}], [{"vat": "\ud800"}], [{"textValue": "\ud800"}]])
    @example([[{"vat": nested(MAX_DEPTH - DEPTH - 1)}], [{"vat": nested(MAX_DEPTH - DEPTH)}], [{"a": nested(99)}]])
    @example([[{"moneyValue": Decimal("0.1234567890")}], [{"moneyValue": Decimal("0.12345678901")}]])
    def check(column):
        if all(value is None for value in column):
            return
        whole, single = _read_by_members(DECLARED, column), _read_each(DECLARED, column)
        assert whole.stored.type == arrow_type(DECLARED)
        assert whole.stored.equals(single.stored)
        assert whole.text.equals(single.text)
        assert {row: (error.reason, error.path) for row, error in whole.bad.items()} == {
            row: (error.reason, error.path) for row, error in single.bad.items()
        }
        assert whole.drift == single.drift
        extras = {path: held.text.to_pylist() for path, held in whole.extra.items()}
        for row, value in enumerate(column):
            if value is not None and row not in whole.bad:
                found = {path: texts[row] for path, texts in extras.items() if texts[row] is not None}
                assert found == unknown_members(DECLARED, value, DEPTH)
                assert found.keys() == set() or row in single.apart

    check()


def tariffs(**changes):
    return {
        "offPeakChargingOnly": False,
        "tariffs": [
            {"currency": "EUR", "price": 0.31, "type": "Peak"},
            {"currency": "EUR", "price": 0.2, "type": "OffPeak"},
        ],
        "tariffIntervals": [
            {"startTime": "22:00", "endTime": "24:00", "daysOfWeek": ["Monday", "Sunday"], "tariffType": "Peak"},
            {"startTime": None, "endTime": None, "daysOfWeek": None, "tariffType": "OffPeak"},
        ],
        "holidayTariffIntervals": [],
    } | changes


def answers(*items):
    """One page an item, each under a location of its own."""
    return [
        replace(page([item]), path_ids={"userId": identifier(1), "chargingLocationId": identifier(100 + number)})
        for number, item in enumerate(items)
    ]


def hashes(*items):
    """Of items under one and the same location."""
    under = {"userId": identifier(1), "chargingLocationId": identifier(2)}
    found = normalise(LOCATION_TARIFFS, [replace(page(items), path_ids=under)])
    assert found.bad == []
    assert found.rows["_row_hash"].to_pylist() == [canonical_hash(item | under, LOCATION_TARIFFS) for item in items]
    return found.rows["_row_hash"].to_pylist()


def test_what_is_stored():
    found = normalise(LOCATION_TARIFFS, answers(tariffs(), tariffs(tariffs=None), tariffs(tariffs=[{}, None])))
    assert found.rows["tariffs"].to_pylist() == [
        [
            {"currency": "EUR", "price": Decimal("0.31"), "type": "Peak"},
            {"currency": "EUR", "price": Decimal("0.2"), "type": "OffPeak"},
        ],
        None,
        [{"currency": None, "price": None, "type": None}, None],
    ]
    assert found.rows["tariff_intervals"].to_pylist()[0] == [
        {"start_time": "22:00", "end_time": "24:00", "days_of_week": ["Monday", "Sunday"], "tariff_type": "Peak"},
        {"start_time": None, "end_time": None, "days_of_week": None, "tariff_type": "OffPeak"},
    ]
    assert found.rows["holiday_tariff_intervals"].to_pylist() == [[], [], []]
    assert found.drift == {}


def with_word(change):
    item = copy.deepcopy(tariffs())
    change(item)
    return item


def test_the_casing_of_declared_words_changes_nothing_and_that_of_others_does():
    v1 = with_word(
        lambda item: (
            item["tariffIntervals"][0].update(tariffType="peak", daysOfWeek=["monday", "sunday"]),
            item["tariffs"][1].update(type="offPeak"),
        )
    )
    assert len(set(hashes(tariffs(), v1))) == 1
    rows = normalise(LOCATION_TARIFFS, answers(tariffs(), v1)).rows
    assert rows["tariffs"][0] == rows["tariffs"][1]
    assert rows["tariff_intervals"][0] == rows["tariff_intervals"][1]
    others = [
        with_word(lambda item: item["tariffs"][0].update(currency="eur")),
        with_word(lambda item: item["tariffs"][0].update(type="Night")),
        with_word(lambda item: item["tariffs"][0].update(type="night")),
        with_word(lambda item: item["tariffs"][0].update(note="Peak")),
        with_word(lambda item: item["tariffs"][0].update(note="peak")),
        with_word(lambda item: item["tariffs"].reverse()),
        with_word(lambda item: item["tariffs"].pop()),
        with_word(lambda item: item["tariffs"].append(None)),
        with_word(lambda item: item["tariffs"].append({})),
        with_word(lambda item: item.update(tariffs=[])),
        with_word(lambda item: item.update(tariffs=None)),
    ]
    assert len(set(hashes(tariffs(), *others))) == 1 + len(others)


def test_nulls_and_the_order_of_names_change_nothing():
    bare = with_word(lambda item: item["tariffIntervals"].__setitem__(1, {"tariffType": "OffPeak", "note": None}))
    turned = with_word(lambda item: item["tariffs"].__setitem__(0, dict(reversed(item["tariffs"][0].items()))))
    assert len(set(hashes(tariffs(), bare, turned))) == 1


def test_unknown_members_are_kept_and_reported():
    items = [
        tariffs(tariffs=[{"price": 1, "vat": 0.210}, None, {"price": 2}, {"vat": {"b": 1.0, "a": None}, "a.b": "x"}]),
        tariffs(tariffs=[{"price": 1, "vat": None}]),
        tariffs(**{"tariffs[]": {"vat": 1}, "tariffs[].vat": 2}),
    ]
    found = normalise(LOCATION_TARIFFS, answers(*items))
    assert found.rows["_extra"].to_pylist() == [
        r'{"tariffs[].a\\.b":[null,null,null,"x"],"tariffs[].vat":[0.21,null,null,{"b":1}]}',
        None,
        r'{"tariffs\\[].vat":1,"tariffs\\[]\\.vat":2}',
    ]
    assert found.drift == {
        Drift("unknown_field", "tariffs[].vat", None): 2,
        Drift("unknown_field", "tariffs[].a\\.b", None): 1,
        Drift("unknown_field", "tariffs\\[].vat", None): 1,
        Drift("unknown_field", "tariffs\\[]\\.vat", None): 1,
    }


def knowing(*names):
    """The resource with only these members of `tariffs`."""
    fields = [
        replace(f, members=tuple(m for m in f.members if m.path in names)) if f.path == "tariffs" else f
        for f in LOCATION_TARIFFS.fields
    ]
    return replace(LOCATION_TARIFFS, fields=tuple(fields))


def test_a_member_that_moves_into_the_contract_changes_no_hash():
    knows, knows_not = knowing("currency", "price", "type"), knowing("currency")
    unaware = replace(knows, fields=tuple(f for f in knows.fields if f.path != "tariffs"))
    before, after, never = (normalise(resource, answers(tariffs())).rows for resource in (knows_not, knows, unaware))
    assert json.loads(before["_extra"][0].as_py()) == {
        "tariffs[].price": [0.31, 0.2],
        "tariffs[].type": ["Peak", "OffPeak"],
    }
    assert json.loads(never["_extra"][0].as_py()) == {"tariffs": tariffs()["tariffs"]}
    assert after["_extra"].null_count == 1
    assert before["_row_hash"] == after["_row_hash"] == never["_row_hash"]


def test_words_that_no_enum_lists():
    night = {"price": 1, "type": "Night"}
    items = [
        tariffs(tariffs=[night, night]),
        tariffs(tariffs=[night], tariffIntervals=[{"daysOfWeek": ["Holiday", "monday"], "tariffType": "x" * 500}]),
    ]
    assert normalise(LOCATION_TARIFFS, answers(*items)).drift == {
        Drift("unlisted_value", "tariffs[].type", "Night"): 2,
        Drift("unlisted_value", "tariffIntervals[].daysOfWeek", "Holiday"): 1,
        Drift("unlisted_value", "tariffIntervals[].tariffType", "x" * 100): 1,
    }


BAD = {
    "no array": ({"tariffs": {"price": 1}}, "tariffs", "expected an array of objects, got an object"),
    "an element that is no object": ({"tariffs": [{}, 7]}, "tariffs[]", "expected an object, got a number"),
    "a price in quotes": ({"tariffs": [{"price": "0.31"}]}, "tariffs[].price", "expected an amount, got a string"),
    "a time that is a number": ({"tariffIntervals": [{"startTime": 22}]}, "tariffIntervals[].startTime", "expected a"),
    "days that are a word": (
        {"holidayTariffIntervals": [{"daysOfWeek": "Monday"}]},
        "holidayTariffIntervals[].daysOfWeek",
        "expected an array of strings, got a string of 6",
    ),
    "unknown and too deep": ({"tariffs": [{"note": nested(MAX_DEPTH)}]}, "tariffs", "expected at most 64 levels"),
}


@pytest.mark.parametrize("change_and_error", BAD.values(), ids=BAD)
def test_a_broken_member_sets_its_row_aside_and_no_other(change_and_error):
    change, path, reason = change_and_error
    good = [tariffs(offPeakChargingOnly=bool(number % 2)) for number in range(3)]
    broken = tariffs(**change)
    found = normalise(LOCATION_TARIFFS, answers(good[0], broken, good[1]))
    assert [(bad.page, bad.index, bad.raw, bad.field, bad.key) for bad in found.bad] == [
        (1, 0, json.dumps(broken), path, identifier(101))
    ]
    assert found.bad[0].reason.startswith(reason)
    assert found.rows["off_peak_charging_only"].to_pylist() == [False, True]


def test_a_row_says_what_is_wrong_with_it_first():
    wrong = [{"type": 1, "price": "x"}, {"currency": 1}]
    with pytest.raises(Unreadable) as refused:
        read(LOCATION_TARIFFS.by_path["tariffs"], wrong)
    [bad] = normalise(LOCATION_TARIFFS, answers(tariffs(tariffs=wrong))).bad
    assert (bad.field, bad.reason) == (refused.value.path, refused.value.reason) == ("tariffs[].price", bad.reason)


@pytest.mark.parametrize("where", ["members", "fields", "both"])
def test_items_with_rare_names_are_read_like_others(where):
    """Names that are ids: such rows are read one by one, and nothing in them is lost or said otherwise."""
    items = []
    for number in range(2 * MAX_UNKNOWN_COLUMNS):
        inside = {f"id{number}": number} if where != "fields" else {}
        beside = {f"id{number}": number} if where != "members" else {}
        listed = [{"price": 0.5, "type": "peak", "vat": 0.21, **inside}, None]
        items.append(tariffs(tariffs=listed, tariffIntervals=[{"note": "x"}], **beside))
    together = normalise(LOCATION_TARIFFS, answers(*items))
    assert together.bad == []
    assert together.rows["tariffs"][5].as_py()[0]["type"] == "Peak"
    for number, (item, extra) in enumerate(zip(items, together.rows["_extra"].to_pylist(), strict=True)):
        expected = {"tariffs[].vat": [0.21, None], "tariffIntervals[].note": ["x"]}
        expected |= {f"tariffs[].id{number}": [number, None]} if where != "fields" else {}
        expected |= {f"id{number}": number} if where != "members" else {}
        assert json.loads(extra) == expected
        under = {"userId": identifier(1), "chargingLocationId": identifier(100 + number)}
        assert together.rows["_row_hash"][number].as_py() == canonical_hash(item | under, LOCATION_TARIFFS)
    assert together.drift[Drift("unknown_field", "tariffs[].vat", None)] == len(items)
    assert together.drift[Drift("unknown_field", "tariffIntervals[].note", None)] == len(items)
    assert together.drift.total() == len(items) * {"members": 3, "fields": 3, "both": 4}[where]


def test_a_few_rare_names_read_as_columns_say_the_same():
    few = normalise(LOCATION_TARIFFS, answers(tariffs(tariffs=[{"a": 1, "b": None}]), tariffs(tariffs=[{"c": "x"}])))
    many = answers(*[tariffs(tariffs=[{f"n{number}": 1}]) for number in range(MAX_UNKNOWN_COLUMNS)])
    apart = normalise(
        LOCATION_TARIFFS, [*answers(tariffs(tariffs=[{"a": 1, "b": None}]), tariffs(tariffs=[{"c": "x"}])), *many]
    )
    assert apart.rows.slice(0, 2).equals(few.rows)


@pytest.mark.parametrize("value", [7, [7], [[]], {"a": 1}, [{"price": "x"}]], ids=json.dumps)
def test_a_broken_array_beside_rare_names(value):
    items = [tariffs(**{f"id{number}": 1}) for number in range(2 * MAX_UNKNOWN_COLUMNS)]
    items[-1]["tariffs"] = value
    found = normalise(LOCATION_TARIFFS, answers(*items))
    assert [bad.page for bad in found.bad] == [len(items) - 1]


@given(st.lists(st.tuples(columns_of["odd"], columns_of["sound"]), min_size=1, max_size=4))
def test_any_mixture_equals_its_items_one_by_one(changes):
    items = [tariffs(tariffs=left[0], tariffIntervals=right[0]) for left, right in changes]
    pages = [
        RawPage(b"", [item], READ_AT, {"userId": identifier(1), "chargingLocationId": identifier(2)}) for item in items
    ]
    together, single = normalise(LOCATION_TARIFFS, pages), [normalise(LOCATION_TARIFFS, [one]) for one in pages]
    assert together.rows.to_pylist() == [row for one in single for row in one.rows.to_pylist()]
    assert [(bad.reason, bad.field) for bad in together.bad] == [
        (bad.reason, bad.field) for one in single for bad in one.bad
    ]
    assert together.drift == sum((one.drift for one in single), type(together.drift)())


def test_required_members_that_are_missing():
    column = read_field(DECLARED, [[{"textValue": "x"}, {}, {"textValue": None}], [{"textValue": "x"}, None], None])
    assert column.drift == {Drift("missing_field", "a.list[].textValue", None): 1}
