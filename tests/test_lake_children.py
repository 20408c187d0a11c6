"""Tables of what hangs under parents: which rows an answer lacks, and what is remembered of whom."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from support.lake_rows import user_id

from pipelines.contract import RESOURCES
from pipelines.lake.children import JUDGED, ChildTable
from pipelines.lake.schemas import table_schema

SOLAR = RESOURCES["solar_energy"]
BEGIN = datetime(2026, 1, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
EVERY_BUCKET = range(64)


def batch(table, rows, read_at, run_id="run"):
    """rows: (location number, hour, energy)."""
    schema = table_schema(SOLAR)
    found = [
        {
            "user_id": user_id(0), "charging_location_id": user_id(place), "start_time": BEGIN + hour * HOUR,
            "energy": energy, "start_month": "", "_synced_at": read_at, "_run_id": run_id,
            "_row_hash": f"{int(energy * 1000):032x}", "_deleted": False,
        }
        for place, hour, energy in rows
    ]  # fmt: skip
    keys = [f'["{row["charging_location_id"]}","{row["start_time"]:%Y-%m-%dT%H:%M:%S}.000Z"]' for row in found]
    return table.complete(pa.Table.from_pylist(found, schema).append_column("_key", pa.array(keys, pa.string())))


def judged(rows):
    """rows: (location number, from hour, to hour, asked at)."""
    found = [
        {
            "parent": user_id(place),
            "lower": None if lower is None else BEGIN + lower * HOUR,
            "upper": None if upper is None else BEGIN + upper * HOUR,
            "asked_at": at,
        }
        for place, lower, upper, at in rows
    ]
    return pa.Table.from_pylist(found, JUDGED)


def opened(folder, buckets=EVERY_BUCKET, since=None):
    table = ChildTable(str(folder / "solar_energy"), SOLAR, "chargingLocationId")
    table.narrow(buckets, since)
    return table


slots = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 99)), st.sampled_from([0.5, 1.5]), max_size=30)
bounds = st.none() | st.integers(0, 100)


@given(held=slots, came=slots, lower=bounds, upper=bounds, places=st.sets(st.integers(0, 4)))
def test_absent_is_what_is_held_within_the_question_and_did_not_come(
    tmp_path_factory, held, came, lower, upper, places
):
    folder = tmp_path_factory.mktemp("lake")
    table = opened(folder)
    table.commit_marks(batch(table, [(p, h, e) for (p, h), e in held.items()], BEGIN), {})
    questions = judged([(place, lower, upper, BEGIN + HOUR) for place in places])
    answered = batch(table, [(p, h, e) for (p, h), e in came.items()], BEGIN + HOUR)
    expected = {}
    for place, hour in held.keys() - came.keys():
        if place in places and (lower is None or hour >= lower) and (upper is None or hour < upper):
            expected[user_id(place)] = expected.get(user_id(place), 0) + 1
    found = table.absent(questions, answered)
    assert {parent: lacking.rows for parent, lacking in found.items() if lacking.rows} == expected
    gone = table.tombstones(questions, answered, "run 2", BEGIN + HOUR)
    assert gone.num_rows == sum(expected.values())
    table.commit_marks(gone, {})
    assert len(table) == len(held) - sum(expected.values())
    assert not any(lacking.rows for lacking in opened(folder).absent(questions, answered).values())
    table.close()


def test_a_row_read_after_the_question_is_not_missed_by_its_answer(tmp_path):
    table = opened(tmp_path)
    table.commit_marks(batch(table, [(1, 5, 1.0)], BEGIN + 2 * HOUR), {})
    nothing = batch(table, [], BEGIN)
    assert table.absent(judged([(1, None, None, BEGIN + HOUR)]), nothing) == {}
    assert table.absent(judged([(1, None, None, BEGIN + 3 * HOUR)]), nothing) == {user_id(1): (1, 1)}


def test_the_newest_row_of_a_table_is_missed_though_the_clock_was_set_back_and_stands_at_it(tmp_path):
    table = opened(tmp_path)
    table.commit_marks(batch(table, [(1, 5, 1.0)], BEGIN + 2 * HOUR), {})
    nothing = batch(table, [], BEGIN)
    assert table.absent(judged([(1, None, None, table.newest_read())]), nothing) == {user_id(1): (1, 1)}


def test_a_deletion_keeps_the_last_content_and_can_come_back(tmp_path):
    table = opened(tmp_path)
    table.commit_marks(batch(table, [(1, 5, 1.0)], BEGIN), {})
    table.commit_marks(batch(table, [(1, 5, 2.0)], BEGIN + HOUR), {})
    gone = table.tombstones(
        judged([(1, None, None, BEGIN + 2 * HOUR)]), batch(table, [], BEGIN), "run", BEGIN + 3 * HOUR
    )
    assert gone["energy"].to_pylist() == [2.0]
    assert gone["_deleted"].to_pylist() == [True]
    assert table.commit_marks(gone, {}).deleted == 1
    back = table.commit_marks(batch(table, [(1, 5, 2.0)], BEGIN + 4 * HOUR), {})
    assert (back.new, back.returned, len(table)) == (0, 1, 1)


def test_rows_of_months_that_were_not_loaded_are_still_recognised(tmp_path):
    table = opened(tmp_path)
    january, march = 10, 24 * 40
    table.commit_marks(batch(table, [(1, january, 1.0), (1, march, 1.0)], BEGIN), {})
    again = opened(tmp_path, since=BEGIN + march * HOUR)
    committed = again.commit_marks(batch(again, [(1, january, 1.0), (1, march, 1.0)], BEGIN + HOUR), {})
    assert committed.appended == 0


def test_files_lie_by_month_of_the_row_s_time(tmp_path):
    table = opened(tmp_path)
    table.commit_marks(batch(table, [(1, 0, 1.0), (1, 47, 1.0), (1, 48, 1.0)], BEGIN), {})
    folders = {path.parent.name for path in (tmp_path / "solar_energy").rglob("*.parquet")}
    assert folders == {"start_month=2026-01", "start_month=2026-02"}


def test_what_is_released_costs_no_memory_and_what_is_under_way_is_still_compared(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.lake.children.LARGE_INDEX", 10)
    table = opened(tmp_path)
    rows = [(place, hour, 1.0) for place in range(4) for hour in range(50)]
    table.commit_marks(batch(table, rows, BEGIN), {})
    table.release({user_id(2)})
    assert table._index.size == 50
    assert table.commit_marks(batch(table, [(2, 7, 1.0), (2, 8, 3.0)], BEGIN + HOUR), {}).appended == 1


def test_moving_a_mark_alone_reads_nothing_and_never_goes_back(tmp_path):
    table = opened(tmp_path)
    table.commit_marks(table.complete(table.empty()), {"solar_energy/64/001": 7})
    assert table._index is None
    before = table.version
    table.commit_marks(table.complete(table.empty()), {"solar_energy/64/001": 6})
    assert (table.version, table.mark("solar_energy/64/001")) == (before, 7)


def test_a_refused_writer_stamps_its_rows_after_all_that_the_other_wrote(tmp_path):
    """Whoever knows the table up to some read time relies on it that nothing earlier is added later."""
    first, second = opened(tmp_path), opened(tmp_path)
    first.commit_marks(batch(first, [(1, 1, 1.0)], BEGIN + 5 * HOUR), {})
    committed = second.commit_marks(batch(second, [(2, 1, 1.0), (2, 2, 1.0)], BEGIN), {})
    assert (committed.refusals, committed.appended) == (1, 2)
    rows = opened(tmp_path)._store.scan(["start_time", "_synced_at", "charging_location_id"]).read_all().to_pylist()
    late = sorted(row["_synced_at"] for row in rows if row["charging_location_id"] == user_id(2))
    assert late[0] > BEGIN + 5 * HOUR
