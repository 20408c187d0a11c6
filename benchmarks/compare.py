"""chargelake and its peers on the same tenant and the same work, in turn, as one table of ratios: `make bench`.

    python -m benchmarks.compare            # some 20 minutes; --quick: some 4, of a smaller tenant

The tenant has a processor of its own, who asks it the other one. In each round everybody has a turn, so that all share
what else the machine does; a ratio is of one round, told as the median of all rounds with the least and the greatest.
Ratios of processor seconds hold better than those of the wall where others are at work.
Peers (benchmarks/clients): `bare` is our own client that downloads and decodes; `dlt` runs in .venv-bench.
Does not belong here: how a peer works, the warehouse (warehouse.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.large_lake import LargeLake
from benchmarks.tenant import ROOT, correct_costs, processors, requests_of, running_tenant
from benchmarks.warehouse import measure
from demo.run import credentials
from pipelines.contract import LISTS

PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
SETTINGS = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_MAX_CONCURRENCY": "16"}
SESSIONS_OF_A_COPY, SESSIONS_OF_NEWEST_FIVE = 6878, 449

Told = dict[str, float]


@dataclass(frozen=True)
class Size:
    """copies: of the demo tenant's 6,878 sessions, each time. rounds: of the first pull; the others have fewer."""

    copies: int
    large_copies: int
    fan_out_copies: int
    warehouse_sessions: int
    rounds: int
    more_rounds: int


FULL = Size(15, 146, 45, 1_000_000, 3, 2)
QUICK = Size(3, 9, 5, 100_000, 3, 1)


@dataclass
class Table:
    """The ratios so far. A row: what, against whom, ratios of the rounds, what is to be reached."""

    rows: list[tuple[str, str, list[float], float | None]] = field(default_factory=list)

    def add(self, what: str, against: str, ratios: Iterable[float], at_most: float | None = None) -> None:
        row = (what, against, list(ratios), at_most)
        self.rows.append(row)
        print(_line(*row), flush=True)

    def show(self) -> None:
        print(f"\n{'what':<52}{'against':<34}{'median':>9}{'least':>9}{'greatest':>9}  to reach")
        for row in self.rows:
            print(_line(*row))


def _line(what: str, against: str, ratios: list[float], at_most: float | None) -> str:
    median = statistics.median(ratios)
    goal = "" if at_most is None else f"{at_most:g} {'reached' if median <= at_most else 'NOT REACHED'}"
    return f"{what:<52}{against:<34}{median:>9.3f}{min(ratios):>9.3f}{max(ratios):>9.3f}  {goal}"


