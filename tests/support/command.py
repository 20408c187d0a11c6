"""The command as a process that is forked off one with the libraries loaded, which takes a second each time otherwise.

Such a process has memory, environment, files and an exit code of its own. How the command starts from nothing, and how
it dies, is seen where tests start `python -m pipelines.cli` themselves. Does not belong here: what is asked of it.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest

from pipelines.lake.store import DeltaStore

PATIENCE_SECONDS = 300
COMMAND = [sys.executable, "-m", "pipelines.cli"]

FORKS = multiprocessing.get_context("forkserver")
# not pipelines.cli itself: it looks at its terminal while it is imported
FORKS.set_forkserver_preload(["pipelines.sync.dry_run", "pipelines.status", "rich.progress", "rich.table", "typer"])


def environment(home: Path, env: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """This process's environment with a tenant's settings and no others. env: the tenant's."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("SMART_CHARGING_", "CHARGELAKE_"))
    }
    fast = {"CHARGELAKE_MAX_TRIES": "2", "CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000"}
    return clean | dict(env or {}) | fast | {"CHARGELAKE_HOME": str(home), "COLUMNS": "200"} | more


def run_command(
    *arguments: str, environment: Mapping[str, str], killed_after: int = 0
) -> subprocess.CompletedProcess[str]:
    """`python -m pipelines.cli` with these arguments in exactly this environment, and what it said.

    killed_after: the commit of a table after which it is killed; 0: it is not.
    """
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = FORKS.Process(target=_command, args=(arguments, dict(environment), out, err, killed_after))
        process.start()
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            pytest.fail(f"{' '.join(arguments)} was not done after {PATIENCE_SECONDS} s:\n{err.read_text()}")
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def _command(arguments: tuple[str, ...], environment: dict[str, str], out: Path, err: Path, killed_after: int) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    if killed_after:
        _kill_after(killed_after)
    sys.argv = ["chargelake", *arguments]
    runpy.run_module("pipelines.cli", run_name="__main__", alter_sys=True)


def _kill_after(commit: int) -> None:
    append, left = DeltaStore.append, commit

    def killing(store: DeltaStore, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        nonlocal left
        append(store, rows, transactions)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    DeltaStore.append = killing  # type: ignore[method-assign]
