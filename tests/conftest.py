"""What holds for every test: no settings from the developer's own shell, no deadline on a busy machine, the files that
take longest first; and what test files share."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from support.demo_warehouse import DemoWarehouse, make_demo_warehouse
from support.parsed_project import MODELS_ONLY, VARIABLE, parse_project, parsed_file
from support.shared import made_once
from support.warm_dbt import WarmDbt

from pipelines.settings import LakeSettings
from warehouse.files import private_folder
from warehouse.project import process_environment, target_folder

for name in [name for name in os.environ if name.startswith(("SMART_CHARGING_", "CHARGELAKE_"))]:
    if name not in {"CHARGELAKE_REQUIRE_BROWSER", "CHARGELAKE_RENEW_SNAPSHOTS"}:
        del os.environ[name]

settings.register_profile("quick", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

LONGEST_FIRST = (
    "test_warehouse_truth.py",
    "test_assets_night.py",
    "test_assets_faults.py",
    "test_erasure.py",
    "test_warehouse_nights.py",
    "test_deletions_nights.py",
    "test_fanout_nights.py",
    "test_simulation.py",
    "test_cli.py",
    "test_warehouse_money.py",
    "test_assets_page.py",
    "test_warehouse_hostile.py",
    "test_warehouse_build.py",
    "test_deletions_faults.py",
    "test_warehouse_prices.py",
    "test_deletions_kills.py",
    "test_warehouse_publish.py",
    "test_warehouse_solar.py",
    "test_warehouse_plug_ins.py",
    "test_dry_run.py",
    "test_machine_faults.py",
    "test_warehouse_portable.py",
    "test_demo_evolve.py",
    "test_sync_nights.py",
    "test_fanout_kills.py",
    "test_assets_definitions.py",
    "test_unfinished_sessions.py",
)
"""A worker takes whole files: one that begins a long file last would go on alone. The rest follow in their order.

The figures of tenants come first, so that the demo's warehouse is there when others need it.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if missing := [name for name in LONGEST_FIRST if not Path(__file__).with_name(name).exists()]:
        raise pytest.UsageError(f"LONGEST_FIRST in {__file__} names files that are not there: {', '.join(missing)}")
    if twice := [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]:
        raise pytest.UsageError(f"several tests have one id, of which workers would run but one: {', '.join(twice)}")
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def parsed_project(tmp_path_factory):
    """For files that run dbt as users do."""
    home = made_once(tmp_path_factory, "parsed-project", parse_project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(parsed_file(home)))
        yield


@pytest.fixture(scope="session")
def _loaded_dbt(tmp_path_factory, parsed_project):
    own = LakeSettings(home=tmp_path_factory.mktemp("loaded-dbt"))
    dbt = WarmDbt(process_environment(own), private_folder(target_folder(own)))
    yield dbt
    dbt.close()


@pytest.fixture(scope="module")
def warm_dbt(_loaded_dbt):
    """For files that build models: their dbt is loaded and has parsed the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warehouse.dbt.subprocess", _loaded_dbt)
        yield


@pytest.fixture(scope="session")
def demo_warehouse(tmp_path_factory, parsed_project) -> DemoWarehouse:
    """The whole demo tenant, built and published. For reading only."""
    return DemoWarehouse(made_once(tmp_path_factory, "demo-warehouse", make_demo_warehouse))


@pytest.fixture(scope="module")
def models_only():
    """For files that judge what models hold by other means than dbt's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*MODELS_ONLY)
        yield
