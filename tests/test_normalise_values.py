"""Single fields: what each kind accepts and stores; by column and one by one alike; against simple models."""

import json
import math
import re
import struct
from decimal import Decimal
from fractions import Fraction

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.normalise_items import READ_AT, identifier

from pipelines.contract import Field, Kind
from pipelines.lake.schemas import arrow_type
from pipelines.normalise.bodies import exact_body, exact_items, lossy_bodies
from pipelines.normalise.canonical import canonical_text
from pipelines.normalise.columns import read_column, read_each, spell_column
from pipelines.normalise.identifiers import canonical_uuid, is_canonical_column
from pipelines.normalise.model import RawPage, Unreadable
from pipelines.normalise.numerals import canonical_number, to_decimal
from pipelines.normalise.reading import read

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
WORDS = ("Active", "Complete", "ForceEnded", "SMS")


def field(kind):
    """Object lists have tests of their own: test_normalise_objects.py."""
    return Field("x", kind, "S", values=WORDS if kind in {Kind.ENUM, Kind.ENUM_LIST} else ())


def from_json(text):
    """The number as the sync reads it from a body."""
    body = f"[{text}]".encode()
    return exact_items([RawPage(body, msgspec.json.decode(body), READ_AT)])[0][0]


json_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
uuids = st.uuids().map(str)
instants = st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-50, 50),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.text(max_size=8),
    st.sampled_from([*WORDS, "active", "forceEnded", "sms", "Unheard"]),
    uuids,
    uuids.map(str.upper),
    instants,
    st.just("2024-03-01 18:02:11"),
)
values = st.one_of(scalars, st.lists(st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=4))
alike = st.sampled_from(
    [
        uuids,
        uuids.map(str.upper),
        instants,
        st.text(),
        st.sampled_from(["EUR", 'a "quoted" \\ text\n', "é", "\x00"]),
        st.sampled_from([*WORDS, "active", "forceEnded", "sms", "Unheard"]),
        st.integers(-200, 200),
        st.floats(allow_nan=False, allow_infinity=False),
        st.decimals(-1000, 1000, places=2).map(float),
        st.booleans(),
        st.lists(st.sampled_from([*WORDS, "active", "Unheard"]), max_size=3),
        values,
    ]
)
columns = alike.flatmap(lambda element: st.lists(st.one_of(st.none(), element), min_size=1, max_size=12))


def json_texts(column):
    return [text if text is None or not column.quoted else f'"{text}"' for text in column.text.to_pylist()]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OBJECT_LIST])
def test_a_column_equals_its_values_one_by_one(kind):
    @given(columns)
    @example([1, 2.0, None])
    @example([-0.0, 0, None])
    @example([1e300, -1e-300])
    @example([2**53 + 1, 1.5])
    @example([0.1, 0.30000000000000004, 4194304.000000001])
    @example([True, False, None])
    @example([True, 1])
    @example(["a", "b", 1])
    @example([["a", None], [], None])
    @example(["\ud800", "b"])
    @example([["\ud800"], ["b"]])
    def check(column):
        whole, single = read_column(field(kind), column), read_each(field(kind), column)
        assert whole.stored.equals(single.stored)
        assert whole.stored.type == arrow_type(field(kind))
        assert json_texts(whole) == json_texts(single)
        assert whole.bad.keys() == single.bad.keys()
        assert whole.drift == single.drift

    check()


@given(columns)
@example([-0.0, 1.5])
@example(["\ud800"])
def test_the_text_of_an_unknown_column_equals_that_of_its_values(column):
    spelt = spell_column("x", column, 1)
    for text, value, row in zip(json_texts(spelt), column, range(len(column)), strict=True):
        if row in spelt.bad:
            assert text is None
            assert "\ud800" in repr(value) or "\\ud" in ascii(value)
        else:
            assert text == (None if value is None else canonical_text(value))


@pytest.mark.parametrize("word", ['say "hi"', "line\n", "é", identifier(10).upper(), "2024-03-01 18:02:11", "EUR"])
def test_words_that_repeat_are_spelt_once_for_all(word):
    column = [word, None, "other"] * 20
    for whole in (spell_column("x", column, 1), read_column(field(Kind.TEXT), column)):
        assert json_texts(whole) == [None if value is None else canonical_text(value) for value in column]


