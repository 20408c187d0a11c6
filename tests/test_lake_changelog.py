"""Tables as changelogs: compared with a dictionary, with two writers, and with writers that are killed."""

import os
import random
import subprocess
import tempfile
import time
from datetime import timedelta

import duckdb
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lake_rows import USERS, user_id, user_rows
from support.lake_writers import T0, at_work, make, said, write

from pipelines.errors import LakeError
from pipelines.lake import Lake

APP = "users"


def current_rows(root):
    """The current rows by a second engine: DuckDB over the files that Delta's log names."""
    files = DeltaTable(f"{root}/users").file_uris()
    if not files:
        return {}
    rows = duckdb.sql(
        f"""select id, locale from read_parquet({files!r})
            qualify row_number() over (partition by id order by _synced_at desc) = 1 and not _deleted"""
    ).fetchall()
    return dict(rows)


def version_counts(root):
    files = DeltaTable(f"{root}/users").file_uris()
    if not files:
        return {}
    return dict(duckdb.sql(f"select id, count(*) from read_parquet({files!r}) group by id").fetchall())


versions = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.integers(0, 40), st.booleans()), min_size=1, max_size=8
)


@settings(max_examples=15)
@given(batches=st.lists(versions, min_size=1, max_size=5))
def test_the_newest_reading_of_every_key_is_current(batches):
    with tempfile.TemporaryDirectory() as root:
        model: dict[int, tuple[int, str, bool]] = {}
        appended = 0
        for batch in batches:
            table = Lake(root).table(USERS)
            outcome = table.commit(
                user_rows((n, locale, T0 + timedelta(seconds=at), gone) for n, locale, at, gone in batch), {}
            )
            table.close()
            newest = {}
            for number, locale, at, gone in batch:
                if number not in newest or at > newest[number][0]:
                    newest[number] = (at, locale, gone)
            expected = 0
            for number, (at, locale, gone) in newest.items():
                held = model.get(number)
                if held is None:
                    is_news = not gone
                else:
                    same = gone == held[2] and (gone or locale == held[1])
                    is_news = not same and at > held[0]
                if is_news:
                    model[number] = (at, locale, gone)
                    expected += 1
            assert outcome.appended == expected
            appended += expected
        assert current_rows(root) == {user_id(n): locale for n, (_, locale, gone) in model.items() if not gone}
        assert sum(version_counts(root).values() if appended else [0]) == appended


def test_reading_the_same_again_writes_nothing(tmp_path):
    rows = user_rows([(n, "a", T0, False) for n in range(50)])
    table = Lake(str(tmp_path)).table(USERS)
    table.commit(rows, {APP: T0})
    version = table.version
    again = table.commit(user_rows([(n, "a", T0 + timedelta(days=1), False) for n in range(50)]), {APP: T0})
    assert (again.appended, again.unchanged, table.version) == (0, 50, version)


def test_a_watermark_never_moves_back(tmp_path):
    table = Lake(str(tmp_path)).table(USERS)
    table.commit(user_rows([]), {APP: T0})
    table.commit(user_rows([(1, "a", T0, False)]), {APP: T0 - timedelta(days=3)})
    assert table.watermark(APP) == T0
    table.commit(user_rows([]), {APP: T0 + timedelta(milliseconds=1)})
    assert Lake(str(tmp_path)).table(USERS).watermark(APP) == T0 + timedelta(milliseconds=1)


def test_a_writer_that_comes_second_works_out_its_news_again(tmp_path):
    first, second = Lake(str(tmp_path)).table(USERS), Lake(str(tmp_path)).table(USERS)
    assert len(first) == len(second) == 0
    first.commit(user_rows([(1, "a", T0, False), (2, "a", T0 + timedelta(hours=2), False)]), {APP: T0})
    outcome = second.commit(
        user_rows([(1, "a", T0 + timedelta(hours=1), False), (2, "old", T0, False), (3, "a", T0, False)]),
        {APP: T0 + timedelta(hours=1)},
    )
    assert outcome.refusals == 1
    assert (outcome.new, outcome.unchanged, outcome.stale) == (1, 1, 1)
    assert current_rows(tmp_path) == {user_id(n): "a" for n in (1, 2, 3)}
    assert set(version_counts(tmp_path).values()) == {1}


