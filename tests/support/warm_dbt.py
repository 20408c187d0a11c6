"""dbt in processes forked off one that has it loaded and has parsed once: loading takes longer than building a few models.

Such a process has the arguments, environment, folder, output and exit code that `warehouse.dbt` gave it, and ends with
its run. How dbt's own command starts and dies is seen where tests use it: in Dagster's nights and in `chargelake nightly`.
Does not belong here: what is built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

UNASKED = "ignore:resource_tracker:UserWarning"
"""What Python says at the end of locks of processes that left without it."""


class WarmDbt:
    """Stands for the module `subprocess` where dbt is started; makes no other process."""

    STDOUT, PIPE, DEVNULL = subprocess.STDOUT, subprocess.PIPE, subprocess.DEVNULL
    run = staticmethod(subprocess.run)

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """environment: of a dbt that may parse, with outputs of its own. folder: for what dbt says."""
        self._folder = folder
        self._runs = 0
        self._server = subprocess.Popen(
            [sys.executable, "-P", __file__],
            env=dict(environment) | {"PYTHONWARNINGS": UNASKED},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def Popen(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, **_: Any) -> _Run:
        self._runs += 1
        output = self._folder / f"{self._runs}.txt"
        order = {"arguments": command[1:], "environment": dict(env), "folder": str(cwd), "output": str(output)}
        print(json.dumps(order), file=self._server.stdin, flush=True)
        return _Run(self._server, output)

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


class _Run:
    """As much of a `subprocess.Popen` as the callers of dbt use."""

    returncode: int
    """Known when `communicate` has come back."""

    def __init__(self, server: subprocess.Popen[str], output: Path) -> None:
        self._server = server
        self._output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def communicate(self) -> tuple[bytes, None]:
        self.returncode = int(self._server.stdout.readline())
        return self._output.read_bytes(), None

    def kill(self) -> None:
        self._server.kill()


def _serve() -> None:
    """Take orders from the standard input, one after the other, and answer each with an exit code."""
    from dbt.cli.main import dbtRunner

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    assert dbtRunner().invoke(["--quiet", "parse"]).success
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _carry_out(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _carry_out(order: dict[str, Any]) -> None:
    from dbt.cli.main import cli

    code: Any = 1
    try:
        os.environ.clear()
        os.environ.update(order["environment"])
        time.tzset()
        os.chdir(order["folder"])
        said = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        cli(order["arguments"])
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
