"""Runs dbt in a process of its own and says what became of every model and test.

A process of its own because dbt keeps state (adapters, flags, log handlers, its DuckDB connection) for as long as
its process lives. Does not belong here: paths and environment (project.py), preparing the database (build.py).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.files import private_folder
from warehouse.project import dbt_executable, log_folder, process_environment, target_folder

_LINES_SHOWN = 8


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
    target = private_folder(target_folder(settings))
    log = private_folder(log_folder(settings)) / "dbt.log"
    results_file = target / "run_results.json"
    results_file.unlink(missing_ok=True)
    finished = subprocess.run(
        [dbt_executable(), "--quiet", *arguments],
        env=process_environment(settings),
        cwd=target,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        pass_fds=tuple(inherit),
        check=False,
    )
    results = _read_results(results_file)
    bad = [result for result in results if result.is_bad]
    if bad:
        first, others = bad[0], len(bad) - 1
        more = f" (and {others} more)" if others else ""
        raise WarehouseError(f"{first.kind} {first.name} failed{more}: {_first_lines(first.message)}\nfull log: {log}")
    if finished.returncode != 0:
        said = _first_lines(finished.stdout.strip() or finished.stderr.strip() or "it said nothing")
        raise WarehouseError(f"dbt {arguments[0]} ended with {finished.returncode}: {said}\nfull log: {log}")
    return results


def _first_lines(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:_LINES_SHOWN])


def _read_results(path: Path) -> list[NodeResult]:
    """The results that dbt left behind; none when it died before it could write them."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [
        NodeResult(
            kind=str(node["unique_id"]).split(".")[0],
            name=str(node["unique_id"]).split(".")[2],
            status=str(node["status"]),
            seconds=float(node["execution_time"]),
            failures=node.get("failures"),
            message=str(node.get("message") or ""),
        )
        for node in document["results"]
    ]
