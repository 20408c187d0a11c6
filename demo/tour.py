"""The newcomer's first run: start a demo tenant, do a night against it, show what an analyst would see, stop it.

Everything goes through the same doors as with a real tenant; only the address and the credentials are the demo's.
Does not belong here: serving the tenant (server.py), the night itself (assets/night.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.run import credentials
from pipelines import console, views
from pipelines.errors import ChargelakeError
from pipelines.settings import LakeSettings, load

TOTALS = """
    select count(*) as sessions,
           round(sum(energy_kwh), 2) as energy_kwh,
           count(distinct user_id) as users,
           count(distinct charging_location_id) as locations,
           cast(min(local_date) as varchar) || ' .. ' || cast(max(local_date) as varchar) as days
    from marts.fct_sessions
"""

LAST_DAYS = """
    select local_date as day,
           count(*) as sessions,
           count(distinct user_id) as users,
           round(sum(energy_kwh), 1) as kwh,
           round(100.0 * count(*) filter (where is_managed) / count(*)) as managed_percent,
           round(sum(charge_costs) filter (where currency = 'NOK'), 2) as costs_nok,
           round(sum(savings) filter (where currency = 'NOK'), 2) as savings_nok
    from marts.fct_sessions
    group by local_date
    order by local_date desc
    limit 7
"""

EXAMPLE = (
    "select vehicle_brand, sum(sessions) as sessions, round(sum(energy_kwh)) as kwh"
    " from marts.agg_daily_kpis group by 1 order by 2 desc"
)


def tour() -> int:
    """Run the tour on CHARGELAKE_HOME and return the night's exit code."""
    settings = load(LakeSettings)
    state = settings.home.absolute() / "demo" / "tenant.json"
    if Path(settings.lake_root).exists() and not state.exists():
        raise ChargelakeError(
            f"{settings.lake_root} holds another tenant's data, and the demo would mix with it."
            " Set CHARGELAKE_HOME to an empty folder for the demo."
        )
    state.parent.mkdir(parents=True, exist_ok=True)
    again = settings.published_file.exists()
    with _running_tenant(state) as address:
        os.environ |= credentials(address)
        os.environ.setdefault("CHARGELAKE_TIME_ZONE", "Europe/Oslo")
        # the defaults are polite to a tenant that serves others; this one is ours alone
        os.environ.setdefault("CHARGELAKE_MAX_REQUESTS_PER_SECOND", "2000")
        os.environ.setdefault("CHARGELAKE_MAX_CONCURRENCY", "16")
        console.out.print(
            f"The demo tenant answers at {address}. Its clock stands where its data ends.", highlight=False
        )
        return _night(settings, again=again)


def _night(settings: LakeSettings, *, again: bool) -> int:
    # Dagster takes seconds to load: only after the tenant has been shown to answer
    from assets.night import run_night
    from warehouse.query import query

    console.out.print("The night begins: pull, build, publish ...")
    with console.sync_progress() as progress:
        night = run_night(progress)
    views.show_night(night, as_json=False)
    if again:
        written = sum(report.rows_written for report in night.sync.collections)
        requests = sum(report.counters.requests for report in night.sync.collections)
        console.out.print(f"This was an incremental night: {requests} requests, {written} rows written.")
    if night.published is not None:
        for title, sql in (("In all", TOTALS), ("The last days", LAST_DAYS)):
            console.heading(title)
            console.show_rows(*query(sql, file=settings.published_file), as_json=False)
        console.out.print(f"\nThe warehouse: {settings.published_file}", highlight=False, soft_wrap=True)
        console.out.print(f"Ask it:        {sys.argv[0]} query '{EXAMPLE}'", highlight=False, soft_wrap=True)
    return night.exit_code


@contextmanager
def _running_tenant(state: Path) -> Iterator[str]:
    """A demo tenant in a process of its own, stopped when the context ends."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise ChargelakeError(f"the demo tenant did not start: {line.strip() or 'see above'}")
        yield found.group()
    finally:
        process.terminate()
        process.wait(timeout=20)