def test_writers_that_move_different_watermarks_do_not_double_a_row(tmp_path):
    """Only the transaction that every commit shares lets Delta refuse the second one."""
    first, second = Lake(str(tmp_path)).table(USERS), Lake(str(tmp_path)).table(USERS)
    assert len(first) == len(second) == 0
    first.commit(user_rows([(1, "a", T0, False)]), {"users/one": T0})
    outcome = second.commit(user_rows([(1, "a", T0 + timedelta(seconds=1), False)]), {"users/other": T0})
    assert (outcome.refusals, outcome.appended) == (1, 0)
    assert version_counts(tmp_path) == {user_id(1): 1}
    assert second.watermark("users/other") == T0


def test_rows_and_watermark_are_of_one_mind_after_any_kill(tmp_path):
    rng = random.Random(7)
    begin = kills = 0
    while kills < 4 or begin == 0:
        kills += 1
        with at_work(write, tmp_path, begin):
            time.sleep(rng.uniform(0.1, 0.7))
        watermark = Lake(str(tmp_path)).table(USERS).watermark(APP)
        done = -1 if watermark is None else int((watermark - T0).total_seconds())
        assert set(current_rows(tmp_path)) == {user_id(n) for n in range((done + 1) * 3)}
        begin = done + 1
    assert set(version_counts(tmp_path).values()) == {1}


def test_two_processes_at_once_neither_lose_nor_double(tmp_path):
    Lake(str(tmp_path)).table(USERS).close()
    deadline = time.monotonic() + 60
    with at_work(write, tmp_path, 0), at_work(write, tmp_path, 30):
        while len(version_counts(tmp_path)) <= 3 * 40 and time.monotonic() < deadline:
            time.sleep(0.2)
    counts = version_counts(tmp_path)
    assert len(counts) > 3 * 40, "both writers came past the steps that they share"
    assert set(counts.values()) == {1}


def test_a_record_written_after_the_clock_was_set_back_is_the_newest(tmp_path):
    table = Lake(str(tmp_path)).drift()
    record = {"id": "one", "collection": "users", "kind": "unknown_field", "path": "mood", "value": None}
    record |= {"rows_seen": 1, "_run_id": "first", "_synced_at": T0 + timedelta(days=30)}
    assert table.write(lambda _held: [record]) == 1
    assert table.write(lambda held: [held["one"] | {"_run_id": "second", "_synced_at": T0}]) == 1
    assert table.current()["one"]["_run_id"] == "second"


def test_processes_that_make_a_table_at_the_same_instant_make_one(tmp_path):
    with at_work(make) as one, at_work(make) as another, at_work(make) as third:
        makers = (one, another, third)
        for number in range(12):
            for maker in makers:
                maker.send(tmp_path / str(number))
            assert [said(maker) for maker in makers] == [0, 0, 0]
            assert len(list((tmp_path / str(number)).iterdir())) == 1


def test_statistics_hold_nothing_personal(tmp_path):
    table = Lake(str(tmp_path)).table(USERS)
    rows = user_rows([(1, "a", T0, False)])
    names = rows.set_column(rows.schema.get_field_index("last_name"), "last_name", [["Findable"]])
    table.commit(names, {})
    logs = "".join(path.read_text() for path in (tmp_path / "users" / "_delta_log").glob("*.json"))
    assert user_id(1) in logs
    assert "Findable" not in logs


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        table = Lake(str(disk)).table(USERS)
        done = 0
        with pytest.raises(LakeError, match="is full"):
            for step in range(1000):
                rng = random.Random(step)
                rows = [(step * 100 + n, rng.randbytes(400).hex(), T0, False) for n in range(100)]
                table.commit(user_rows(rows), {APP: T0 + timedelta(seconds=step)})
                done = step
        assert Lake(str(disk)).table(USERS).watermark(APP) == T0 + timedelta(seconds=done)
        assert len(current_rows(disk)) == (done + 1) * 100
    finally:
        subprocess.run(["umount", str(disk)], check=False)