def main() -> None:
    """Run everything, or what `--only` names, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true")
    parts = {"pull": pull, "large": large_pull, "night": night, "fan-out": fan_out, "warehouse": warehouse}
    parser.add_argument("--only", choices=parts, action="append")
    options = parser.parse_args()
    if not PEERS_PYTHON.exists():
        sys.exit(f"expected the peers in {PEERS_PYTHON}: run `make bench`")
    table, size = Table(), QUICK if options.quick else FULL
    for name in options.only or parts:
        parts[name](size, table)
    table.show()


def pull(size: Size, table: Table) -> None:
    """The first pull of all sessions: chargelake, the bare client, dlt without and with a cursor."""
    with running_tenant("--copies", str(size.copies)) as address:
        _work(address, "chargelake", "sessions")  # the tenant's and the disk's caches
        rounds = [
            {
                "chargelake": _work(address, "chargelake", "sessions"),
                "bare": _work(address, "bare", "sessions"),
                "dlt": _work(address, "dlt_rest", "plain"),
                "dlt, cursor": _work(address, "dlt_rest", "incremental"),
            }
            for _ in range(size.rounds)
        ]
    sessions = SESSIONS_OF_A_COPY * size.copies
    _require_rows([told for each in rounds for told in each.values()], sessions)
    what = f"first pull of {sessions:,} sessions"
    for peer, goal in (("bare", 2.0), ("dlt", 0.2), ("dlt, cursor", 0.2)):
        for unit, name in (("seconds", "seconds"), ("cpu", "processor seconds")):
            ratios = [each["chargelake"][unit] / each[peer][unit] for each in rounds]
            table.add(what, f"{peer}: {name}", ratios, goal)
    rates = [told["rows"] / told["seconds"] for told in (each["chargelake"] for each in rounds)]
    print(f"chargelake: {statistics.median(rates):,.0f} sessions a second")


def large_pull(size: Size, table: Table) -> None:
    """Ten times as many sessions: time by row, and memory."""
    peaks, times, rows = [], [], []
    for copies in (size.copies, size.large_copies):
        with running_tenant("--copies", str(copies)) as address:
            told = [_work(address, "chargelake", "sessions") for _ in range(size.more_rounds)]
        _require_rows(told, SESSIONS_OF_A_COPY * copies)
        peaks.append([each["peak_mb"] for each in told])
        times.append([each["cpu"] / each["rows"] for each in told])
        rows.append(SESSIONS_OF_A_COPY * copies)
    what = f"first pull of {rows[1]:,} sessions"
    against = f"of {rows[0]:,}"
    table.add(what, f"{against}: peak memory", _ratios(peaks), 1.3)
    table.add(what, "500 MB: peak memory", [peak / 500 for peak in peaks[1]], 1.0)
    table.add(what, f"{against}: processor s a row", _ratios(times))


def night(size: Size, table: Table) -> None:
    """The tenant's lists the night after one session in a hundred was corrected: what it asks and writes."""
    lists = ",".join(LISTS)
    with running_tenant("--copies", str(size.copies)) as address, tempfile.TemporaryDirectory() as folder:
        home, peer = Path(folder) / "home", Path(folder) / "peer"
        began = _state(address, home)
        first = _work(address, "chargelake", lists, home=home)
        after_first = _state(address, home)
        _work(address, "dlt_rest", "incremental", home=peer)
        correct_costs(address, SESSIONS_OF_A_COPY * size.copies // 100)
        before = _state(address, home)
        told = _work(address, "chargelake", lists, home=home)
        after = _state(address, home)
        seen_by_peer = _work(address, "dlt_rest", "incremental", home=peer)
    what = "night after 1 % of the sessions changed"
    for place, name in ((0, "requests"), (1, "bytes written")):
        ratio = (after[place] - before[place]) / (after_first[place] - began[place])
        table.add(what, f"first pull: {name}", [ratio], 0.05)
    table.add(what, "first pull: seconds", [told["seconds"] / first["seconds"]])
    table.add(what, "dlt, cursor: seconds", [told["seconds"] / seen_by_peer["seconds"]])
    changed = SESSIONS_OF_A_COPY * size.copies // 100
    print(f"of {changed:,} corrections chargelake kept {told['rows']:,.0f}, dlt wrote {seen_by_peer['rows']:,.0f} rows")


def fan_out(size: Size, table: Table) -> None:
    """The tariffs of each session: a request for each."""
    calls = SESSIONS_OF_NEWEST_FIVE * size.fan_out_copies
    with running_tenant("--copies", str(size.fan_out_copies), "--newest-sessions", "5") as address:
        rounds = []
        with tempfile.TemporaryDirectory() as folder:
            ready = Path(folder) / "ready"
            _work(address, "chargelake", "users,sessions", home=ready)
            for number in range(size.more_rounds):
                home = shutil.copytree(ready, Path(folder) / str(number))
                ours = _work(address, "chargelake", "session_tariffs", home=home)
                rounds.append((ours, _work(address, "bare", "tariffs"), _work(address, "dlt_rest", "fan-out")))
    what = f"fan-out of {calls:,} calls, 16 at once"
    _require_rows([told for each in rounds for told in each], int(rounds[0][1]["rows"]))
    for place, peer, goal in ((1, "bare", 1.3), (2, "dlt, parallel", None)):
        for unit, name in (("seconds", "seconds"), ("cpu", "processor seconds")):
            table.add(what, f"{peer}: {name}", [each[0][unit] / each[place][unit] for each in rounds], goal)


def warehouse(size: Size, table: Table) -> None:
    """Models after a change of 1 % against a full build, publishing, the questions of dashboards."""
    with tempfile.TemporaryDirectory() as folder:
        lake = LargeLake(Path(folder) / "lake", size.warehouse_sessions)
        lake.first_night()
        taken = measure(Path(folder), lake, size.warehouse_sessions // 100, size.more_rounds, nodes=0)
    what = f"dbt build, 1 % of {size.warehouse_sessions:,} changed"
    table.add(what, "full build: seconds", _ratios([taken["full"], taken["change"]]), 1.0)
    for clock, name in (("", "seconds"), (" (CPU)", "processor seconds")):
        parts = zip(*(taken[part + clock] for part in ("bare", "change", "full")), strict=True)
        ratios = [(change - bare) / (full - bare) for bare, change, full in parts]
        table.add(what, f"full, less dbt's start: {name}", ratios, 1 / 3)
    table.add("publishing", "full build: seconds", _ratios([taken["full"], taken["publish"]]))
    questions = {name: statistics.median(ms) for name, ms in taken.items() if name.startswith("question: ")}
    slowest = max(questions, key=lambda name: questions[name])
    print(f"slowest {slowest}: {questions[slowest]:.1f} ms")
    table.add("dashboard's question, the median one", "50 ms", [statistics.median(questions.values()) / 50], 1.0)
    table.add("dashboard's question, the slowest", "50 ms", [questions[slowest] / 50], 1.0)


def _work(address: str, client: str, what: str, home: Path | None = None) -> Told:
    """Let a client do its work in a process of its own; what it tells. home: where it keeps things, else nowhere."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = str(home or temporary)
        python = str(PEERS_PYTHON) if client.startswith("dlt") else sys.executable
        command = [python, "-m", f"benchmarks.clients.{client}", what]
        done = subprocess.run(
            [*command, folder] if client.startswith("dlt") else command,
            env=os.environ | credentials(address) | SETTINGS | {"CHARGELAKE_HOME": folder},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=_on_the_other_processor,
        )
    if done.returncode:
        sys.exit(f"{client} {what} ended with {done.returncode}: {done.stderr[-800:]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    print(
        f"  {client:<12}{what[:24]:<26}{told['rows']:>11,.0f} rows{told['seconds']:>9.2f} s"
        f"{told['cpu']:>9.2f} s of processor{told['peak_mb']:>6.0f} MB",
        flush=True,
    )
    return told


def _on_the_other_processor() -> None:
    os.sched_setaffinity(0, processors()[1])


def _state(address: str, home: Path) -> tuple[int, int]:
    """Requests that the tenant has met, and bytes of rows and log in the lake."""
    lake = (file.stat().st_size for file in (home / "lake").rglob("*") if file.is_file())
    return sum(requests_of(address).values()), sum(lake)


def _require_rows(told: Sequence[Told], rows: int) -> None:
    """Whoever was fast must also have been right."""
    wrong = [each for each in told if each["rows"] != rows]
    if wrong:
        sys.exit(f"expected {rows:,} rows, came {wrong}")


def _ratios(both: list[list[float]]) -> list[float]:
    """Of what came second to what came first, round by round."""
    return [second / first for first, second in zip(*both, strict=True)]


if __name__ == "__main__":
    main()