@given(json_numbers)
@example("0.12000000000000000001")
@example("100000000000.000000001")
@example("-0")
@example("-0.0")
@example("0e5")
@example("1e-9")
@example("1.5e-9")
@example("8589934592.123457")
@example("99999999999999999999999999999.999999999")
@example("100000000000000000000000000000")
@example("0.10000000000000000")
def test_money_is_exactly_what_the_json_says(text):
    exact = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    fits = abs(Fraction(exact)) < 10**29 and (Fraction(exact) * 10**9).denominator == 1
    column = read_column(field(Kind.MONEY), [from_json(text), None])
    assert (0 not in column.bad) == fits
    if fits:
        assert column.stored.to_pylist() == [exact, None]


@given(json_numbers)
@example("27.0")
@example("2.70e1")
@example("0.000001")
@example("0.0000009999")
@example("9999999999")
@example("10000000000")
@example("-0.0")
def test_a_number_has_one_spelling(text):
    exact = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    canonical = canonical_number(from_json(text))
    assert Decimal(canonical) == exact
    assert canonical_number(exact) == canonical
    assert canonical_number(Decimal(text + "0" if "." in text and "e" not in text.lower() else text)) == canonical


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_of_a_column_are_spelt_alike(number):
    assert json_texts(spell_column("x", [number, number], 1)) == [canonical_number(number)] * 2


@given(
    st.text('abc":, {', max_size=40),
    st.one_of(json_numbers, st.floats(allow_nan=False, allow_infinity=False).map(repr)),
    st.text('abc":, }', max_size=40),
)
@example("", "0.1234567890123456", "")
@example("", "1234567.90123456789", "")
@example("", "12345678901234567e-3", "")
@example("", "123456789012345678901234567890", "")
@example("", "1" * 70 + ".5", "")
@example("", "0." + "1" * 70, "")
@example("", "1" * 70 + "e5", "")
@example("", "100000000000.000000001", "")
def test_numbers_that_a_double_cannot_hold_are_found_wherever_they_stand(before, number, after):
    body = f'["{before}", {number}, "{after}"]'.replace('"', "'").encode()
    exact = Decimal(number)
    if any(sign in number for sign in ".eE") and Decimal(repr(float(number))) != exact:
        assert lossy_bodies([body])
    if number == repr(float(number)):
        assert not lossy_bodies([body])


def test_an_answer_that_is_taken_apart_keeps_its_digits():
    body = b'[{"id": 1, "chargers": [{"power": 0.12345678901234567891}]}, {"power": 11.5}]'
    exact = exact_body(body, msgspec.json.decode(body))
    assert exact == [{"id": 1, "chargers": [{"power": Decimal("0.12345678901234567891")}]}, {"power": 11.5}]
    plain, refused = ["as it was decoded"], b'[0.12345678901234567891, "\xff"]'
    assert exact_body(b'[{"power": 11.5}]', plain) is plain
    assert exact_body(refused, plain) is plain


