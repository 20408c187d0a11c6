"""What a run keeps open: the log's transactions as Delta itself tells them, and nothing taken from memory that another
writer has made old.
"""

import json
import random
from datetime import datetime, timedelta, timezone

import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from support.lake_rows import USERS, user_id, user_rows

from pipelines.errors import LakeError
from pipelines.lake import Lake
from pipelines.lake.log import transactions_from, transactions_until
from pipelines.lake.maintenance import maintain
from pipelines.lake.scratch import scratch_database
from pipelines.sync.fanout.known import Known

T0 = datetime(2026, 3, 1, tzinfo=timezone.utc)
NAMES = [f"financials/64/{number:03d}{about}" for number in range(4) for about in ("", "/deep", '/it\'s "so"')]


def as_delta_tells(table):
    told = {name: table.transaction_version(name) for name in NAMES}
    return {name: version for name, version in told.items() if version is not None}


def test_the_logs_transactions_are_those_that_delta_tells_one_by_one(tmp_path):
    chance = random.Random(5)
    Lake(str(tmp_path)).table(USERS)
    rows = user_rows([(1, "a", T0, False)])
    rows = rows.select([name for name in rows.column_names if name != "_key"])
    held = {}
    for number in range(1, 26):
        table = DeltaTable(f"{tmp_path}/users")
        chosen = [Transaction(name, number * 10) for name in chance.sample(NAMES, 3)]
        write_deltalake(table, rows, mode="append", commit_properties=CommitProperties(app_transactions=chosen))
        if number == 13:
            table.create_checkpoint()
        table = DeltaTable(f"{tmp_path}/users")
        held |= transactions_from(table, number)
        assert transactions_until(table) == held == as_delta_tells(table)
    assert len(list((tmp_path / "users/_delta_log").glob("*.checkpoint.parquet"))) == 3
    for version in (0, 9, 10, 12, 13, 19, 24):
        earlier = DeltaTable(f"{tmp_path}/users", version=version)
        assert transactions_until(earlier) == as_delta_tells(earlier)


def test_a_checkpoint_that_lacks_a_part_is_passed_over(tmp_path):
    Lake(str(tmp_path)).table(USERS).commit(user_rows([(1, "a", T0, False)]), {"users": T0})
    log = tmp_path / "users/_delta_log"
    (log / "00000000000000000001.checkpoint.0000000001.0000000002.parquet").write_bytes(b"")
    assert Lake(str(tmp_path)).marks("users", ["users"]) == [int(T0.timestamp() * 1000)]


def test_marks_are_those_of_the_newest_commit_whoever_made_it(tmp_path):
    lake = Lake(str(tmp_path))
    assert lake.marks("users", ["users/checked"]) == [None]
    for number in range(1, 13):
        Lake(str(tmp_path)).table(USERS).leave_mark("users/checked", number)
        assert lake.marks("users", ["users/checked", "users/turned"]) == [number, number - 1 or None]
        lake.table(USERS).leave_mark("users/turned", number)
        assert lake.marks("users", ["users/turned"]) == [number]
        assert lake.version("users") == 2 * number


@pytest.mark.parametrize("is_same_run", [True, False])
def test_who_opened_a_table_before_another_commit_works_out_its_news_again(tmp_path, is_same_run):
    lake = Lake(str(tmp_path))
    first, second = lake.table(USERS), (lake if is_same_run else Lake(str(tmp_path))).table(USERS)
    assert len(first) == len(second) == 0
    first.commit(user_rows([(1, "a", T0, False)]), {"users": T0})
    assert (first.version, second.version) == (1, 0)
    assert second.watermark("users") is None, "what is opened stays as it was"
    outcome = second.commit(user_rows([(1, "a", T0 + timedelta(hours=1), False), (2, "b", T0, False)]), {})
    assert (outcome.refusals, outcome.new, outcome.unchanged) == (1, 1, 1)
    assert second.watermark("users") == T0
    again = first.commit(user_rows([(2, "b", T0 + timedelta(hours=1), False)]), {"users": T0 + timedelta(hours=1)})
    assert (again.refusals, again.unchanged) == (1, 1)
    with lake.reading(USERS, ["id"]) as versions:
        assert sorted(versions.read_all()["id"].to_pylist()) == [user_id(1), user_id(2)]


