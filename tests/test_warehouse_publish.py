"""Generations: whole or not at all, never in a reader's way, for the owner only, without personal columns."""

import os
import shutil
import subprocess
import sys
import textwrap

import duckdb
import pytest
from support.build_file import PERSON, finish_build

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.files import exclusive
from warehouse.publish import publish


def published(settings: LakeSettings) -> tuple[int, int]:
    """Which build each reader sees, and how many rows; all tables must be of one build."""
    with duckdb.connect(str(settings.published_file.resolve()), read_only=True) as connection:
        seen = set()
        for table in ("marts.a", "marts.b", "ops.c"):
            row = connection.execute(f"select min(build), max(build), count(*) from {table}").fetchone()
            assert row[0] == row[1]
            seen.add((row[0], row[2]))
    (only,) = seen
    return only


@pytest.fixture
def settings(tmp_path) -> LakeSettings:
    return LakeSettings(home=tmp_path, generations_kept=2)


def test_a_generation_holds_every_public_table_with_its_descriptions(settings):
    finish_build(settings, 1)
    report = publish(settings)
    assert report.rows == {"marts.a": 5000, "marts.b": 5000, "ops.c": 5000}
    assert report.bytes_written == report.file.stat().st_size
    assert published(settings) == (1, 5000)
    with duckdb.connect(str(report.file), read_only=True) as connection:
        assert connection.execute("select distinct schema_name from duckdb_tables() order by 1").fetchall() == [
            ("marts",),
            ("ops",),
        ]
        comments = "select comment from duckdb_tables() where table_name = 'a' union all "
        comments += "select comment from duckdb_columns() where table_name = 'a' and column_name = 'i'"
        assert {row[0] for row in connection.execute(comments).fetchall()} == {"What the person's a is", "Count, kWh"}


def test_the_file_has_the_format_of_older_duckdb(settings):
    """Storage version 64 is what DuckDB 1.0 and 1.1 write and read."""
    finish_build(settings, 1)
    header = publish(settings).file.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64


def test_personal_columns_are_published_only_on_request(settings):
    finish_build(settings, 1)
    assert PERSON.encode() not in publish(settings).file.read_bytes()
    asked = settings.model_copy(update={"publish_personal": True})
    report = publish(asked)
    assert report.rows["personal.users"] == 1
    assert PERSON.encode() in report.file.read_bytes()


def test_files_are_for_the_owner_only_and_home_can_be_moved(settings, tmp_path_factory):
    finish_build(settings, 1)
    report = publish(settings)
    assert report.file.stat().st_mode & 0o777 == 0o600
    assert report.file.parent.stat().st_mode & 0o777 == 0o700
    assert not settings.published_file.readlink().is_absolute()
    moved = tmp_path_factory.mktemp("elsewhere") / "home"
    shutil.move(settings.home, moved)
    assert published(LakeSettings(home=moved)) == (1, 5000)