@given(st.one_of(uuids, uuids.map(str.upper), st.text(max_size=40), st.from_regex(r"[0-9a-f-]{36}", fullmatch=True)))
@example("a0000000-0000-4000-8000-000000000001\n")
@example("a0000000-0000-4000-8000-00000000000g")
@example("-0000000a-000-4000-8000-000000000001")
@example("a0000000-0000-4000-8000-00000000000é")
def test_uuids(text):
    assert canonical_uuid(text) == (text.lower() if UUID.fullmatch(text) else None)
    good = identifier(1)
    assert is_canonical_column(pa.array([good, text, None])) == bool(UUID.fullmatch(text) and text == text.lower())
    column = read_column(field(Kind.UUID), [good, text, None])
    assert column.stored.to_pylist() == [good, canonical_uuid(text), None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.UUID, "../../etc/passwd"),
        (Kind.UUID, "a0000000-0000-4000-8000-000000000001/../x"),
        (Kind.UUID, "a0000000000040008000000000000001"),
        (Kind.UUID, 7),
        (Kind.TEXT, 7),
        (Kind.TEXT, True),
        (Kind.TEXT, ["a"]),
        (Kind.TEXT, {"a": 1}),
        (Kind.TEXT, "\ud83d alone"),
        (Kind.ENUM, 3),
        (Kind.INSTANT, 1_700_000_000),
        (Kind.INSTANT, "2024-03-01"),
        (Kind.MONEY, "6.12"),
        (Kind.MONEY, True),
        (Kind.MONEY, 1e300),
        (Kind.MONEY, 0.1234567891),
        (Kind.MONEY, Decimal("1e999999")),
        (Kind.MONEY, math.inf),
        (Kind.NUMBER, "27.4"),
        (Kind.NUMBER, False),
        (Kind.NUMBER, Decimal("1e400")),
        (Kind.NUMBER, 10**400),
        (Kind.NUMBER, math.inf),
        (Kind.INTEGER, 80.5),
        (Kind.INTEGER, "80"),
        (Kind.INTEGER, True),
        (Kind.INTEGER, 2**63),
        (Kind.INTEGER, 1e19),
        (Kind.INTEGER, Decimal("1e999999999")),
        (Kind.FLAG, 1),
        (Kind.FLAG, "True"),
        (Kind.TEXT_LIST, "abc"),
        (Kind.TEXT_LIST, {"a": "b"}),
        (Kind.TEXT_LIST, ["a", 1]),
        (Kind.ENUM_LIST, [["Active"]]),
    ],
)
def test_what_does_not_fit_is_refused_without_naming_it(kind, value):
    with pytest.raises(Unreadable) as refused:
        read(field(kind), value)
    assert refused.value.path == "x"
    assert refused.value.reason.startswith("expected ")
    assert str(value) not in refused.value.reason
    assert read_column(field(kind), [value]).bad.keys() == {0}


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Kind.INTEGER, 80.0, 80),
        (Kind.INTEGER, -(2**63), -(2**63)),
        (Kind.INTEGER, Decimal("9007199254740993.0"), 9007199254740993),
        (Kind.NUMBER, 2**60, float(2**60)),
        (Kind.NUMBER, -5e-324, -5e-324),
        (Kind.MONEY, -0.4123, Decimal("-0.4123")),
        (Kind.MONEY, 2**53 + 1, Decimal(2**53 + 1)),
        (Kind.MONEY, 4194304.000000001, Decimal("4194304.000000001")),
        (Kind.TEXT, "a\x00b\U0001f50c", "a\x00b\U0001f50c"),
        (Kind.TEXT, "x" * 1_000_000, "x" * 1_000_000),
        (Kind.TEXT, "2024-03-01 18:02:11", "2024-03-01 18:02:11"),
        (Kind.ENUM, "forceEnded", "ForceEnded"),
        (Kind.ENUM, "sms", "SMS"),
        (Kind.ENUM, "unheardOf", "unheardOf"),
        (Kind.ENUM_LIST, ["active", "Unheard", None], ["Active", "Unheard", None]),
        (Kind.TEXT_LIST, [], []),
        (Kind.UUID, identifier(10).upper(), identifier(10)),
    ],
)
def test_what_is_stored(kind, value, stored):
    for column in ([value], [None, value]):
        assert read_column(field(kind), column).stored.to_pylist()[-1] == stored


def test_a_double_is_bit_for_bit_the_json_number():
    numbers = [27.400000000000002, 0.1, -5e-324, 1.7976931348623157e308]
    stored = read_column(field(Kind.NUMBER), numbers).stored.to_pylist()
    assert [struct.pack("d", number) for number in stored] == [struct.pack("d", number) for number in numbers]


def test_a_float_stands_for_its_shortest_spelling():
    assert to_decimal(0.1) == Decimal("0.1")
    assert type(from_json("27.400000000000002")) is float
    assert from_json("27.4000000000000021") == Decimal("27.4000000000000021")


def test_where_spelling_without_an_exponent_ends():
    for power in range(-12, 25):
        for digits in (1, 1.5, 9.99999, 1.0000001):
            number = float(f"{digits}e{power}")
            assert canonical_number(number) == canonical_number(Decimal(f"{digits}e{power}"))
            assert ("e" in canonical_number(number)) == (not -6 <= power <= 9)
            assert json_texts(spell_column("x", [number, None], 1)) == [canonical_number(number), None]
