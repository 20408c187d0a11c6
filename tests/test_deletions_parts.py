"""The pure parts of deletions: whom a window may judge, whose turn it is, what a single row's answer says."""

import json
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.client.answer import Answer
from pipelines.contract import LISTS
from pipelines.errors import UnexpectedAnswer
from pipelines.lake import Lake
from pipelines.normalise import canonical_hash, normalise
from pipelines.sync.deletions.absence import Absences, Row
from pipelines.sync.deletions.candidates import (
    ALIVE,
    CANDIDATE,
    DELETED,
    PROVED,
    proved_news,
    settled_news,
    unproved_news,
)
from pipelines.sync.deletions.details import item_of, page_of
from pipelines.sync.deletions.turns import turn
from pipelines.sync.fanout.known import Known
from pipelines.sync.windows import EDGE, Window

SESSIONS, USERS = LISTS["sessions"], LISTS["users"]
STARTED, ENDED = SESSIONS.all_questions
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def id_of(number):
    return str(UUID(int=number))


minutes = st.integers(0, 30).map(lambda number: NOW + number * MINUTE)
bounds = st.tuples(st.none() | minutes, st.none() | minutes).filter(lambda b: None in b or b[0] < b[1])
windows = bounds.map(lambda b: Window(*b))
held_rows = st.lists(
    st.fixed_dictionaries(
        {
            "begun": st.none() | minutes,
            "ended": st.none() | minutes,
            "read_at": minutes,
            "gone": st.booleans(),
            "shown": st.booleans(),
        }
    ),
    max_size=8,
)


def with_held(lake, rows):
    known = Known(lake)
    known.sql.execute(
        "create temp table known_sessions (id uuid, user_id uuid, begun timestamptz, ended timestamptz, seen timestamptz, gone bool)"
    )
    for number, row in enumerate(rows):
        known.sql.execute(
            "insert into known_sessions values (?, ?, ?, ?, ?, ?)",
            [id_of(number), id_of(99), row["begun"], row["ended"], row["read_at"], row["gone"]],
        )
    return known


@given(
    rows=held_rows,
    asked=st.lists(st.tuples(st.sampled_from([STARTED, ENDED]), windows, minutes), max_size=4),
    blind=st.lists(st.tuples(st.sampled_from([STARTED, ENDED]), windows), max_size=2),
)
@example(
    rows=[{"begun": NOW + MINUTE, "ended": None, "read_at": NOW, "gone": False, "shown": False}],
    asked=[(STARTED, Window(None, None), NOW), (STARTED, Window(None, NOW), NOW)],
    blind=[],
)
def test_a_row_is_judged_only_by_a_window_that_should_have_shown_it(rows, asked, blind):
    absences = Absences(SESSIONS, judges=True)
    for question, window, known_until in asked:
        absences.asked(question, window, known_until)
    for question, window in blind:
        absences.cannot_tell(question, window)
    absences.saw([id_of(number) for number, row in enumerate(rows) if row["shown"]])
    with with_held(Lake("nowhere"), rows) as known:
        absences.register(known)
        found = absences.missing(known)

    def within(window, at, margin=timedelta()):
        return (window.lower is None or at >= window.lower - margin) and (
            window.upper is None or at < window.upper or (margin and at <= window.upper + margin)
        )

    def judged(row):
        times = {STARTED: row["begun"], ENDED: row["ended"]}
        if row["gone"] or any(times[q] is not None and within(w, times[q], EDGE) for q, w in blind):
            return False
        return any(
            times[question] is not None and within(window, times[question]) and row["read_at"] <= known_until
            for question, window, known_until in asked
        )

    expected = {number for number, row in enumerate(rows) if judged(row)}
    missing = {id_of(number) for number in expected if not rows[number]["shown"]}
    assert {row.id for row in found.rows} == missing
    assert found.judged == len(expected)
    assert found.is_mass == (len(missing) > 5 and 2 * len(missing) > len(expected))


def test_a_run_that_may_not_judge_misses_nobody():
    absences = Absences(SESSIONS, judges=False)
    absences.asked(STARTED, Window(None, NOW), NOW)
    assert not absences.has_judged()


def test_a_window_asked_while_the_table_was_empty_judges_nobody():
    absences = Absences(SESSIONS, judges=True)
    absences.asked(STARTED, Window(None, NOW), None)
    assert not absences.has_judged()


def test_rows_that_came_may_be_told_in_parts_and_twice():
    absences = Absences(SESSIONS, judges=True)
    absences.asked(STARTED, Window(None, NOW + MINUTE), NOW)
    absences.saw(pa.chunked_array([[id_of(0)], [id_of(1), id_of(0)]]))
    absences.saw(["no id at all"])
    row = {"begun": NOW, "ended": None, "read_at": NOW, "gone": False}
    with with_held(Lake("nowhere"), [row, row, row]) as known:
        absences.register(known)
        assert [missing.id for missing in absences.missing(known).rows] == [id_of(2)]


@given(
    waiting=st.lists(st.tuples(minutes, st.integers(0, 200).map(id_of)), unique_by=lambda w: w[1], max_size=40),
    most=st.integers(0, 50),
    mark=st.integers(0, 3),
)
def test_a_night_asks_no_more_than_it_may_and_all_where_it_may(waiting, most, mark):
    chosen, after = turn(waiting, mark, most)
    assert len(chosen) == len(set(chosen)) == min(most, len(waiting))
    assert set(chosen) <= {id_ for _, id_ in waiting}
    assert after >= mark