def test_a_reader_that_stays_is_not_disturbed_and_newcomers_see_the_new(settings):
    finish_build(settings, 1)
    publish(settings)
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); input();"
        "print(c.execute('select min(build), max(build), count(*) from marts.a').fetchone(), flush=True)"
    )
    other_process = subprocess.Popen(
        [sys.executable, "-c", script, str(settings.published_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other_process.stdout.readline() == "open\n"
    with duckdb.connect(str(settings.published_file), read_only=True) as stays:
        for generation in range(2, 6):  # more than are kept, so the file it holds is gone
            finish_build(settings, generation)
            publish(settings)
        assert stays.execute("select min(build), max(build), count(*) from marts.b").fetchone() == (1, 1, 5000)
        assert published(settings) == (5, 5000)
    answer, _ = other_process.communicate("\n")
    assert answer == "(1, 1, 5000)\n"


def test_the_last_few_generations_are_kept(settings):
    for generation in range(1, 6):
        finish_build(settings, generation, rows=10)
        publish(settings)
    kept = sorted(path.name.split("-")[0] for path in (settings.warehouse_folder / "generations").iterdir())
    assert kept == ["000003", "000004", "000005"]
    assert settings.published_file.resolve().name.startswith("000005-")


KILLED = """
import os, signal, sys
from pathlib import Path
import warehouse.files, warehouse.publish as p
from pipelines.settings import LakeSettings

wanted, seen = int(sys.argv[2]), 0

def deadly(function):
    def wrapper(*arguments, **options):
        global seen
        seen += 1
        if seen == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return wrapper

for name in ("_copy_table", "sync_to_disk", "_flip", "_forget_old"):
    setattr(p, name, deadly(getattr(p, name)))
for name in ("rename", "symlink_to", "replace", "unlink", "chmod"):
    setattr(Path, name, deadly(getattr(Path, name)))
p.publish(LakeSettings(home=Path(sys.argv[1]), generations_kept=1))
print("survived after", seen)
"""


def test_a_kill_at_any_instant_leaves_a_whole_generation(settings, tmp_path):
    """One process for each step of a publish, killed before that step; the last one survives."""
    (tmp_path / "killed.py").write_text(textwrap.dedent(KILLED))
    for generation in (1, 2):
        finish_build(settings, generation, rows=100)
        publish(settings)
    finish_build(settings, 3, rows=300)
    seen, step = [], 0
    while True:
        step += 1
        home = tmp_path / f"copy{step}"
        shutil.copytree(settings.warehouse_folder, home / "warehouse", symlinks=True)
        ended = subprocess.run(
            [sys.executable, str(tmp_path / "killed.py"), str(home), str(step)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
        copy = LakeSettings(home=home, generations_kept=1)
        seen.append(published(copy))
        if ended.returncode == 0:
            break
        assert ended.returncode == -9, ended.stderr
        publish(copy)
        assert published(copy) == (3, 300)
        assert not [path for path in copy.warehouse_folder.rglob("*") if "unfinished" in path.name]
        assert len(list((copy.warehouse_folder / "generations").iterdir())) == 2
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert set(seen) == {(2, 100), (3, 300)}


def test_an_unfinished_build_is_not_published(settings):
    with pytest.raises(WarehouseError, match="run `chargelake build`"):
        publish(settings)
    finish_build(settings, 1)
    publish(settings)
    finish_build(settings, 2)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("update state.current_build set is_complete = false")
    with pytest.raises(WarehouseError, match="did not come to its end"):
        publish(settings)
    assert published(settings) == (1, 5000)


def test_only_one_at_a_time(settings):
    finish_build(settings, 1)
    with exclusive(settings), pytest.raises(WarehouseError, match="another build or publish is at work"):
        publish(settings)
    publish(settings)


def test_who_comes_right_after_a_kill_waits_until_the_killed_ones_lock_is_free(settings):
    """A dbt that is killed along with its build holds the lock until its last write is done."""
    finish_build(settings, 1)
    holds = (
        "import fcntl, sys, time; held = open(sys.argv[1], 'w');"
        "fcntl.flock(held, fcntl.LOCK_EX); print(flush=True); time.sleep(1)"
    )
    command = [sys.executable, "-c", holds, settings.warehouse_folder / "lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as dying:
        assert dying.stdout.readline()
        publish(settings)
    assert published(settings) == (1, 5000)


def test_a_disk_that_cannot_be_written_is_named(settings):
    finish_build(settings, 1)
    publish(settings)
    shutil.rmtree(settings.warehouse_folder / "generations")
    (settings.warehouse_folder / "generations").write_text("a file where a folder should be")
    with pytest.raises(WarehouseError, match=r"expected to write in .*generations"):
        publish(settings)


def test_a_copy_that_lost_rows_is_refused(settings, monkeypatch):
    finish_build(settings, 1)
    publish(settings)
    finish_build(settings, 2)
    real = duckdb.connect

    class Lossy:
        def __init__(self, connection):
            self.connection = connection

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, sql, *more):
            return self.connection.execute(sql + (" limit 10" if sql.startswith("create table") else ""), *more)

    monkeypatch.setattr("warehouse.publish.duckdb.connect", lambda *a, **k: Lossy(real(*a, **k)))
    with pytest.raises(WarehouseError, match=r"marts\.a: expected the build's rows"):
        publish(settings)
    monkeypatch.undo()
    assert published(settings) == (1, 5000)
    assert not list(settings.warehouse_folder.rglob("*unfinished*"))
