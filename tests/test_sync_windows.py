"""Windows as sets of instants: compared with plain arithmetic."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.formats import format_instant
from pipelines.sync.clock import ReadClock
from pipelines.sync.windows import MILLISECOND, Window, cut_evenly, cut_open, next_window

instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(timezone.utc)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
overlaps = st.timedeltas(timedelta(0), timedelta(days=40))


@given(until=instants, overlap=overlaps, steps=st.lists(st.timedeltas(timedelta(0), timedelta(days=9)), max_size=8))
def test_windows_of_successive_nights_leave_no_gap(until, overlap, steps):
    watermark = None
    seen_up_to = None
    for step in [timedelta(0), *steps]:
        until += step
        window = next_window(watermark, until, overlap)
        assert window.upper == until
        if watermark is None:
            assert window.lower is None
        else:
            assert window.lower <= seen_up_to - overlap
        seen_up_to = watermark = until


@given(watermark=instants, back=st.timedeltas(timedelta(0), timedelta(days=99)), overlap=overlaps)
def test_an_end_at_or_below_the_watermark_is_a_re_read_of_the_overlap(watermark, back, overlap):
    until = watermark - back
    window = next_window(watermark, until, overlap)
    assert window.upper == until
    assert window.lower == until - MILLISECOND - overlap


@given(lower=st.none() | instants, upper=instants, pieces=st.integers(1, 600), oldest=st.none() | instants)
def test_pieces_are_the_window_again(lower, upper, pieces, oldest):
    if lower is not None and lower >= upper:
        with pytest.raises(ValueError, match="must not be empty"):
            Window(lower, upper)
        return
    window = Window(lower, upper)
    cut = cut_evenly(window, pieces, oldest)
    assert (cut[0].lower, cut[-1].upper) == (lower, upper)
    assert all(before.upper == after.lower for before, after in pairwise(cut))
    assert len(cut) <= pieces
    widths = [piece.width for piece in cut if piece.width is not None]
    if lower is not None and len(cut) > 1:
        assert max(widths) - min(widths) <= 2 * MILLISECOND


@given(window=st.tuples(st.none() | instants, st.none() | instants), now=instants)
def test_an_open_window_is_cut_into_ones_that_can_be_cut(window, now):
    lower, upper = window
    if lower is not None and upper is not None:
        return
    cut = cut_open(Window(lower, upper), now)
    assert (cut[0].lower, cut[-1].upper) == (lower, upper)
    assert cut[0].upper == cut[1].lower
    assert len(cut) == 2


@given(newest=st.none() | instants, received=st.lists(instants, min_size=1, max_size=20))
def test_read_times_only_rise(newest, received):
    clock = ReadClock(newest)
    stamps = [clock.stamp(at) for at in received]
    assert all(before < after for before, after in pairwise(stamps))
    assert newest is None or stamps[0] > newest
    assert all(stamp >= at for stamp, at in zip(stamps, received, strict=True))


@given(at=st.datetimes(timezones=st.timezones()))
def test_instants_are_written_in_the_form_of_v2(at):
    if not datetime(1, 1, 3) <= at.replace(tzinfo=None) <= datetime(9999, 12, 29):
        return
    text = format_instant(at)
    assert len(text) == 24
    back = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    assert timedelta(0) <= at - back < MILLISECOND
