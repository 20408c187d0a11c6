"""How long a build takes, in full and after a change, how long publishing, and how long the questions of dashboards.

    python -m benchmarks.warehouse                      # a million sessions, a change of 1 %, three rounds
    python -m benchmarks.warehouse --sessions 100000 --rounds 1 --nodes 20

In every round the lake grows by a night; then one home builds what changed and another one everything, so that both
share what else the machine does. Told are medians of the rounds and their ratios, and whether both homes hold the
same rows. `bare` is a dbt that has nothing to do: what it takes to start and to read the project.
Does not belong here: the lake (large_lake.py).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from benchmarks.large_lake import LargeLake
from pipelines.settings import LakeSettings
from warehouse.build import BuildReport, build
from warehouse.dbt import run_dbt
from warehouse.project import PUBLIC_SCHEMAS, model_tables
from warehouse.publish import publish

DASHBOARD = {
    "days of a month": """
        select local_date, sum(sessions), sum(energy_kwh), sum(managed_energy_kwh) / sum(energy_kwh)
        from marts.agg_daily_kpis where local_date >= date '2026-10-01' group by 1 order by 1""",
    "months by country and currency": """
        select date_trunc('month', local_date), country, currency, sum(sessions), sum(charge_costs), sum(savings)
        from marts.agg_daily_kpis group by all order by all""",
    "benefits of a month": """
        select currency, count(*), sum(charge_costs), sum(benefits) from marts.agg_monthly_user_benefits
        where local_month = date '2026-09-01' group by all""",
    "one user's sessions": """
        select * from marts.fct_sessions
        where user_id = (select min(user_id) from marts.dim_users) order by started_at desc""",
    "all sessions by hour": """
        select local_hour, count(*), sum(energy_kwh) from marts.fct_sessions group by 1 order by 1""",
    "active users of a month": """
        select count(distinct user_id) from marts.fct_sessions
        where local_date between date '2026-10-01' and date '2026-10-31'""",
    "active users of all months": """
        select date_trunc('month', local_date), count(distinct user_id)
        from marts.fct_sessions group by 1 order by 1""",
    "sun by month": """
        select local_month, sum(energy_kwh), sum(estimated_solar_kwh) from marts.agg_monthly_solar group by 1""",
    "freshness": "select * from ops.freshness order by collection",
}


def main() -> None:
    """Run the rounds and print what they took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--changed", type=int, help="sessions a night; one in a hundred where not told")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=0, help="tell so many models and tests that took longest")
    parser.add_argument("--folder", type=Path, help="where to work and leave everything; else a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        lake = LargeLake(folder / "lake", options.sessions)
        lake.first_night()
        measure(folder, lake, options.changed or options.sessions // 100, options.rounds, options.nodes)


def measure(folder: Path, lake: LargeLake, changed: int, rounds: int, nodes: int) -> dict[str, list[float]]:
    """Seconds by what was done, one for each round; and milliseconds of each dashboard's question."""
    kept, fresh = (LakeSettings(home=folder / name, lake=str(lake.root)) for name in ("kept", "fresh"))
    taken: dict[str, list[float]] = defaultdict(list)
    by_node: dict[str, dict[str, list[float]]] = {"change": defaultdict(list), "full": defaultdict(list)}
    build(kept)
    for _ in range(rounds):
        with timed("bare", taken):
            run_dbt(kept, "run", "--select", "config.materialized:none")
        with timed("nothing new", taken):
            note(build(kept), "nothing new", taken)
        lake.next_night(changed)
        with timed("change", taken):
            note(build(kept), "change", taken, by_node["change"])
        with timed("full", taken):
            note(build(fresh, full_refresh=True), "full", taken, by_node["full"])
        with timed("publish", taken):
            publish(kept)
    for name, seconds in sorted(taken.items()):
        print(f"{name:<40}{statistics.median(seconds):>8.2f} s  {[round(value, 2) for value in seconds]}")
    for clock in ("", " (CPU)"):
        rounds_of = zip(*(taken[name + clock] for name in ("bare", "change", "full")), strict=True)
        ratios = [(change - bare) / (full - bare) for bare, change, full in rounds_of]
        print(
            f"change / full, less bare{clock}: {statistics.median(ratios):.2f}  {[round(ratio, 2) for ratio in ratios]}"
        )
    for name, found in by_node.items():
        slowest = sorted(found.items(), key=lambda item: -statistics.median(item[1]))[:nodes]
        for node, seconds in slowest:
            print(f"  {name:<8}{node:<64}{statistics.median(seconds):>8.2f}")
    tell_differences(kept, fresh)
    return taken | tell_queries(kept.published_file)


@contextmanager
def timed(name: str, taken: dict[str, list[float]]) -> Iterator[None]:
    """Seconds on the wall, and of all processors that this and its children used: what others do counts less there."""
    began, used = time.monotonic(), sum(os.times()[:4])
    yield
    taken[name].append(time.monotonic() - began)
    taken[f"{name} (CPU)"].append(sum(os.times()[:4]) - used)


def note(
    report: BuildReport, name: str, taken: dict[str, list[float]], by_node: dict[str, list[float]] | None = None
) -> None:
    for kind in ("model", "test"):
        found = [node for node in report.nodes if node.kind == kind]
        taken[f"{name}: {kind}s"].append(sum(node.seconds for node in found))
    if by_node is not None:
        for node in report.nodes:
            by_node[node.name].append(node.seconds)


def tell_differences(one: LakeSettings, other: LakeSettings) -> None:
    """Tables whose rows are not the same in both builds."""
    with duckdb.connect() as connection:
        for name, settings in (("one", one), ("other", other)):
            connection.execute(f"attach '{settings.build_file}' as {name} (read_only)")
        for table in model_tables(*PUBLIC_SCHEMAS):
            for mine, theirs in (("one", "other"), ("other", "one")):
                rows = connection.sql(f"from {mine}.{table} except all from {theirs}.{table}").shape[0]
                if rows:
                    print(f"DIFFERENT: {rows} rows of {table} only in {mine}")


def tell_queries(published: Path) -> dict[str, list[float]]:
    """Milliseconds by question, each on a connection of its own that has opened the file.

    Told are the first run, then the median and the best of 19 more; these are given back.
    """
    print(f"published: {published.stat().st_size / 1e6:.0f} MB")
    taken = {}
    for name, sql in DASHBOARD.items():
        with duckdb.connect(str(published.resolve()), read_only=True) as connection:
            seconds = []
            for _ in range(20):
                began = time.monotonic()
                connection.execute(sql).fetchall()
                seconds.append(time.monotonic() - began)
        first, *then = (1000 * value for value in seconds)
        taken[f"question: {name}"] = then
        print(f"{name:<32}{first:>8.1f} ms first, {statistics.median(then):>7.1f} ms then, best {min(then):.1f} ms")
    return taken


if __name__ == "__main__":
    main()
