"""The graph: what it holds, how it hangs together, when it runs. Compared with the contract, the SQL files and a text."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    Definitions,
    RunRequest,
    TableSchema,
    build_schedule_context,
)
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.definitions import build_definitions
from assets.surroundings import Surroundings
from pipelines.contract import FAN_OUTS, LISTS, RESOURCES
from pipelines.errors import ConfigurationError
from pipelines.lake.schemas import OPERATIONS, table_schema
from pipelines.settings import LakeSettings
from warehouse.dbt import manifest_file
from warehouse.project import PROJECT_FOLDER

pytestmark = pytest.mark.usefixtures("parsed_project")

OTHERS = {"lake", "published_file", "lake_maintenance"}
SNAPSHOT = Path(__file__).with_suffix(".txt")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> LakeSettings:
    return LakeSettings(home=tmp_path_factory.mktemp("home"), time_zone="Europe/Oslo")


@pytest.fixture(scope="module")
def definitions(settings) -> Definitions:
    return build_definitions(Surroundings(lake=lambda: settings))


def describe(definitions: Definitions) -> str:
    """All definitions as text, one fact a line, so that a lost asset or check shows in a review."""
    graph = definitions.resolve_asset_graph()
    checks = defaultdict(list)
    for key in graph.asset_check_keys:
        blocking = " (blocking)" if graph.get_check_spec(key).blocking else ""
        checks[key.asset_key].append(f"  check {key.name}{blocking}")
    lines = []
    for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key):
        node = graph.get(spec.key)
        lines += [
            f"asset {spec.key.to_user_string()}",
            f"  group {spec.group_name}, kinds {', '.join(sorted(spec.kinds))}"
            + (f", pool {', '.join(sorted(node.pools))}" if node.pools else "")
            + ("" if node.is_materializable else ", not materialised by itself")
            + (", fresh" if spec.freshness_policy else ""),
            *sorted(f"  after {dep.asset_key.to_user_string()}" for dep in spec.deps),
            *sorted(checks[spec.key]),
        ]
    for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            lines += [f"job {job.name}, executor {job.executor_def.name}"]
            lines += [f"  step {node.name}" for node in sorted(job.nodes, key=lambda node: node.name)]
    for schedule in sorted(definitions.schedules or [], key=lambda schedule: schedule.name):
        lines += [
            f"schedule {schedule.name}",
            f"  {schedule.cron_schedule} {schedule.execution_timezone}",
            f"  job {schedule.job_name}, {schedule.default_status.value.lower()} by default",
        ]
    return "\n".join(lines) + "\n"


def test_the_definitions_are_those_of_the_text(definitions):
    described = describe(definitions)
    if os.environ.get("CHARGELAKE_RENEW_SNAPSHOTS"):
        SNAPSHOT.write_text(described)
    assert described == SNAPSHOT.read_text(), (
        "the graph has changed; if it should have, renew the text: CHARGELAKE_RENEW_SNAPSHOTS=1 pytest " + __file__
    )


def test_every_resource_and_every_sql_file_is_an_asset_and_nothing_else(definitions):
    models = {path.stem for path in (PROJECT_FOLDER / "models").rglob("*.sql")}
    seeds = {path.stem for path in (PROJECT_FOLDER / "seeds").glob("*.csv")}
    by_layer = defaultdict(set)
    for key in definitions.resolve_all_asset_keys():
        by_layer[key.path[0]].add(key.path[-1])

    assert by_layer["lake"] == {*RESOURCES, *OPERATIONS}
    built = {layer: names for layer, names in by_layer.items() if layer not in OTHERS}
    assert set(built) == {"staging", "marts", "ops", "personal", "reference"}
    assert sum(map(len, built.values())) == len(models) + len(seeds)


def test_every_data_test_of_dbt_is_a_check(definitions, settings):
    manifest = manifest_file(settings).read_text()
    tests = set(re.findall(r'"(test\.chargelake\.[^"]+)": \{"database"', manifest))
    graph = definitions.resolve_asset_graph()
    checks = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    ids = {check.metadata["dagster_dbt/unique_id"] for check in checks if "dagster_dbt/unique_id" in check.metadata}

    assert len(tests) >= 25
    assert ids == tests


def test_models_read_what_is_an_asset_and_all_that_analysts_see_is_published(definitions, settings):
    graph = definitions.resolve_asset_graph()
    assets = set(definitions.resolve_all_asset_keys())
    sources = set(re.findall(r'"source\.chargelake\.lake\.(\w+)": \{"database"', manifest_file(settings).read_text()))
    reached, ahead = set(), {AssetKey("published_file")}
    while ahead:
        key = ahead.pop()
        reached.add(key)
        ahead |= graph.get(key).parent_keys - reached

    assert {"users", "sessions", "_runs"} <= sources <= {*RESOURCES, *OPERATIONS}
    assert reached <= assets
    assert {key for key in assets if key.path[0] in {"marts", "ops", "personal"}} <= reached


def test_what_the_same_answers_fill_is_one_step(definitions):
    steps = {asset.op.name: asset for asset in definitions.assets if isinstance(asset, AssetsDefinition)}
    tables = {name: {AssetKey(["lake", name])} for name in LISTS} | {
        name: {AssetKey(["lake", table]) for table in fan_out.tables} for name, fan_out in FAN_OUTS.items()
    }

    pulling = {name: step for name, step in steps.items() if name.startswith("lake__")}
    assert {name.removeprefix("lake__"): set(step.keys) for name, step in pulling.items()} == tables
    assert not any(step.can_subset for step in pulling.values())
    for step in pulling.values():
        assert {key.asset_key for key in step.check_keys} == set(step.keys)
        assert {key.name for key in step.check_keys} == {"complete"}


def test_a_table_comes_after_those_who_are_asked_and_what_makes_them_worth_it(definitions):
    graph = definitions.resolve_asset_graph()

    def upstream(name):
        return {key.path[-1] for key in graph.get(AssetKey(["lake", name])).parent_keys}

    assert not any(upstream(name) for name in LISTS)
    for fan_out in FAN_OUTS.values():
        for table in fan_out.tables:
            assert upstream(table) == {fan_out.parent, *fan_out.watches.values()}
    assert upstream("chargers") == {"users", "charging_locations"}
    assert upstream("rewards") == {"users", "sessions", "payouts"}
    assert {"charging_locations", "location_tariffs"} <= upstream("dynamic_tariffs")
    assert upstream("_pending_parents") == set(RESOURCES)


def test_steps_are_taken_in_the_order_of_the_contract_and_models_come_last(definitions):
    nodes = definitions.resolve_job_def("nightly").nodes
    priority = {node.name: int(node.tags.get("dagster/priority", "0")) for node in nodes}
    pulling = [name for name in sorted(priority, key=priority.get, reverse=True) if name.startswith("lake__")]

    assert pulling == [f"lake__{name}" for name in (*LISTS, *FAN_OUTS)]
    assert priority["warehouse_models"] < min(priority[name] for name in pulling)
    assert "lake_maintenance" not in priority
    weekly = definitions.resolve_job_def("weekly").nodes
    priority = {node.name: int(node.tags.get("dagster/priority", "0")) for node in weekly}
    assert priority.keys() >= {node.name for node in nodes}
    assert sorted(priority, key=priority.get)[:2] == ["lake_maintenance", "warehouse_models"]


def test_columns_carry_type_unit_and_the_personal_mark_of_the_contract(definitions):
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    for resource in RESOURCES.values():
        schema = specs[AssetKey(["lake", resource.name])].metadata["dagster/column_schema"]
        assert isinstance(schema, TableSchema)
        assert [(column.name, column.type) for column in schema.columns] == [
            (field.name, str(field.type)) for field in table_schema(resource)
        ]
        tags = {column.name: column.tags for column in schema.columns}
        assert {name for name, found in tags.items() if "personal" in found} == {
            field.column for field in resource.fields if field.personal
        }
        assert {name: found["unit"] for name, found in tags.items() if "unit" in found} == {
            field.column: field.unit for field in resource.fields if field.unit
        }
    email = next(
        c for c in specs[AssetKey(["lake", "users"])].metadata["dagster/column_schema"].columns if c.name == "email"
    )
    assert "personal" in email.tags


@pytest.mark.parametrize(
    ("begin", "start_local"),
    [
        pytest.param("2026-03-27", {"2026-03-29": "03:00"}, id="clocks go forward: half past two does not exist"),
        pytest.param("2026-10-23", {}, id="clocks go back: half past two exists twice"),
    ],
)
def test_the_schedule_ticks_once_each_local_day(definitions, begin, start_local):
    schedule = definitions.resolve_schedule_def("nightly_schedule")
    zone = ZoneInfo("Europe/Oslo")
    first = datetime.fromisoformat(begin).replace(tzinfo=zone)
    ticks = []
    for tick in schedule_execution_time_iterator(  # the daemon's own
        first.timestamp(), schedule.cron_schedule, schedule.execution_timezone
    ):
        if tick.timestamp() >= (first + timedelta(days=5)).timestamp():
            break
        ticks.append(datetime.fromtimestamp(tick.timestamp(), timezone.utc).astimezone(zone))

    dates = [f"{first.date() + timedelta(days=day)}" for day in range(5)]
    assert [f"{tick:%Y-%m-%d}" for tick in ticks] == dates
    assert {f"{tick:%Y-%m-%d}": f"{tick:%H:%M}" for tick in ticks} == dict.fromkeys(dates, "02:30") | start_local


def test_the_schedule_asks_for_the_nightly_job(definitions):
    schedule = definitions.resolve_schedule_def("nightly_schedule")
    with DagsterInstance.ephemeral() as instance, build_schedule_context(instance) as context:
        requests = schedule.evaluate_tick(context).run_requests

    assert [type(request) for request in requests] == [RunRequest]
    assert schedule.job_name == "nightly"


def test_the_graph_loads_without_the_tenant_and_writes_only_into_its_home(tmp_path):
    before = _tree(PROJECT_FOLDER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SMART_", "CHARGELAKE_"))}
    code = "from assets.definitions import defs; print(len(defs().resolve_all_asset_specs()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"CHARGELAKE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_FOLDER.parent,
        umask=0o022,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == [], "for the owner only"
    assert _tree(PROJECT_FOLDER) == before


def test_the_project_is_parsed_once(settings, definitions, monkeypatch):
    parsed = manifest_file(settings).stat().st_mtime_ns
    monkeypatch.setattr("warehouse.dbt.dbt_executable", lambda: pytest.fail("dbt was started"))

    build_definitions(Surroundings(lake=lambda: settings))

    assert manifest_file(settings).stat().st_mtime_ns == parsed


def test_a_bad_setting_is_named(monkeypatch):
    monkeypatch.setenv("CHARGELAKE_TIME_ZONE", "Europe/Atlantis")
    with pytest.raises(ConfigurationError, match="CHARGELAKE_TIME_ZONE"):
        build_definitions()


def _tree(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
