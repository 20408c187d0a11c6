"""Runs dbt in a process of its own and says what became of every model and test.

A process of its own because dbt keeps state (adapters, flags, log handlers, its DuckDB connection) for as long as
its process lives. Does not belong here: paths and environment (project.py), preparing the database (build.py).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.files import private_folder, waiting_lock
from warehouse.project import (
    dbt_executable,
    dbt_folder,
    environment,
    log_folder,
    process_environment,
    project_fingerprint,
    target_folder,
)

_LINES_SHOWN = 8
_RESULTS = "run_results.json"
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d\s*")


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of one node of the project.

    kind: model, seed, test or unit_test. status: success, pass, warn, error, fail or skipped.
    failures: rows that a test found, None for other nodes. message: dbt's own, may span lines.
    """

    kind: str
    name: str
    status: str
    seconds: float
    failures: int | None
    message: str

    @property
    def is_bad(self) -> bool:
        return self.status in {"error", "fail", "runtime error"}


def run_dbt(settings: LakeSettings, *arguments: str, inherit: Sequence[int] = ()) -> list[NodeResult]:
    """Run one dbt command on the build database; its results in the order in which dbt finished.

    inherit: file descriptors that the process shall keep open (a lock). Raises WarehouseError naming what failed,
    with the first lines of the message and where the full log is.
    """
    with start_dbt(settings, "--quiet", *arguments, inherit=inherit) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    return finish_dbt(settings, arguments[0], process.returncode, said.decode(errors="replace"))


def start_dbt(settings: LakeSettings, *arguments: str, inherit: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """`run_dbt` for a caller that wants to hear what dbt says while it runs: everything it says is in `stdout`.

    To be followed by `finish_dbt`.
    """
    target = private_folder(target_folder(settings))
    private_folder(log_folder(settings))
    (target / _RESULTS).unlink(missing_ok=True)
    return subprocess.Popen(  # noqa: S603 (our own executable, no shell)
        [dbt_executable(), *arguments],
        env=process_environment(settings),
        cwd=target,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=tuple(inherit),
    )


def finish_dbt(settings: LakeSettings, command: str, exit_code: int, said: str) -> list[NodeResult]:
    """What a dbt that has ended leaves behind. said: shown where it left nothing. Raises WarehouseError."""
    log = log_folder(settings) / "dbt.log"
    results = _read_results(target_folder(settings) / _RESULTS)
    bad = [result for result in results if result.is_bad]
    if bad:
        first, others = bad[0], len(bad) - 1
        more = f" (and {others} more)" if others else ""
        raise WarehouseError(f"{first.kind} {first.name} failed{more}: {_first_lines(first.message)}\nfull log: {log}")
    if exit_code != 0:
        raise WarehouseError(_failure(command, exit_code, said, log))
    return results


def manifest_file(settings: LakeSettings) -> Path:
    """The parsed project, for tools that read it (Dagster's graph); parsed again only when something has changed.

    Kept apart from what builds write, so that a reader never meets half a file. Raises WarehouseError.
    """
    folder = private_folder(dbt_folder(settings) / "parsed")
    manifest, stamp = folder / "manifest.json", folder / "stamp"
    expected = json.dumps([project_fingerprint(), environment(settings)])
    with waiting_lock(folder / "lock"):
        if manifest.exists() and stamp.exists() and stamp.read_text() == expected:
            return manifest
        stamp.unlink(missing_ok=True)
        private_folder(log_folder(settings))
        finished = subprocess.run(  # noqa: S603 (our own executable, no shell)
            [dbt_executable(), "--quiet", "parse", "--target-path", str(folder)],
            env=process_environment(settings),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise WarehouseError(
                _failure("parse", finished.returncode, finished.stdout, log_folder(settings) / "dbt.log")
            )
        stamp.write_text(expected)
    return manifest


def _failure(command: str, exit_code: int, said: str, log: Path) -> str:
    full = "The disk is full: free some space and run again. " if "No space left on device" in said else ""
    return f"{full}dbt {command} ended with {exit_code}: {_first_lines(said) or 'it said nothing'}\nfull log: {log}"


def _first_lines(text: str) -> str:
    """What dbt says before its traceback, without the time in front of each line."""
    lines = [_CLOCK.sub("", line.rstrip()) for line in text.partition("Traceback")[0].splitlines()]
    return "\n".join([line for line in lines if line][:_LINES_SHOWN])


def _name(unique_id: str) -> str:
    """`test.chargelake.unique_x.1a2b` -> `unique_x`; `unit_test.chargelake.model.case` -> `model.case`."""
    parts = unique_id.split(".")
    return ".".join(parts[2:]) if parts[0] == "unit_test" else parts[2]


def _read_results(path: Path) -> list[NodeResult]:
    """The results that dbt left behind; none when it died before it could write them."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [
        NodeResult(
            kind=str(node["unique_id"]).split(".")[0],
            name=_name(str(node["unique_id"])),
            status=str(node["status"]),
            seconds=float(node["execution_time"]),
            failures=node.get("failures"),
            message=str(node.get("message") or ""),
        )
        for node in document["results"]
    ]
