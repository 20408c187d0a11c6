"""The analysts' doors: `frame` for pandas, `query` for the command line."""

import os
import subprocess
import sys
from datetime import date, datetime, timezone
from decimal import Decimal

import duckdb
import pandas as pd
import pytest
from support.build_file import finish_build

import warehouse
from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.publish import publish
from warehouse.query import frame, query


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARGELAKE_HOME", str(tmp_path))
    return LakeSettings(home=tmp_path)


@pytest.fixture
def current(home):
    finish_build(home, 1)
    publish(home)
    return home


def test_nothing_published_says_what_to_run(home):
    for door in (frame, query):
        with pytest.raises(WarehouseError, match="run `chargelake build` and `chargelake publish`"):
            door("select 1")


def test_frame_sees_the_newest_generation_each_time(current):
    assert frame("select max(build) as b from marts.a")["b"].tolist() == [1]
    with duckdb.connect(str(current.published_file), read_only=True):
        finish_build(current, 2)
        publish(current)
        assert frame("select max(build) as b from marts.a")["b"].tolist() == [2]
    assert warehouse.frame is frame


def test_frame_takes_parameters_and_a_file(current, tmp_path):
    assert frame("select count(*) as n from marts.a where i < ?", params=[7])["n"].tolist() == [7]
    assert frame("select $x as x", params={"x": "it's"})["x"].tolist() == ["it's"]
    with pytest.raises(WarehouseError, match="elsewhere"):
        frame("select 1", file=tmp_path / "elsewhere.duckdb")


def test_a_statement_without_rows_gives_an_empty_frame_and_a_wrong_one_an_error(current):
    assert frame("set threads = 1").empty
    for wrong in ("select no_such_column from marts.a", "drop table marts.a", "select (i - 1)::utinyint from marts.a"):
        with pytest.raises(WarehouseError, match="the query failed"):
            frame(wrong)


def test_frame_types(current):
    data = frame(
        "select timestamptz '2026-03-29 01:30:00+00' as instant, timestamp '2026-03-29 03:30:00' as local, "
        "date '2026-03-29' as day, 0.03::decimal(38, 9) as price, null::decimal(38, 9) as none, "
        "12345678901234567890.123456789::decimal(38, 9) as much, ['a'] as words, 1 as number"
    )
    assert data["instant"][0] == pd.Timestamp("2026-03-29T01:30Z")
    assert str(data["instant"].dt.tz) == "UTC"
    assert data["local"][0] == pd.Timestamp("2026-03-29T03:30")
    assert data["day"].dt.year[0] == 2026
    assert data["price"][0] == 0.03
    assert data["much"][0] == float("12345678901234567890.123456789")
    assert data["none"].isna().all()
    assert list(data["words"][0]) == ["a"]


def test_a_decimal_in_a_frame_is_the_nearest_double(current):
    texts = [
        f"{sign}{whole}.{part:09d}"
        for sign in ("", "-")
        for whole in (0, 7, 123456)
        for part in range(0, 10**9, 9_999_991)
    ]
    data = frame("select x::decimal(38, 9) as x from unnest(?::varchar[]) t(x)", params=[texts])
    assert data["x"].tolist() == [float(text) for text in texts]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_machine_s_time_zone_changes_nothing(current, zone):
    code = (
        "from warehouse.query import frame, query; sql = \"select date_trunc('day', timestamptz '2026-03-29 23:30:00+00')::varchar as day\";"
        "print(frame(sql)['day'][0], query(sql)[1][0][0])"
    )
    environment = os.environ | {"TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "2026-03-29 00:00:00+00 2026-03-29 00:00:00+00\n"


def test_query_gives_columns_and_python_values(current):
    columns, rows = query(
        "select 1.50::decimal(38, 9) as price, date '2026-03-29' as day, timestamptz '2026-03-29 00:00:00+00' as instant"
    )
    assert columns == ["price", "day", "instant"]
    assert rows == [(Decimal("1.50"), date(2026, 3, 29), datetime(2026, 3, 29, tzinfo=timezone.utc))]


@pytest.mark.parametrize(
    "sql",
    [
        "drop table marts.a",
        "insert into marts.a values (1, 1)",
        "copy marts.a to '{home}/out.csv'",
        "copy (select 1) to '{home}/out.parquet' (format parquet)",
        "select * from read_text('/etc/passwd')",
        "select * from '{home}/other.csv'",
        "attach '{home}/new.duckdb' as new",
        "attach '{build}' as build_file (read_only)",
        "export database '{home}/exported'",
        "set enable_external_access = true",
        "install httpfs",
        "load '{home}/evil.duckdb_extension'",
        "select * from settings",
        "this is no sql",
    ],
)
def test_query_reads_the_published_file_and_nothing_else(current, sql):
    (current.home / "other.csv").write_text("a\n1\n")
    before = sorted(current.home.rglob("*"))
    with pytest.raises(WarehouseError, match="the query failed"):
        query(sql.format(home=current.home, build=current.build_file))
    assert sorted(current.home.rglob("*")) == before
    assert query("select count(*) from marts.a")[1] == [(5000,)]
