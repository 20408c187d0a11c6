"""What a command loads before it answers, only what it needs; and how it leaves."""

import os
import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "dagster", "dbt", "deltalake", "duckdb", "httpx", "numpy", "pandas", "pyarrow", "pydantic_settings"}


def loaded_by(home, *arguments):
    """The packages that a call of the command has loaded when it ends."""
    code = f"""
import sys
from pipelines.cli import main
sys.argv = ["chargelake", *{arguments!r}]
try:
    main()
finally:
    print("loaded:", *{{name.split(".")[0] for name in sys.modules}}, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"CHARGELAKE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return HEAVY & set(done.stderr.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("nightly", "--help"), ("demo", "--help")])
def test_help_waits_for_nothing(tmp_path, arguments):
    assert loaded_by(tmp_path, *arguments) == set()


def test_status_and_query_load_no_client_no_dagster_and_no_pandas(tmp_path):
    assert "deltalake" in (found := loaded_by(tmp_path, "status", "--json"))
    assert not found & {"aiohttp", "dagster", "dbt", "httpx", "pandas"}
    assert "duckdb" in (found := loaded_by(tmp_path, "query", "select 1"))
    assert not found & {"aiohttp", "dagster", "dbt", "httpx", "pandas", "deltalake"}


def test_who_asks_arrow_for_a_frame_gets_one_all_the_same():
    code = """
from pipelines.quick_start import load_arrow_without_pandas
load_arrow_without_pandas()
import sys
import pyarrow.dataset
assert "pandas" not in sys.modules
frame = pyarrow.table({"kwh": [1.5, 2.5]}).to_pandas()
import pandas
assert isinstance(frame, pandas.DataFrame) and frame.kwh.sum() == 4
assert pyarrow.array(pandas.Series([1, None])).null_count == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(("stop", "code"), [("SystemExit()", 0), ("SystemExit(3)", 3)])
def test_a_command_that_is_done_leaves_before_the_interpreter_is_taken_down(stop, code):
    """What libraries' threads do meanwhile can turn its exit code into that of an abort."""
    code_of_command = f"""
import atexit, sys
from pipelines import cli
class Last:
    def __del__(self):
        print("taken down", file=sys.__stderr__, flush=True)
def main():
    cli.last = Last()
    print("said", end="")
    raise {stop}
atexit.register(lambda: print(" and tidied", end=""))
cli.main = main
cli.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", code_of_command], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "said and tidied", "")
