"""Instants against datetime.fromisoformat, by column against one by one."""

import re
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.normalise.instants import instant_text, parse_instant, parse_v2_column

UTC = timezone.utc


def model(text):
    """What a plain reading with the standard library gives."""
    if not re.fullmatch(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
        r"([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?",
        text,
    ):
        return None
    plain = re.sub(r"\.([0-9]{1,3})[0-9]*", lambda found: "." + found[1].ljust(3, "0"), text.upper())
    try:
        instant = datetime.fromisoformat(plain)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


number = st.integers
spellings = st.builds(
    "{:04d}-{:02d}-{:02d}{}{:02d}:{:02d}:{:02d}{}{}".format,
    st.one_of(st.sampled_from([0, 1, 1969, 1970, 2024, 9999]), number(1, 9999)),
    number(0, 13),
    number(0, 32),
    st.sampled_from("Tt T_"),
    number(0, 25),
    number(0, 61),
    number(0, 61),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{0,10}", fullmatch=True)),
    st.one_of(
        st.sampled_from(["", "Z", "z", "+00:00", "-00:00", "Zulu", "+2", "+24:00", "+02:60", " Z", "\n"]),
        st.from_regex(r"[+-][0-9]{2}(:?[0-9]{2})?", fullmatch=True),
    ),
)
plausible = st.builds(
    lambda moment, separator, digits, zone: moment.isoformat(separator)[:19] + (f".{digits}" if digits else "") + zone,
    st.datetimes(),
    st.sampled_from("Tt "),
    st.text("0123456789", max_size=9),
    st.sampled_from(["", "Z", "z", "+02:00", "-0230", "+14"]),
)


@given(st.one_of(spellings, plausible, st.text(max_size=30)))
@example("2024-03-01T00:00:00+24:00")
@example("2024-03-01T00:00:00-23:60")
@example("2024-03-01T24:00:00.000Z")
@example("2024-02-30T00:00:00.000Z")
@example("2023-02-29T00:00:00.000Z")
@example("2024-12-31T23:59:60.000Z")
@example("9999-12-31T23:59:59.999-00:01")
@example("0001-01-01T00:00:00+00:01")
@example("٢٠٢٤-03-01T00:00:00.000Z")
def test_one_by_one(text):
    assert parse_instant(text) == model(text)


@given(plausible)
def test_the_canonical_spelling_is_a_fixed_point(text):
    instant = parse_instant(text)
    if instant is not None:
        assert parse_instant(instant_text(instant)) == instant
        assert len(instant_text(instant)) == 24


@given(st.lists(st.one_of(st.none(), st.datetimes(min_value=datetime(1, 1, 1)).map(str)), max_size=20))
def test_a_column_in_the_spelling_of_v2(moments):
    texts = [None if text is None else instant_text(parse_instant(text)) for text in moments]
    column = parse_v2_column(pa.array(texts, pa.string()))
    if any(texts):
        assert column.to_pylist() == [None if text is None else parse_instant(text) for text in texts]
    else:
        assert column is None


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01T18:02:11.1234",
        "2024-03-01 18:02:11.123Z",
        "2024-03-01t18:02:11.123Z",
        "2024-03-01T18:02:11.123z",
        "2024-02-30T18:02:11.123Z",
        "2024-03-01T24:00:00.000Z",
        "2024-03-01T23:59:60.000Z",
        "0000-03-01T18:02:11.123Z",
        "2024-3-001T18:02:11.123Z",
        "2024-03-01T18:02:11Z    ",
        "2024-03-01T18:02:11+0000",
        "",
    ],
)
def test_any_other_spelling_among_them_is_left_to_reading_one_by_one(text):
    good = "2024-03-01T18:02:11.123Z"
    assert parse_v2_column(pa.array([good, good])) is not None
    assert parse_v2_column(pa.array([good, text, good])) is None


def test_cut_to_the_millisecond_never_rounded():
    assert parse_instant("2024-03-01T18:02:11.999999999Z") == datetime(2024, 3, 1, 18, 2, 11, 999000, UTC)
    assert parse_instant("1950-03-01T18:02:11.9999") == datetime(1950, 3, 1, 18, 2, 11, 999000, UTC)
    assert parse_instant("2024-03-01T18:02:11+0200") == datetime(2024, 3, 1, 18, 2, 11, 0, UTC) - timedelta(hours=2)