@given(
    waiting=st.lists(
        st.tuples(minutes, st.integers(0, 10**9).map(id_of)), unique_by=lambda w: w[1], min_size=1, max_size=40
    ),
    most=st.integers(1, 10),
    changed=st.lists(st.integers(0, 39), max_size=5),
)
def test_everybody_has_a_turn_within_as_many_nights_as_it_takes(waiting, most, changed):
    """Also where nobody's reading changes; one that does change goes to the end of the ring and keeps nobody waiting."""
    mark, asked = 0, []
    nights = -(-len(waiting) // most)
    for night in range(nights + 1):
        chosen, mark = turn(waiting, mark, most)
        asked += chosen
        waiting = [
            (NOW + timedelta(days=1 + night), id_) if id_ in chosen and place in changed else (read_at, id_)
            for place, (read_at, id_) in enumerate(waiting)
        ]
    assert set(asked) == {id_ for _, id_ in waiting}


def test_the_oldest_reading_comes_first():
    waiting = [(NOW + number * MINUTE, id_of(number)) for number in range(10)]
    first, mark = turn(waiting, 0, 4)
    second, mark = turn(waiting, mark, 4)
    third, mark = turn(waiting, mark, 4)
    assert [*first, *second, *third] == [id_of(number) for number in (*range(10), 0, 1)]


def answer_of(document, status=200):
    return Answer(status, json.dumps(document).encode(), document, NOW, NOW, None)


SESSION = {
    "id": id_of(1), "userId": id_of(2), "vehicleId": None, "status": "Active", "isManaged": True,
    "startTime": "2026-05-01T10:00:00.000Z", "endTime": None, "chargeSpeed": 7.4, "chargedEnergy": 12.25,
    "mood": {"level": 3, "why.not": [1, 2]}, "note": "x",
}  # fmt: skip


def stored(item):
    return normalise(SESSIONS, [page_of_list(item)]).rows.to_pylist()[0]


def page_of_list(item):
    from pipelines.normalise import RawPage

    return RawPage(json.dumps([item]).encode(), [item], NOW)


def read_again(detail, held):
    row = Row(id_of(1), id_of(2))
    page, unknown = page_of(SESSIONS, item_of(SESSIONS, answer_of(detail), row), held, NOW)
    return normalise(SESSIONS, [page.raw]).rows.to_pylist()[0], unknown


def test_a_detail_that_says_the_same_is_the_same_row():
    held = stored(SESSION)
    detail = {name: SESSION[name] for name in SESSION if name not in {"chargeSpeed", "mood", "note", "userId"}}
    again, unknown = read_again(detail, held)
    assert again["_row_hash"] == held["_row_hash"] == canonical_hash(SESSION, SESSIONS)
    assert again["charge_speed"] == 7.4
    assert again["_extra"] == held["_extra"]
    assert not unknown


def test_a_detail_changes_what_its_shape_has_and_only_that():
    held = stored(SESSION)
    detail = {"id": id_of(1).upper(), "status": "Complete", "endTime": "2026-05-02T10:00:00.000Z", "note": "y",
              "pricing": {"plan": 1}, "chargers": []}  # fmt: skip
    again, unknown = read_again(detail, held)
    after = {"id": id_of(1), "userId": id_of(2), "status": "Complete", "endTime": "2026-05-02T10:00:00.000Z",
             "chargeSpeed": 7.4, "mood": SESSION["mood"], "note": "y"}  # fmt: skip
    assert again["_row_hash"] == canonical_hash(after, SESSIONS)
    assert again["charged_energy"] is None, "a field of the shape that is missing is null"
    assert {drift.path for drift in unknown} == {"pricing"}, "parts of rich answers are known to be elsewhere"


@pytest.mark.parametrize(
    "document", [None, [], {}, {"items": [], "totalCount": 0}, {"status": 5, "id": id_of(7)}, {"id": id_of(1)}, "gone"]
)
def test_an_answer_that_is_not_the_rows_own_is_no_reading(document):
    with pytest.raises(UnexpectedAnswer):
        item_of(SESSIONS, answer_of(document), Row(id_of(1), id_of(2)))


def current(records):
    return {record["id"]: record for record in records}


def test_a_candidate_keeps_since_when_it_is_missing_and_is_told_once():
    row, later = Row(id_of(1), id_of(2)), NOW + timedelta(days=1)
    first = unproved_news("vehicles", "a", NOW, {row: "HTTP 500"}, {row.id}, {})
    held = current(first)
    assert [(r["status"], r["attempts"], r["missing_since"]) for r in first] == [(CANDIDATE, 1, NOW)]
    assert unproved_news("vehicles", "b", later, {row: "HTTP 500"}, set(), held) == []
    [again] = unproved_news("vehicles", "b", later, {row: "HTTP 500"}, {row.id}, held)
    assert (again["attempts"], again["missing_since"]) == (2, NOW)


def test_a_proof_is_written_down_and_survives_a_night_without_an_answer():
    row = Row(id_of(1), id_of(2))
    held = current(proved_news("users", "a", NOW, [row], {row.id: {"sessions"}}, {}))
    [record] = held.values()
    assert (record["status"], record["kept"]) == (PROVED, ["sessions"])
    [left] = unproved_news("users", "b", NOW, {row: "HTTP 500"}, {row.id}, held)
    assert left["status"] == PROVED, "what may be half done must be looked at again"
    [closed] = settled_news("users", "c", NOW, [row.id, id_of(5)], DELETED, held)
    assert (closed["status"], closed["kept"]) == (DELETED, ["sessions"])
    assert settled_news("users", "d", NOW, [row.id], ALIVE, current([closed])) == []