def test_what_is_opened_is_read_as_it_was_when_others_have_committed(tmp_path):
    lake = Lake(str(tmp_path))
    lake.table(USERS).commit(user_rows([(1, "a", T0, False)]), {})
    with lake.reading(USERS, ["id"]) as versions:
        lake.table(USERS).commit(user_rows([(2, "a", T0, False)]), {})
        Lake(str(tmp_path)).table(USERS).commit(user_rows([(3, "a", T0, False)]), {})
        assert versions.read_all()["id"].to_pylist() == [user_id(1)]
    with lake.reading(USERS, ["id"]) as versions:
        assert len(versions.read_all()) == 3


def ids(lake):
    with lake.reading(USERS, ["id"]) as versions:
        return sorted(versions.read_all()["id"].to_pylist())


def test_a_run_reads_a_table_that_others_write_and_maintain_as_who_opens_it_anew(tmp_path):
    chance, lake = random.Random(3), Lake(str(tmp_path))
    for number in range(12):
        writer = chance.choice([lake, Lake(str(tmp_path))])
        writer.table(USERS).commit(user_rows([(number, "a", T0 + timedelta(hours=number), False)]), {})
        if number % 5 == 4:
            list(maintain(str(tmp_path)))
        assert ids(lake) == ids(Lake(str(tmp_path))) == [user_id(each) for each in range(number + 1)]


def test_what_a_run_has_learnt_of_a_file_it_does_not_read_again(tmp_path):
    lake = Lake(str(tmp_path))
    lake.table(USERS).commit(user_rows([(1, "a", T0, False)]), {})
    assert ids(lake) == [user_id(1)]
    [file] = (tmp_path / "users").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-4] + b"gone")
    lake.table(USERS).commit(user_rows([(2, "a", T0, False)]), {})
    assert ids(lake) == [user_id(1), user_id(2)]
    with pytest.raises(LakeError, match="damaged"):
        ids(Lake(str(tmp_path)))


def test_records_that_another_run_wrote_are_met_before_a_record_is_written(tmp_path):
    first, second = Lake(str(tmp_path)).drift(), Lake(str(tmp_path)).drift()

    def news(held):
        record = {"id": "x", "collection": "users", "kind": "unknown_field", "path": "a", "rows_seen": 1}
        return [] if "x" in held else [{**record, "_synced_at": T0, "_run_id": "run"}]

    assert first.current() == second.current() == {}
    assert first.write(news) == 1
    assert second.write(news) == 0
    assert first.current() == second.current()
    assert first.write(news) == 0


def test_what_a_run_knows_of_a_table_is_read_again_when_its_next_part_begins(tmp_path):
    lake = Lake(str(tmp_path))

    def users():
        known.load("users")
        return known.sql.execute("select count(*) from known_users where not gone").fetchone()[0]

    with Known(lake) as known:
        assert users() == 0
        Lake(str(tmp_path)).table(USERS).commit(user_rows([(1, "a", T0, False), (2, "a", T0, False)]), {})
        assert users() == 0, "within one part it stays"
        known.begin()
        assert users() == 2
        lake.table(USERS).commit(user_rows([(2, "a", T0 + timedelta(hours=1), True)]), {})
        known.begin()
        assert users() == 1


def test_a_log_with_lines_of_other_writers_is_understood(tmp_path):
    Lake(str(tmp_path)).table(USERS).leave_mark("users", 7)
    entry = tmp_path / "users/_delta_log/00000000000000000001.json"
    actions = [json.loads(line) for line in entry.read_text().splitlines()]
    told = [{"txn": {"lastUpdated": 1, **action["txn"]}} if "txn" in action else action for action in actions]
    entry.write_text("\n".join(json.dumps(action, sort_keys=True, indent=None) for action in told) + "\n\n")
    assert Lake(str(tmp_path)).marks("users", ["users"]) == [7]


def test_no_use_of_the_scratch_database_sees_anothers_tables():
    with scratch_database() as one, scratch_database() as other:
        one.execute("create temp table things as select 1 as thing")
        other.execute("create temp table things as select 2 as thing")
        assert one.execute("from things").fetchall() == [(1,)]
        assert other.execute("from things").fetchall() == [(2,)]
    with scratch_database() as later:
        assert later.execute("select count(*) from duckdb_tables()").fetchone() == (0,)
