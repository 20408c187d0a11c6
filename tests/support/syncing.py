"""Syncs for tests: settings from an environment, a run, and what it left behind.

Does not belong here: tenants (other_tenant.py, other_under.py, demo.py), expectations.
"""

import copy
import shutil
from pathlib import Path

from support.lake_truth import SAME, differences
from support.other_family import TABLES
from support.other_tenant import serving
from support.other_under import KEYS

from pipelines.contract import RESOURCES
from pipelines.lake import Lake
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync import Order, run_sync

FAST = {"max_requests_per_second": 100_000, "max_tries": 1, "max_concurrency": 8}


def api_settings(env):
    return ApiSettings(**{name.removeprefix("SMART_CHARGING_").lower(): value for name, value in env.items()})


def sync(env, home, *, until=None, collections=tuple(RESOURCES), ranges=None, deep=False, **settings):
    """A whole run in this process."""
    return run_sync(
        Order(collections=collections, until=until, ranges=ranges, deep=deep),
        api=api_settings(env),
        sync=SyncSettings(**(FAST | settings)),
        lake=LakeSettings(home=Path(home)),
    )


def pulled(tenant, home, **options):
    """A tenant and the lake that was pulled from it, for several tests to begin with: see `begin_with`."""
    with serving(tenant) as env:
        sync(env, home, **options)
    tenant.requests.clear()
    return tenant, home


def begin_with(first_night, home):
    """Copies of what `pulled` gave: the tenant, and in `home` its lake."""
    tenant, lake = first_night
    shutil.copytree(lake, home, dirs_exist_ok=True)
    return copy.deepcopy(tenant)


def wrong_tables(tenant, home, tables=tuple(KEYS)):
    """Tables that differ from the tenant's truth, with missing, extra and different rows."""
    found = {name: differences(Path(home) / "lake", name, tenant.truth(name), KEYS[name]) for name in tables}
    return {name: difference for name, difference in found.items() if difference != SAME}


def wrong_lists(tenant, home):
    """The same for the tenant's own lists."""
    found = {name: differences(Path(home) / "lake", name, tenant.rows[path].values()) for name, path in TABLES.items()}
    return {name: difference for name, difference in found.items() if difference != SAME}


def asked(tenant, pattern):
    """Requests whose path contains a text."""
    return [path for path, _ in tenant.requests if pattern in path]


def report_of(run, collection):
    return next(report for report in run.collections if report.collection == collection)


def versions(home):
    """The Delta version of every table that stands."""
    lake = Lake(str(Path(home) / "lake"))
    return {
        folder.name: lake.table(RESOURCES[folder.name]).version
        for folder in Path(lake.root).iterdir()
        if folder.name in RESOURCES
    }


def failing_parents(home):
    """Pending records by fan-out and parent."""
    records = Lake(str(Path(home) / "lake")).pending_parents().current().values()
    return {(r["fan_out"], r["parent_id"]): r for r in records if r["status"] == "pending"}
